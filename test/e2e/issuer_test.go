package e2e_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// The issuer as two processes with the rights of its ServiceAccount. Pods are
// simulated, so who asks for them is this test: with the token that the node's
// credential gets for the pod, from the pod's address, which the loopback device
// has for as long.
var _ = Describe("The issuer of certificates", Ordered, func() {
	const namespace = "certified"
	var (
		issuer   *cluster.Issuer
		one, two *cluster.IssuerReplica
		roots    pki.Bundle
		pod      *corev1.Pod
		address  string
	)

	BeforeAll(func() {
		var err error
		issuer, err = kube.NewIssuer(ctx)
		Expect(err).NotTo(HaveOccurred())
		phiNamespace(namespace)
		workload := phitest.Workload("api").Namespace(namespace).Obj()
		Expect(admin.Create(ctx, workload)).To(Succeed())
		Eventually(owned(namespace, "hipaa-api")).Should(Succeed())
		pod = phitest.Pod("api-0").Namespace(namespace).Of(workload).With(proxied(workload)).Obj()
		run(pod)
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(pod), pod)).To(Succeed())
			g.Expect(pod.Status.Phase).To(Equal(corev1.PodRunning))
		}).Should(Succeed())
		address = onLoopback("lo:issuer", netip.MustParseAddr(pod.Status.PodIP))
		// They listen there: from there to 127.0.0.1 Linux lets nothing through.
		one, two = replica(issuer, address), replica(issuer, address)
		roots = publishedRoots()
	})

	It("gives a pod its identity from the pod's own address, whichever replica it asks", func() {
		token := nodeToken(pod, pod.Spec.NodeName)
		for _, r := range []*cluster.IssuerReplica{one, two} {
			got := enrolled(r, token, address, roots)
			Expect(got.LastError()).NotTo(HaveOccurred())
			Expect(got.ID().String()).To(Equal("spiffe://cluster.local/ns/" + namespace + "/sa/" + pod.Spec.ServiceAccountName))
			Expect(got.Bundle().Equal(roots)).To(BeTrue())
		}
	})

	It("gives nobody the identity of a pod whose token he stole", func() {
		got := enrolled(one, nodeToken(pod, pod.Spec.NodeName), "127.0.0.1", roots)
		Expect(got.Ready()).To(MatchError(ContainSubstring("the request for pod certified/api-0 does not come from its address")))
	})

	It("gives strangers none: a pod where PHI is not declared", func() {
		elsewhere := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "uncertified"}}
		Expect(admin.Create(ctx, elsewhere)).To(Succeed())
		DeferCleanup(func() { deleteNamespace(elsewhere.Name) })
		stranger := phitest.Pod("stranger").Namespace(elsewhere.Name).With(mountingToken).Obj()
		run(stranger)
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(stranger), stranger)).To(Succeed())
			g.Expect(stranger.Status.PodIP).NotTo(BeEmpty())
		}).Should(Succeed())
		from := onLoopback("lo:stranger", netip.MustParseAddr(stranger.Status.PodIP))
		got := enrolled(two, nodeToken(stranger, stranger.Spec.NodeName), from, roots)
		Expect(got.Ready()).To(MatchError(ContainSubstring("namespace uncertified is not declared to hold PHI")))
	})

	It("leaves tenants no token to ask with, and nodes those of their own pods only", func() {
		const user = "tenant@example.org"
		grant(namespace, user, "edit")
		_, err := minted(as(user), pod)
		Expect(err).To(MatchError(ContainSubstring("a token for issuer.hipaa-operator.io is worth the certificate of a workload")))
		_, err = minted(admin, pod)
		Expect(err).To(MatchError(ContainSubstring("so only nodes get one")))
		_, err = minted(as("system:node:another", "system:nodes"), pod)
		Expect(err).To(MatchError(ContainSubstring("forbidden")))
	})

	It("keeps the roots from the manager", func() {
		manager := as("system:serviceaccount:"+system+":"+cluster.ServiceAccount, "system:serviceaccounts", "system:serviceaccounts:"+system)
		refused(manager.Get(ctx, client.ObjectKey{Namespace: system, Name: "hipaa-operator-root"}, &corev1.Secret{}))
	})

	It("certifies the manager's own pod as signer, and another replica does where one is gone", func() {
		manager := phitest.Pod("manager-0").Namespace(system).With(mountingToken).With(func(p *corev1.Pod) {
			p.Spec.ServiceAccountName = cluster.ServiceAccount
		}).Obj()
		run(manager)
		DeferCleanup(func() { Expect(admin.Delete(ctx, manager, client.GracePeriodSeconds(0))).To(Succeed()) })
		Eventually(func(g Gomega) {
			g.Expect(admin.Get(ctx, client.ObjectKeyFromObject(manager), manager)).To(Succeed())
			g.Expect(manager.Status.PodIP).NotTo(BeEmpty())
		}).Should(Succeed())
		from := onLoopback("lo:manager", netip.MustParseAddr(manager.Status.PodIP))
		token := nodeToken(manager, manager.Spec.NodeName)
		draft := sealing.Draft{Workload: string(pod.UID), Write: func(int64) ([]byte, error) { return []byte("{}"), nil }}
		for _, r := range []*cluster.IssuerReplica{one, two} {
			got := enrolled(r, token, from, roots)
			Expect(got.LastError()).NotTo(HaveOccurred())
			Expect(got.ID().String()).To(Equal("spiffe://cluster.local/signer/configuration"))
			sealer, err := sealing.New(got, "cluster.local", wallClock{})
			Expect(err).NotTo(HaveOccurred())
			sealed, err := sealer.Seal(draft)
			Expect(err).NotTo(HaveOccurred())
			// What one sealed, the next who leads keeps.
			if draft.Seal != nil {
				Expect(sealed.Seal).To(Equal(draft.Seal))
			}
			draft.Known, draft.Payload, draft.Seal = sealed.Generation, sealed.Payload, sealed.Seal
		}
		// Stolen, it is worth nothing.
		Expect(enrolled(two, token, address, roots).Ready()).To(MatchError(ContainSubstring("does not come from its address")))
	})

	It("goes on with one replica, and the next one signs under the same root", func() {
		one.Stop()
		token := nodeToken(pod, pod.Spec.NodeName)
		Expect(enrolled(two, token, address, roots).LastError()).NotTo(HaveOccurred())
		three := replica(issuer, address)
		Expect(enrolled(three, token, address, roots).LastError()).NotTo(HaveOccurred())
		Expect(publishedRoots().Equal(roots)).To(BeTrue())
	})
})

