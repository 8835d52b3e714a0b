package injection

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// redirected is a plan whose pods' traffic comes to the proxy by rules.
func redirected() *Plan {
	p := planFor(api().Obj())
	p.Capture = hipaav1.CaptureRedirect
	return p
}

// stated is a pod that says whom its application runs as, and that it stays so.
func stated() *phitest.PodBuilder {
	return apiPod().With(func(p *corev1.Pod) {
		p.Spec.SecurityContext = &corev1.PodSecurityContext{RunAsUser: ptr.To[int64](65532)}
	})
}

func TestRulesAreSetBeforeAnythingRuns(t *testing.T) {
	give := stated().With(func(p *corev1.Pod) {
		wait := *p.Spec.Containers[0].DeepCopy()
		wait.Name, wait.Ports = "wait-for-database", nil
		p.Spec.InitContainers = []corev1.Container{wait}
	}).Obj()
	plan := redirected()
	pod := expectSettled(t, plan, give)
	var names []string
	for i := range pod.Spec.InitContainers {
		names = append(names, pod.Spec.InitContainers[i].Name)
	}
	if diff := cmp.Diff([]string{RulesName, Name, "wait-for-database"}, names); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	rules, proxy := &pod.Spec.InitContainers[0], &pod.Spec.InitContainers[1]
	user := ptr.Deref(proxy.SecurityContext.RunAsUser, 0)
	if user < firstUser || user >= firstUser+users || user == *plan.User {
		t.Errorf("the proxy runs as %d", user)
	}
	if added := proxy.SecurityContext.Capabilities.Add; len(added) > 0 || rules.RestartPolicy != nil {
		t.Errorf("the proxy has %v, and the rules are set again and again: %v", added, rules.RestartPolicy)
	}
	expectFindings(t, nil, plan.Check(pod))

	// Back to names: the rules go.
	plan.Capture = hipaav1.CaptureNames
	expectFindings(t, []string{
		"spec.initContainers[0] is named phi-proxy-rules, and the traffic of this pod is not redirected",
		"spec.initContainers[1].args is not what the operator gives the proxy",
		"spec.initContainers[1].securityContext is not what the operator gives the proxy",
	}, plan.Check(pod))
	expectFindings(t, nil, plan.Check(applied(plan, pod)))
}

