package injection

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// RulesName is that of the container that sets the rules by which a pod's traffic comes to
// its proxy.
const RulesName = control.RulesContainer

// CaptureOf is how traffic comes to the proxies of the subject's workload: as it asks, if
// its profile lets it.
func CaptureOf(s *control.Subject) hipaav1.CaptureMode {
	if !control.AsksRedirect(s.Workload) {
		return hipaav1.CaptureNames
	}
	if p := s.Profile.Transmission.Proxy; p == nil || p.Capture != hipaav1.CaptureRedirect {
		return hipaav1.CaptureNames
	}
	return hipaav1.CaptureRedirect
}

// captureOfNew is how traffic comes to the proxies of pods that are new. As long as the
// status says that every pod has its rules, policies let callers to the application's own
// ports: a pod without rules would be open there, so each gets them until that is over.
func captureOfNew(s *control.Subject) hipaav1.CaptureMode {
	if proxy := s.Workload.Status.Proxy; proxy != nil && proxy.Capture == hipaav1.CaptureRedirect {
		return hipaav1.CaptureRedirect
	}
	return CaptureOf(s)
}

// redirected reports whether a pod may need what only those do whose traffic is
// redirected.
func (b *builder) redirected() bool {
	return b.with.Capture == hipaav1.CaptureRedirect || slices.ContainsFunc(b.with.Pods, control.HasRules)
}

// redirects reports whether rules bring the pod's traffic to the proxy.
func (p *Plan) redirects() bool { return p.Capture == hipaav1.CaptureRedirect }

// The proxy's users where traffic is redirected: fit for user namespaces, and beyond what
// images have for themselves.
const (
	firstUser = 10_000
	users     = 50_000
)

// user is the id that the proxy runs under and nobody else may. Where traffic is
// redirected it opens the way out of the pod, so it has to be one, and it hangs on the
// workload: nobody's image has it by habit.
func (p *Plan) user() *int64 {
	if !p.redirects() {
		return p.User
	}
	sum := sha256.Sum256([]byte(p.UID))
	return ptr.To(firstUser + int64(binary.BigEndian.Uint32(sum[:])%users))
}

// rules are the container that sets the rules. It is root, because a capability reaches
// nobody else in a container, and has that one alone. It runs before everything else, so
// nothing in the pod has ever had another way.
func (p *Plan) rules() corev1.Container {
	return corev1.Container{
		Name: RulesName, Image: p.Image,
		Args:      []string{"redirect", "--user=" + strconv.FormatInt(*p.user(), 10)},
		Resources: completed(p.Resources),
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Add: []corev1.Capability{"NET_ADMIN"}, Drop: []corev1.Capability{"ALL"}},
			Privileged:               ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			RunAsNonRoot:             ptr.To(false),
			RunAsUser:                ptr.To[int64](0),
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		// What is public stands where the API server would mount the API's token.
		VolumeMounts:             []corev1.VolumeMount{{Name: configVolume, MountPath: TrustDirectory, ReadOnly: true}},
		ImagePullPolicy:          corev1.PullIfNotPresent,
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
}

// before are the containers that stand before those of the application.
func (p *Plan) before(names portNames) []corev1.Container {
	if p.redirects() {
		return []corev1.Container{p.rules(), p.container(names)}
	}
	return []corev1.Container{p.container(names)}
}

// isOperators reports whether a container has a name that only the operator gives.
func isOperators(name string) bool { return name == Name || name == RulesName }

// checkRules says what is wrong with the container that sets the rules.
func (p *Plan) checkRules(pod *corev1.Pod) []control.Finding {
	var findings []control.Finding
	found := false
	for i := range pod.Spec.InitContainers {
		c, at := &pod.Spec.InitContainers[i], fmt.Sprintf("spec.initContainers[%d]", i)
		switch {
		case c.Name != RulesName:
		case !p.redirects():
			findings = append(findings, control.Failed(at, "is named %s, and the traffic of this pod is not redirected", RulesName).
				But("take the container out, or ask for spec.transmission.capture: Redirect in the PHIWorkload"))
		case found:
			findings = append(findings, control.Failed(at+".name", "is named %s, as the operator's own is", RulesName).But("give it another name"))
		default:
			found = true
			if i > 0 {
				findings = append(findings, control.Failed(at, "starts after %q, which so has a way past the proxy", pod.Spec.InitContainers[0].Name).
					But("put nothing before the container %s: where another webhook does, exempt the pod from it, or let it put its own behind", RulesName))
			}
			want := p.rules()
			findings = append(findings, differences(at, &want, settled(c, &want))...)
		}
	}
	if p.redirects() && !found {
		findings = append(findings, control.Failed("spec.initContainers", "has no container %s, without which nothing is redirected", RulesName).
			But("let the operator's admission add it: create the pod anew, and take out what opts it out"))
	}
	return findings
}