// replica runs one more replica until the container of specs ends.
func replica(issuer *cluster.Issuer, host string) *cluster.IssuerReplica {
	GinkgoHelper()
	r, err := issuer.Start(ctx, host)
	Expect(err).NotTo(HaveOccurred())
	DeferCleanup(r.Stop)
	return r
}

func publishedRoots() pki.Bundle {
	GinkgoHelper()
	var published corev1.ConfigMap
	Eventually(func() error {
		return admin.Get(ctx, client.ObjectKey{Namespace: system, Name: "hipaa-operator-bundle"}, &published)
	}).Should(Succeed())
	roots, err := pki.ParseBundle([]byte(published.Data["bundle.pem"]))
	Expect(err).NotTo(HaveOccurred())
	return roots
}

// mountingToken gives a pod the volume with its token for the issuer: nodes get tokens
// of audiences only that a pod of theirs mounts.
func mountingToken(pod *corev1.Pod) {
	pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{Name: "issuer-token", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{{
			ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: enrol.Audience, Path: "token"},
		}}},
	}})
}

// proxied puts the proxy into a pod, with its token, as admission does.
func proxied(w *hipaav1.PHIWorkload) func(*corev1.Pod) {
	plan := &injection.Plan{
		UID: string(w.UID), Generation: 1, Image: "phi-proxy:1", ConfigMap: "hipaa-" + w.Name,
		Issuer: "hipaa-operator-issuer." + system + ".svc", Audience: enrol.Audience, Roots: "roots",
		NameServers: []netip.AddrPort{netip.MustParseAddrPort("10.96.0.10:53")},
	}
	return plan.Apply
}

// minted asks for the token that a kubelet would mount into a pod for its proxy.
func minted(c client.Client, pod *corev1.Pod) (string, error) {
	request := &authenticationv1.TokenRequest{Spec: authenticationv1.TokenRequestSpec{
		Audiences:      []string{enrol.Audience},
		BoundObjectRef: &authenticationv1.BoundObjectReference{Kind: "Pod", APIVersion: "v1", Name: pod.Name, UID: pod.UID},
	}}
	account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Spec.ServiceAccountName}}
	err := c.SubResource("token").Create(ctx, account, request)
	return request.Status.Token, err
}

func nodeToken(pod *corev1.Pod, node string) string {
	GinkgoHelper()
	token, err := minted(as("system:node:"+node, "system:nodes"), pod)
	Expect(err).NotTo(HaveOccurred())
	return token
}

// wallClock is the time that there is.
type wallClock struct{}

func (wallClock) Now() time.Time                         { return time.Now() }
func (wallClock) After(d time.Duration) <-chan time.Time { return time.After(d) }

// enrolled asks a replica from an address, once or until the spec ends.
func enrolled(r *cluster.IssuerReplica, token, from string, trusted pki.Bundle) *enrol.Enrolment {
	GinkgoHelper()
	folder := GinkgoT().TempDir()
	Expect(os.WriteFile(filepath.Join(folder, "token"), []byte(token), 0o600)).To(Succeed())
	Expect(os.WriteFile(filepath.Join(folder, "bundle"), trusted.PEM(), 0o600)).To(Succeed())
	e, err := enrol.New(enrol.Options{
		URL:        "https://hipaa-operator-issuer." + system + ".svc",
		TokenFile:  filepath.Join(folder, "token"),
		BundleFile: filepath.Join(folder, "bundle"),
		Clock:      wallClock{},
		Jitter:     func() float64 { return 0.5 },
		Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
			return dialer.DialContext(ctx, network, r.Address)
		},
	})
	Expect(err).NotTo(HaveOccurred())
	asking, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		e.Run(asking)
	}()
	DeferCleanup(func() {
		cancel()
		Eventually(ended).Should(BeClosed())
	})
	Eventually(func() bool { return e.Certificate() != nil || e.LastError() != nil }).Should(BeTrue())
	return e
}