func TestWhoCouldPassTheRulesIsFound(t *testing.T) {
	plan := redirected()
	user := *plan.user()
	app := func(change func(*corev1.SecurityContext)) func(*corev1.Pod) {
		return func(p *corev1.Pod) { change(p.Spec.Containers[0].SecurityContext) }
	}
	const at = "spec.containers[0].securityContext."
	for name, tt := range map[string]struct {
		change func(*corev1.Pod)
		want   []string
	}{
		"nothing": {func(*corev1.Pod) {}, nil},
		"without the rules": {func(p *corev1.Pod) { p.Spec.InitContainers = p.Spec.InitContainers[1:] }, []string{
			"spec.initContainers has no container phi-proxy-rules, without which nothing is redirected",
		}},
		"rules that come later": {func(p *corev1.Pod) {
			p.Spec.InitContainers[0], p.Spec.InitContainers[1] = p.Spec.InitContainers[1], p.Spec.InitContainers[0]
		}, []string{`spec.initContainers[1] starts after "phi-proxy", which so has a way past the proxy`}},
		"something before the rules": {func(p *corev1.Pod) {
			first := *p.Spec.Containers[0].DeepCopy()
			first.Name, first.Ports = "first", nil
			p.Spec.InitContainers = append([]corev1.Container{first}, p.Spec.InitContainers...)
		}, []string{
			`spec.initContainers[1] starts after "first", which so has a way past the proxy`,
			`spec.initContainers[2] starts after "first", which so runs without the proxy`,
		}},
		"something between the two": {func(p *corev1.Pod) {
			first := *p.Spec.Containers[0].DeepCopy()
			first.Name, first.Ports = "first", nil
			inits := p.Spec.InitContainers
			p.Spec.InitContainers = []corev1.Container{inits[0], first, inits[1]}
		}, []string{`spec.initContainers[2] starts after "first", which so runs without the proxy`}},
		"rules for another user": {func(p *corev1.Pod) { p.Spec.InitContainers[0].Args[1] = "--user=65532" }, []string{"spec.initContainers[0].args is not what the operator gives the proxy"}},
		"rules of another image": {func(p *corev1.Pod) { p.Spec.InitContainers[0].Image = "registry.example.org/no-rules:1" }, []string{"spec.initContainers[0].image is not what the operator gives the proxy"}},
		"a second set": {func(p *corev1.Pod) { p.Spec.InitContainers = append(p.Spec.InitContainers, p.Spec.InitContainers[0]) }, []string{
			"spec.initContainers[2].name is named phi-proxy-rules, as the operator's own is",
		}},
		"a proxy that listens at names": {func(p *corev1.Pod) {
			p.Spec.InitContainers[1].Args = p.Spec.InitContainers[1].Args[:len(p.Spec.InitContainers[1].Args)-1]
		}, []string{"spec.initContainers[1].args is not what the operator gives the proxy"}},
		"the proxy's user": {app(func(s *corev1.SecurityContext) { s.RunAsUser = &user }), []string{at + "runAsUser is " + itoa(user) + ", which only the proxy runs under"}},
		"a user of the image's choice": {func(p *corev1.Pod) { p.Spec.SecurityContext.RunAsUser = nil }, []string{
			at + "runAsUser is not set, so that its image may choose the proxy's user, whose traffic is not redirected",
		}},
		"programs that change the user": {app(func(s *corev1.SecurityContext) { s.AllowPrivilegeEscalation = nil }), []string{at + "allowPrivilegeEscalation lets it become the proxy's user, or root"}},
		"a privilege":                   {app(func(s *corev1.SecurityContext) { s.Privileged = ptr.To(true) }), []string{at + "allowPrivilegeEscalation lets it become the proxy's user, or root"}},
		"a capability": {app(func(s *corev1.SecurityContext) { s.Capabilities.Add = []corev1.Capability{"NET_ADMIN"} }), []string{
			at + "capabilities may have some by which the rules can be changed or passed",
		}},
		"every capability of a runtime": {app(func(s *corev1.SecurityContext) { s.Capabilities = nil }), []string{
			at + "capabilities may have some by which the rules can be changed or passed",
		}},
		"low ports": {app(func(s *corev1.SecurityContext) { s.Capabilities.Add = []corev1.Capability{"NET_BIND_SERVICE"} }), nil},
		"the ports of the rules": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: 15006}, corev1.ContainerPort{ContainerPort: 18080})
		}, []string{"spec.containers[0].ports[1].containerPort is 15006, where the proxy listens"}},
	} {
		t.Run(name, func(t *testing.T) {
			pod := applied(plan, stated().With(func(p *corev1.Pod) {
				p.Spec.Containers[0].SecurityContext = &corev1.SecurityContext{AllowPrivilegeEscalation: ptr.To(false), Capabilities: &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}}}
			}).Obj())
			tt.change(pod)
			expectFindings(t, tt.want, plan.Check(pod))
			// What another image would be taken for while a pod runs.
			was := applied(plan, stated().Obj())
			now := was.DeepCopy()
			now.Spec.InitContainers[0].Image = "registry.example.org/no-rules:1"
			expectFindings(t, []string{"spec.initContainers[0].image is not what the operator gives the proxy"}, CheckUpdate(was, now))
		})
	}
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// Numbers, a second name of a port and calls at the port that the application has itself
// lead to the proxy all the same.
func TestWhateverPortIsCalledTheProxyIsReached(t *testing.T) {
	plan := redirected()
	service := &corev1.Service{Spec: corev1.ServiceSpec{
		ClusterIP: "10.96.1.1", Selector: map[string]string{"app": "api"}, Ports: []corev1.ServicePort{{Port: 80, TargetPort: intstr.FromInt32(8080)}},
	}}
	service.Namespace = "ehr"
	pod := stated().With(func(p *corev1.Pod) {
		p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{Name: "web", ContainerPort: 8080})
	}).Obj()
	expectFindings(t, nil, plan.Check(applied(plan, pod)))
	expectFindings(t, nil, plan.CheckService(service, nil))
	plan.Capture = hipaav1.CaptureNames
	if len(plan.Check(applied(plan, pod))) == 0 || len(plan.CheckService(service, nil)) == 0 {
		t.Error("by names nothing is found, so this shows nothing")
	}
}

func TestOnlyTheVeryContainerIsHardened(t *testing.T) {
	plan := redirected()
	pod := applied(plan, stated().Obj())
	s := wantsRedirect()
	s.World.ProxyImages = []string{"registry.example.org/phi-proxy:2.0.0", plan.Image}
	hardened := RulesOf(s).Hardened(pod)
	if s := hardened.Spec.InitContainers[0].SecurityContext; len(s.Capabilities.Add) > 0 || !*s.RunAsNonRoot || *s.RunAsUser == 0 {
		t.Errorf("it is judged as %v", s)
	}
	if s := pod.Spec.InitContainers[0].SecurityContext; len(s.Capabilities.Add) == 0 {
		t.Error("the pod itself was changed")
	}
	pod.Spec.InitContainers[0].Command = []string{"sh"}
	if s := RulesOf(s).Hardened(pod).Spec.InitContainers[0].SecurityContext; len(s.Capabilities.Add) == 0 {
		t.Error("an imitation is hardened")
	}
}