// outlaws are containers that could take the proxy's way out of the pod, or change the
// rules. Whom an image runs as cannot be seen, so it has to be said.
func (p *Plan) outlaws(at string, c *corev1.Container, user int64) []control.Finding {
	if !p.redirects() {
		return nil
	}
	var findings []control.Finding
	if user < 0 {
		findings = append(findings, control.Failed(at+".securityContext.runAsUser", "is not set, so that its image may choose the proxy's user, whose traffic is not redirected").
			But("set the id that the image runs under, but not %d", *p.user()))
	}
	s := c.SecurityContext
	if s == nil {
		s = &corev1.SecurityContext{}
	}
	if ptr.Deref(s.Privileged, false) || ptr.Deref(s.AllowPrivilegeEscalation, true) {
		findings = append(findings, control.Failed(at+".securityContext.allowPrivilegeEscalation", "lets it become the proxy's user, or root").
			But("set it to false, and do not set privileged"))
	}
	if s.Capabilities == nil || !slices.Contains(s.Capabilities.Drop, "ALL") ||
		slices.ContainsFunc(s.Capabilities.Add, func(added corev1.Capability) bool { return added != "NET_BIND_SERVICE" }) {
		findings = append(findings, control.Failed(at+".securityContext.capabilities", "may have some by which the rules can be changed or passed").
			But("drop ALL, and add none but NET_BIND_SERVICE"))
	}
	return findings
}

// Rules are the container that sets the rules in pods of one workload, as others judge it.
// They hang on nothing that the operator has to wait for: a pod that is in order stays so
// while it starts.
type Rules struct{ plan *Plan }

// RulesOf is what sets the rules in the pods of the subject's workload. A pod that is
// stored was admitted with them, whatever its workload asks for by now.
func RulesOf(s *control.Subject) Rules {
	if s.Workload == nil || len(s.World.ProxyImages) == 0 {
		return Rules{}
	}
	images := s.World.ProxyImages
	if (s.Pod == nil || !Stored(s.Pod)) && captureOfNew(s) != hipaav1.CaptureRedirect {
		return Rules{}
	}
	return Rules{&Plan{UID: string(s.Workload.UID), Image: images[0], Former: images[1:], Capture: hipaav1.CaptureRedirect}}
}

// Stored reports whether the API server has a pod already: it was admitted once. Who
// creates a pod may write 0 as its version, and is refused later with any other.
func Stored(pod *corev1.Pod) bool {
	version, err := strconv.ParseUint(pod.ResourceVersion, 10, 64)
	return err == nil && version > 0
}

// Hardened is a pod as others judge it: what sets the rules stands in it without the
// capability that it needs, if it is the very container that admission makes. An imitation
// stays as it is.
func (r Rules) Hardened(pod *corev1.Pod) *corev1.Pod {
	p := r.plan
	if p == nil || len(pod.Spec.InitContainers) == 0 {
		return pod
	}
	want := p.rules()
	for _, image := range append([]string{p.Image}, p.Former...) {
		want.Image = image
		got := settled(&pod.Spec.InitContainers[0], &want)
		got.Resources = want.Resources // those of its time
		if len(differences("", &want, got)) > 0 {
			continue
		}
		pod = pod.DeepCopy()
		s := pod.Spec.InitContainers[0].SecurityContext
		s.Capabilities.Add, s.RunAsNonRoot, s.RunAsUser = nil, ptr.To(true), p.user()
		return pod
	}
	return pod
}

// Words are what the container says, by each image that is in order, with spaces between;
// none where traffic is not redirected.
func (r Rules) Words() []string {
	p := r.plan
	if p == nil {
		return nil
	}
	var list []string
	for _, image := range append([]string{p.Image}, p.Former...) {
		list = append(list, image+" "+p.rules().Args[0]+" "+p.rules().Args[1])
	}
	return list
}

// endpoint is how a pod is called by its own address where calls are redirected; nil
// elsewhere.
func (b *builder) endpoint(listener int32, ports ...int32) *config.Endpoint {
	if !b.redirected() {
		return nil
	}
	e := &config.Endpoint{Dial: int(listener)}
	for _, port := range ports {
		if isPort(port) && !slices.Contains(e.Ports, int(port)) {
			e.Ports = append(e.Ports, int(port))
		}
	}
	if len(e.Ports) == 0 || !isPort(listener) {
		return nil
	}
	return e
}

// apiServer is what the application reaches past its proxy by names; where everything is
// redirected, the proxy carries it.
const apiServer = "kubernetes.default"

func (b *builder) apiServerCall(calls map[end]planned, path string) {
	const https = 443
	if b.redirected() {
		host := b.host(apiServer)
		add(calls, end{host, https}, planned{config.Outbound{
			Upstream: fmt.Sprintf("%s:%d", host, https), Protocol: config.TCP, Trust: config.Plain,
		}, path})
	}
}
