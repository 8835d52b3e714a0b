package node_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A tenant with the role edit", Ordered, ContinueOnFailure, func() {
	const clearing, former = "clearing", "former"
	var (
		v        *tenancy
		vendor   *party
		stranger *party
	)

	BeforeAll(func() {
		installed()
		said, err := kubectl("-n", system, "rollout", "status", "deployment/"+control.EgressName, "--timeout=2m")
		Expect(err).NotTo(HaveOccurred(), said)
		profile := phitest.Profile(tenanted).Mode(hipaav1.ModeAudit).Selecting(hipaav1.LabelPHI, hipaav1.LabelPHIValue, governed, tenanted)
		for _, id := range []string{"mutual-tls", "network-isolation", "pod-hardening", "privileged-access", "unique-service-identity"} {
			profile = profile.Control(id, hipaav1.ModeEnforce)
		}
		consenting := profile.Obj()
		consenting.Spec.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}}
		Expect(admin.Create(ctx, consenting)).To(Succeed())
		for _, name := range []string{clearing, former} {
			declareVendor(signedVendor(name, time.Now().Add(1000*24*time.Hour)))
		}
		world := goOutside()
		v = newTenancy(clearing, former)
		names(map[string]string{hostOf(clearing): vendorAt, hostOf(former): vendorAt, "api.stranger.example": strangerAt})
		vendor, stranger = world.serve(vendorAt, v.authority, hostOf(clearing), hostOf(former)), world.serve(strangerAt, v.authority, "api.stranger.example")
		plaintext := world.listen(strangerAt + ":80")
		DeferCleanup(func() { Expect(plaintext.Close()).To(Succeed()) })
		v.open()
		Eventually(func() error { return v.tess.Create(ctx, v.errand("clinic"), client.DryRunAll) }).Should(Succeed())
	})

	It("gets no other workload's certificate: by no token, under no name, by no request", func() {
		lab := &v.podsOf("lab")[0]
		mint := func(audiences ...string) (string, error) {
			asked := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
				Audiences: audiences, BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: lab.Name, UID: lab.UID},
			}}
			account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: v.namespace, Name: lab.Spec.ServiceAccountName}}
			err := v.tess.SubResource("token").Create(ctx, account, asked)
			return asked.Status.Token, err
		}
		_, err := mint(enrol.Audience)
		Expect(err).To(MatchError(ContainSubstring("is worth the certificate of a workload")))
		other, err := mint()
		Expect(err).NotTo(HaveOccurred(), "the role brings tokens for others along")

		borrower := v.errand("clinic")
		borrower.Spec.ServiceAccountName = "lab"
		Expect(v.tess.Create(ctx, borrower)).To(MatchError(ContainSubstring("unique-service-identity")))

		By("asking as a pod that was taken over does")
		process := v.proxyOf("clinic")
		own := tokenOf(process, "/var/run/secrets/kubernetes.io/serviceaccount/issuer-token")
		Expect(v.certified(process, own, "lab")).To(ConsistOf(idOf(v.namespace, "clinic").String()), "what the request names does not count")
		_, err = v.certified(os.Getpid(), own, "clinic")
		Expect(err).To(MatchError(ContainSubstring("does not come from its address")))
		_, err = v.certified(process, other, "lab")
		Expect(err).To(MatchError(HavePrefix("401")))
		_, err = v.certified(v.proxyOf("lab"), other, "lab")
		Expect(err).To(MatchError(HavePrefix("401")), "not even from where it belongs")

		By("asking as a pod that nobody declares, which a profile that enforces not everything lets be")
		borrower.Labels = map[string]string{"app": "nobodys"}
		borrower.Spec.Containers[0].Args = []string{"-keep", v.namespace}
		mountToken(&borrower.Spec)
		v.runs(borrower)
		process = processOf(v.namespace)
		_, err = v.certified(process, tokenOf(process, "/mine/token"), "lab")
		Expect(err).To(MatchError(ContainSubstring("is selected by 0 PHIWorkloads instead of one")))
		Expect(admin.Delete(ctx, borrower)).To(Succeed())
	})

	It("loosens nothing: what configures proxies is not theirs to write", func() {
		sealed := v.sealedFor("clinic")
		refused := MatchError(ContainSubstring("belongs to hipaa-operator"))
		edit := client.RawPatch(types.MergePatchType, []byte(`{"data":{"config.json":"{}"}}`))
		Expect(v.tess.Patch(ctx, sealed.DeepCopy(), edit)).To(refused)
		swapped := sealed.DeepCopy()
		swapped.Data = v.sealedFor("lab").Data
		Expect(v.tess.Update(ctx, swapped)).To(refused)
		swapped.Labels, swapped.OwnerReferences = nil, nil
		Expect(v.tess.Update(ctx, swapped)).To(refused)
		Expect(v.tess.Delete(ctx, sealed.DeepCopy())).To(refused)
		Expect(v.tess.DeleteAllOf(ctx, &corev1.ConfigMap{}, client.InNamespace(v.namespace), client.MatchingLabels(sealed.Labels))).To(refused)
		Expect(v.tess.Patch(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: v.namespace, Name: "schema"}},
			client.RawPatch(types.MergePatchType, []byte(`{"data":{"more":""}}`)))).To(Succeed(), "their own they write")
		Expect(v.sealedFor("clinic").UID).To(Equal(sealed.UID))
	})

	It("mounts no token for the issuer", func() {
		v.tries("clinic", map[string]func(*corev1.PodSpec){
			"is a token by which certificates are given": mountToken,
			"mounts the proxy's token": func(p *corev1.PodSpec) {
				p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "phi-proxy-trust", MountPath: "/theirs"})
			},
		})
	})

	It("borrows the proxy's user by no container, of a new pod or of one that runs", func() {
		v.may("debugging", rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"pods/ephemeralcontainers"}, Verbs: []string{"get", "patch", "update"}})
		for _, part := range []string{"clinic", "courier"} {
			user := v.userOf(part)
			Expect(user).NotTo(BeNil())
			const says = "which only the proxy runs under"
			v.tries(part, map[string]func(*corev1.PodSpec){says: func(p *corev1.PodSpec) { p.Containers[0].SecurityContext.RunAsUser = user }})
			v.tries(part, map[string]func(*corev1.PodSpec){says: func(p *corev1.PodSpec) { p.SecurityContext.RunAsUser = user }})
			pod := v.podsOf(part)[0]
			tools := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "tools", Image: recordsImage, SecurityContext: pod.Spec.Containers[0].SecurityContext.DeepCopy(),
			}}
			tools.SecurityContext.RunAsUser = user
			pod.Spec.EphemeralContainers = append(pod.Spec.EphemeralContainers, tools)
			Eventually(func() error { return v.tess.SubResource("ephemeralcontainers").Update(ctx, &pod) }).Should(
				MatchError(And(ContainSubstring("\n  mutual-tls "), ContainSubstring(says))))
		}
		By("starting a proxy of their own beside the proxy")
		said, err := kubectl("exec", "--as", tess, "-n", v.namespace, v.podsOf("courier")[0].Name, "-c", control.ProxyContainer, "--", "/phi-proxy", "--help")
		Expect(err).To(HaveOccurred())
		Expect(said).To(ContainSubstring("\n  privileged-access "))
	})

	It("shadows no resolver in a pod", func() {
		over := func(file string) func(*corev1.PodSpec) {
			return func(p *corev1.PodSpec) {
				p.Containers[0].VolumeMounts = append(p.Containers[0].VolumeMounts, corev1.VolumeMount{Name: "roots", MountPath: file, SubPath: "roots.pem"})
			}
		}
		alias := func(p *corev1.PodSpec) {
			p.HostAliases = []corev1.HostAlias{{IP: strangerAt, Hostnames: []string{"lab"}}}
		}
		for _, part := range []string{"clinic", "courier"} {
			v.tries(part, map[string]func(*corev1.PodSpec){"replaces what has the application ask the proxy for names": over("/etc/resolv.conf")})
			v.tries(part, map[string]func(*corev1.PodSpec){"replaces what has the application ask the proxy for names": over("/etc/../etc/hosts")})
		}
		v.tries("clinic", map[string]func(*corev1.PodSpec){"is a name of the cluster, which the proxy answers for": alias})

		By("stating name servers, in whose place the proxy stands")
		var pods []*corev1.Pod
		for policy, name := range map[corev1.DNSPolicy]string{corev1.DNSNone: "clinic", corev1.DNSDefault: "courier"} {
			pod := v.errand(name, "-get", "https://api.stranger.example/")
			pod.Spec.DNSPolicy, pod.Spec.DNSConfig = policy, &corev1.PodDNSConfig{Nameservers: []string{"10.96.0.10"}}
			pods = append(pods, pod)
		}
		v.runs(pods...)
		for _, pod := range pods {
			Expect(v.says(pod)).To(ContainSubstring("on 127.0.0.1:53: no such host"))
		}
	})

	It("takes no peer's name by a Service or an EndpointSlice", func() {
		const forged = "MRN 00482913: no known allergies"
		service, impostor := v.part("lab").service, v.errand("clinic", "-keep", forged)
		impostor.Labels["role"] = "impostor"
		// Those have called nobody yet, so that neither a connection nor an answer to a name is of before.
		callers := []*corev1.Pod{v.errand("clinic", "-keep", ""), v.errand("clinic", "-keep", "")}
		v.runs(append(callers, impostor)...)
		takes := func(caller *corev1.Pod, take func() (back func())) {
			GinkgoHelper()
			asks := func() (string, error) {
				return request(net.JoinHostPort(caller.Status.PodIP, "8080"), "/fetch", url.Values{"from": {"http://lab/patients/7"}})
			}
			looks, leaving := capturing(forged), capturingAt(uplink)
			back := take()
			Eventually(func() error {
				said, err := asks()
				Expect(said).NotTo(ContainSubstring(forged))
				return err
			}).Should(MatchError(ContainSubstring("no such host")), "once the operator has seen that it leads elsewhere")
			seen, left := looks.sees(), leaving.sees()
			Expect(seen.Found).To(BeEmpty(), seen.String())
			Expect(left.To).To(BeEmpty(), left.String())
			back()
			Eventually(asks).Should(Equal(record))
		}
		By("having it lead to a pod of another workload")
		takes(callers[0], func() (back func()) {
			var s corev1.Service
			Expect(admin.Get(ctx, client.ObjectKeyFromObject(service), &s)).To(Succeed())
			s.Spec.Selector = map[string]string{"role": "impostor"}
			Expect(v.tess.Update(ctx, &s)).To(Succeed())
			return func() {
				s.Spec.Selector = service.Spec.Selector
				Expect(v.tess.Update(ctx, &s)).To(Succeed())
			}
		})
		By("having it lead out of the cluster")
		takes(callers[1], func() (back func()) { return v.leadsAway("lab") })
		Expect(request(net.JoinHostPort(impostor.Status.PodIP, "8080"), "/patients/7", nil)).To(Equal(forged), "it would answer")

		slice := phitest.Slice("mine", "lab", impostor.Status.PodIP).Port("http", control.ListenPort(8080)).Obj()
		slice.Namespace = v.namespace
		Expect(v.tess.Create(ctx, slice)).To(MatchError(ContainSubstring("cannot create resource")))
		v.may("endpoints", rbacv1.PolicyRule{APIGroups: []string{discoveryv1.GroupName}, Resources: []string{"endpointslices"}, Verbs: []string{"create"}})
		Eventually(func() error { return v.tess.Create(ctx, slice) }).Should(MatchError(ContainSubstring("network-isolation")))
	})

	It("has no address dialled as that of a Service in plaintext, which it lets lead there", func() {
		courier, dial := &v.podsOf("courier")[0], dialingFrom(v.proxyOf("courier"))
		Expect(v.sealedFor("courier").Data[injection.FileConfiguration]).To(ContainSubstring("feed." + v.namespace))
		leaving, before := capturingAt(uplink, "/patients/7"), undeclaredCalls(courier)
		defer v.leadsAway("feed")()
		resolver := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, "10.96.0.10:53")
		}}
		Eventually(func() ([]string, error) { return resolver.LookupHost(ctx, "feed."+v.namespace+".svc.cluster.local.") }).Should(ConsistOf(strangerAt))
		conn, err := dial(strangerAt + ":80")
		Expect(err).NotTo(HaveOccurred(), "the proxy takes whatever the application calls")
		defer conn.Close()
		_, err = fmt.Fprint(conn, "GET /patients/7 HTTP/1.1\r\nHost: feed\r\n\r\n")
		Expect(err).NotTo(HaveOccurred())
		Expect(conn.SetReadDeadline(time.Now().Add(5 * time.Second))).To(Succeed())
		text, _ := io.ReadAll(conn) // it is closed, or reset
		Expect(text).To(BeEmpty())
		Eventually(undeclaredCalls).WithArguments(courier).Should(Equal(before+1), "although proxies do not know yet that it is declared no more")
		seen := leaving.sees()
		Expect(seen.To).To(BeEmpty(), seen.String())
	})

	It("dials no vendor by an address, where traffic is redirected or policies are enforced", func() {
		toVendor, toStranger := netip.MustParseAddr(vendorAt), netip.MustParseAddr(strangerAt)
		to := func(part, host, at, again string) *corev1.Pod {
			return v.errand(part, "-get", "https://"+host+"/", "-at", at+":443", "-again", again, "-within", "3s")
		}
		visits := func() []int { return []int{vendor.visits(), stranger.visits()} }
		By("looking where something passes: by names, without policies, nothing keeps an application from it")
		leaving := capturingAt(uplink)
		bold := []*corev1.Pod{
			to("courier", "api.stranger.example", strangerAt, "10m"), // as whom it is
			to("courier", vendorAt, vendorAt, "10m"),                 // without a name
			to("courier", hostOf(former), vendorAt, "10m"),           // as a vendor of others
		}
		open := to("clinic", "api.stranger.example", strangerAt, "0s")
		v.runs(append(bold, open)...)
		Expect(v.says(open)).To(Equal("received"))
		Expect(leaving.sees().To).To(And(HaveKey(toStranger), Not(HaveKey(toVendor))))

		none := func(more ...*corev1.Pod) {
			GinkgoHelper()
			was, leaving := visits(), capturingAt(uplink)
			for _, pod := range bold {
				before := undeclaredCalls(pod)
				Eventually(func() float64 { return undeclaredCalls(pod) }).Should(BeNumerically(">", before+1), pod.Spec.Containers[0].Args)
			}
			if len(more) > 0 {
				v.runs(more...)
			}
			for _, pod := range more {
				Expect(v.says(pod)).To(ContainSubstring("deadline exceeded"))
			}
			seen := leaving.sees()
			Expect(seen.To).To(BeEmpty(), seen.String())
			Expect(visits()).To(Equal(was))
			allowed := v.errand("courier", "-get", "https://"+hostOf(clearing)+"/", "-again", "1m", "-within", "5s")
			v.runs(allowed)
			Expect(v.says(allowed)).To(Equal("received"))
			Expect(leaving.sees().To).To(And(HaveKey(toVendor), Not(HaveKey(toStranger))))
		}
		By("having traffic redirected, and nobody who enforces policies")
		none()

		By("having policies enforced")
		enforcePolicies()
		dial := dialingFrom(v.proxyOf("lab"))
		Eventually(func() error {
			conn, err := dial(strangerAt + ":443")
			if err == nil {
				return conn.Close()
			}
			return err
		}).Should(MatchError(ContainSubstring("timeout")), "they count from now on")
		none(to("clinic", "api.stranger.example", strangerAt, "0s"), to("clinic", hostOf(clearing), vendorAt, "0s"))
	})

	It("loosens nothing by what somebody stronger puts there: of another workload, of before, or edited", func() {
		clinic, before := &v.podsOf("clinic")[0], v.sealedFor("clinic").Data
		Eventually(func() (string, error) { return v.fetches("clinic", former) }).Should(Equal("received"))
		w := v.part("clinic").PHIWorkload
		Expect(admin.Get(ctx, client.ObjectKeyFromObject(w), w)).To(Succeed())
		w.Spec.Egress.To = slices.DeleteFunc(w.Spec.Egress.To, func(p hipaav1.EgressPeer) bool { return p.Vendor != nil && p.Vendor.Name == former })
		Expect(v.tess.Update(ctx, w)).To(Succeed())
		closed := func() error {
			_, err := v.fetches("clinic", former)
			return err
		}
		gone := MatchError(ContainSubstring("no such host"))
		Eventually(closed).Should(gone)
		now := v.sealedFor("clinic").Data
		for reason, data := range map[string]map[string]string{
			"other-workload": v.sealedFor("courier").Data,
			"older":          before,
			"edited":         {injection.FileConfiguration: before[injection.FileConfiguration], injection.FileSeal: now[injection.FileSeal]},
		} {
			Eventually(func() float64 {
				putThere(clinic, data)
				return metric(clinic, `phi_proxy_configuration_refusals_total{reason="`+reason+`"}`)
			}).WithPolling(3*time.Second).Should(BeNumerically(">", 0), reason)
			Expect(closed()).To(gone, reason)
			Expect(v.fetches("clinic", clearing)).To(Equal("received"), "what is in force stays")
		}
	})
})