// wantsRedirect is a subject whose workload asks for Redirect under a profile that allows it.
func wantsRedirect() *control.Subject {
	w := api().Obj()
	w.UID = types.UID(redirected().UID)
	w.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
	s := &control.Subject{Workload: w, Profile: &control.Profile{}, World: &control.World{Proxy: phitest.Proxy(), ProxyImages: phitest.ProxyImages()}}
	s.Profile.Transmission.Proxy = &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}
	return s
}

// From Redirect back to names: pods that run go on with their rules, new ones get them
// until the status says that the application's ports are closed, and then none.
func TestTheWayBackToNames(t *testing.T) {
	hardens := func(s *control.Subject, pod *corev1.Pod) bool {
		s.Pod = pod
		return len(RulesOf(s).Hardened(pod).Spec.InitContainers[0].SecurityContext.Capabilities.Add) == 0
	}
	s := wantsRedirect()
	running := applied(PlanOf(s), stated().Obj())
	running.ResourceVersion = "7"
	created := running.DeepCopy()
	created.ResourceVersion = ""

	s.Workload.Spec.Transmission, s.Workload.Status.Proxy = nil, &hipaav1.ProxyStatus{ConfigurationGeneration: 1, Capture: hipaav1.CaptureRedirect}
	if !PlanOf(s).redirects() || len(RulesOf(s).Words()) != 1 || !hardens(s, created) {
		t.Error("a pod is new without rules, while callers are let to its application's ports")
	}
	s.Workload.Status.Proxy.Capture, s.Pod = "", nil
	if PlanOf(s).redirects() || len(RulesOf(s).Words()) != 0 || hardens(s, created) {
		t.Error("a pod is new with rules, though nothing asks for them")
	}
	if !hardens(s, running) {
		t.Error("a pod that runs with its rules is found unhardened, and would be taken away")
	}
	plan := PlanOf(s).Running(running)
	expectFindings(t, nil, plan.Check(running))
}

// What sets the rules is told from what imitates it also while the operator waits for its
// roots: nothing is taken away because the operator has just started.
func TestRulesWaitForNoRoots(t *testing.T) {
	s := wantsRedirect()
	pod := applied(PlanOf(s), stated().Obj())
	s.World.Proxy, s.World.Missing = nil, map[control.Evidence]string{control.Proxies: "there are no roots yet"}
	if len(RulesOf(s).Hardened(pod).Spec.InitContainers[0].SecurityContext.Capabilities.Add) > 0 || len(RulesOf(s).Words()) == 0 {
		t.Error("the operator does not know its own container")
	}
	s.World.ProxyImages = nil
	if len(RulesOf(s).Hardened(pod).Spec.InitContainers[0].SecurityContext.Capabilities.Add) == 0 || len(RulesOf(s).Words()) > 0 {
		t.Error("an operator without proxies takes a container for its own")
	}
}

// A pod that was admitted by names goes on so, whatever its workload asks for by now.
func TestARunningPodKeepsItsCapture(t *testing.T) {
	byNames := planFor(api().Obj())
	pod := applied(byNames, apiPod().Obj())
	running := redirected().Running(pod)
	expectFindings(t, nil, running.Check(pod))
}

func TestRedirectTakesAskingAndConsent(t *testing.T) {
	asks := &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
	allows := &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}
	for name, tt := range map[string]struct {
		asks   *hipaav1.WorkloadTransmission
		allows *hipaav1.ProxyParameters
		want   hipaav1.CaptureMode
	}{
		"neither":              {nil, nil, hipaav1.CaptureNames},
		"asked":                {asks, nil, hipaav1.CaptureNames},
		"asked, and refused":   {asks, &hipaav1.ProxyParameters{Capture: hipaav1.CaptureNames}, hipaav1.CaptureNames},
		"allowed":              {nil, allows, hipaav1.CaptureNames},
		"asked and allowed":    {asks, allows, hipaav1.CaptureRedirect},
		"names, though it may": {&hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureNames}, allows, hipaav1.CaptureNames},
	} {
		t.Run(name, func(t *testing.T) {
			w := api().Obj()
			w.Spec.Transmission = tt.asks
			s := &control.Subject{Workload: w, Profile: &control.Profile{}}
			s.Profile.Transmission.Proxy = tt.allows
			if got := CaptureOf(s); got != tt.want {
				t.Errorf("CaptureOf() = %s, want %s", got, tt.want)
			}
		})
	}
}
