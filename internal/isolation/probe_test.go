package isolation

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var (
	here    = netip.MustParseAddr("10.0.0.7")
	between = scene{open: netip.AddrPortFrom(here, 8443), noEntry: netip.AddrPortFrom(here, 8081), noExit: netip.AddrPortFrom(here, 9443)}
)

// network answers on some ports, for as many dials as it says.
type network struct {
	mu      sync.Mutex
	answers map[uint16]int
}

func (n *network) dial(_ context.Context, address netip.AddrPort) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.answers[address.Port()]--
	if n.answers[address.Port()] < 0 {
		return errors.New("i/o timeout")
	}
	return nil
}

func TestWhatIsSaidFollowsFromWhatPassed(t *testing.T) {
	const always = 1000
	for name, tc := range map[string]struct {
		answers map[uint16]int
		dropped bool
		problem bool
		detail  string
	}{
		"all that is forbidden is dropped":     {answers: map[uint16]int{8443: always}, dropped: true, detail: "were dropped"},
		"nothing is dropped":                   {answers: map[uint16]int{8443: always, 8081: always, 9443: always}, detail: "connections passed"},
		"only what leaves is held":             {answers: map[uint16]int{8443: always, 8081: always}, detail: "for ingress"},
		"only what arrives is held":            {answers: map[uint16]int{8443: always, 9443: always}, detail: "for egress"},
		"nobody answers":                       {problem: true},
		"the other replica goes meanwhile":     {answers: map[uint16]int{8443: 1}, problem: true},
		"it goes, and nothing was dropped yet": {answers: map[uint16]int{8443: 1, 8081: always, 9443: always}, problem: true},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.answers == nil {
				tc.answers = map[uint16]int{}
			}
			p := New(Options{Dial: (&network{answers: tc.answers}).dial})
			got := p.dial(t.Context(), between)
			if got.Dropped != tc.dropped || (got.Problem != "") != tc.problem || !strings.Contains(got.Detail, tc.detail) {
				t.Errorf("dial() = %+v", got)
			}
		})
	}
}

// Rules take a while to be in effect for a pod that has just started.
func TestWhatPassedOnceIsAskedAgain(t *testing.T) {
	const always = 1000
	for name, tc := range map[string]struct {
		passes  int
		dropped bool
	}{
		"twice":     {passes: rounds - 1, dropped: true},
		"each time": {passes: rounds},
	} {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(phitest.Epoch)
			p := New(Options{Clock: clock, Dial: (&network{answers: map[uint16]int{8443: always, 8081: tc.passes}}).dial})
			result := make(chan control.IsolationResult, 1)
			go func() { result <- p.confirm(t.Context(), between) }()
			for {
				select {
				case got := <-result:
					if got.Dropped != tc.dropped || got.Problem != "" {
						t.Errorf("confirm() = %+v", got)
					}
					return
				default:
					if clock.HasWaiters() {
						clock.Step(pause)
					}
				}
			}
		})
	}
}

// What is known outlives a change of replicas, but not for ever, and not another thing that is seen.
func TestWhatWasSeenCountsUntilSomethingElseIs(t *testing.T) {
	clock, changes := clocktesting.NewFakeClock(phitest.Epoch), 0
	p := New(Options{Clock: clock, Changed: func() { changes++ }})
	learn := func(r control.IsolationResult) {
		r.At = clock.Now()
		p.learn(t.Context(), r)
	}
	expect := func(when string, dropped bool, problem string, due time.Duration, told int) {
		t.Helper()
		if last := p.Last(); last.Dropped != dropped || last.Problem != problem {
			t.Errorf("%s: Last() = %+v", when, last)
		}
		if p.due() != due || changes != told {
			t.Errorf("%s: due in %s and told of %d times, want %s and %d", when, p.due(), changes, due, told)
		}
	}
	alone := control.IsolationResult{Problem: "alone"}
	learn(alone)
	expect("at first", false, "alone", soonest, 1)
	learn(alone)
	expect("again", false, "alone", 2*soonest, 1)
	learn(control.IsolationResult{Dropped: true, Detail: "dropped"})
	expect("once it is seen", true, "", anew, 2)
	clock.Step(keeps - time.Second)
	learn(alone)
	expect("while a replica is away", true, "", soonest, 2)
	clock.Step(time.Second)
	learn(alone)
	expect("after an hour of that", false, "alone", 2*soonest, 3)
	learn(control.IsolationResult{Dropped: true, Detail: "dropped"})
	learn(control.IsolationResult{Detail: "passed"})
	expect("once the plugin is gone", false, "", anew, 5)
	for range 20 {
		learn(alone)
	}
	if p.due() != anew {
		t.Errorf("due in %s, want no later than %s", p.due(), anew)
	}
}

func TestWithoutAPodNothingIsDialled(t *testing.T) {
	p := New(Options{Clock: clocktesting.NewFakeClock(phitest.Epoch), Dial: func(context.Context, netip.AddrPort) error {
		t.Error("somebody was dialled")
		return nil
	}})
	if got := p.look(t.Context()); !strings.Contains(got.Problem, "beside the cluster") {
		t.Errorf("look() = %+v", got)
	}
}

func replica(name, node string, change ...func(*corev1.Pod)) corev1.Pod {
	pod := corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID(name)},
		Spec:       corev1.PodSpec{NodeName: node},
		Status:     corev1.PodStatus{Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}},
	}
	for _, c := range change {
		c(&pod)
	}
	return pod
}

func TestAReplicaThatListensIsDialledOnTheSameNodeIfThereIsOne(t *testing.T) {
	own := replica("own", "a")
	going := func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{} }
	starting := func(p *corev1.Pod) { p.Status.Conditions = nil }
	unready := func(p *corev1.Pod) { p.Status.Conditions[0].Status = corev1.ConditionFalse }
	onHost := func(p *corev1.Pod) { p.Spec.HostNetwork = true }
	for name, tc := range map[string]struct {
		replicas []corev1.Pod
		want     string
	}{
		"alone":               {replicas: []corev1.Pod{own}},
		"one beside it":       {replicas: []corev1.Pod{own, replica("b", "a")}, want: "b"},
		"others elsewhere":    {replicas: []corev1.Pod{own, replica("b", "z"), replica("c", "a"), replica("d", "z")}, want: "c"},
		"all of them there":   {replicas: []corev1.Pod{own, replica("b", "z"), replica("c", "z")}, want: "b"},
		"none that is whole":  {replicas: []corev1.Pod{own, replica("b", "a", going), replica("c", "a", starting), replica("d", "a", unready), replica("e", "a", onHost)}},
		"whole beats distant": {replicas: []corev1.Pod{own, replica("b", "z", unready), replica("c", "a")}, want: "c"},
	} {
		t.Run(name, func(t *testing.T) {
			got := peerOf(&own, tc.replicas)
			if got == nil && tc.want != "" || got != nil && got.Name != tc.want {
				t.Errorf("peerOf() = %v, want %q", got, tc.want)
			}
		})
	}
}

// installed is the policy as it is installed: what is dialled follows from its very text.
func installed(t *testing.T) networkingv1.NetworkPolicy {
	t.Helper()
	text, err := os.ReadFile("../../config/manager/network_policy.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var p networkingv1.NetworkPolicy
	if err := yaml.UnmarshalStrict(text, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestOnlyUnderTheInstalledPolicyDoesAConnectionShowAnything(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*networkingv1.NetworkPolicy)
		more   *networkingv1.NetworkPolicySpec
		ports  ports
		want   string
	}{
		"as installed": {},
		"on other ports, as by --health-probe-bind-address": {ports: ports{health: 8082, metrics: 8443, webhook: 9443}, want: "closed for Egress on port 8082"},
		"ports without names":                               {ports: ports{webhook: 9443}, want: "do not name their ports"},
		"nothing closed": {
			change: func(n *networkingv1.NetworkPolicy) {
				n.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"] = "issuer"
			}, want: "no NetworkPolicy closes",
		},
		"egress not closed": {
			change: func(n *networkingv1.NetworkPolicy) { n.Spec.PolicyTypes = n.Spec.PolicyTypes[:1] }, want: "no NetworkPolicy closes",
		},
		"no way out to the port of health": {
			change: func(n *networkingv1.NetworkPolicy) {
				n.Spec.Egress = slices.DeleteFunc(n.Spec.Egress, func(r networkingv1.NetworkPolicyEgressRule) bool { return r.Ports[0].Port.IntVal == 8081 })
			}, want: "closed for Egress on port 8081",
		},
		"webhooks for one address alone": {
			change: func(n *networkingv1.NetworkPolicy) {
				for i := range n.Spec.Ingress {
					if n.Spec.Ingress[i].Ports[0].Port.IntVal == 9443 {
						n.Spec.Ingress[i].From = []networkingv1.NetworkPolicyPeer{{IPBlock: &networkingv1.IPBlock{CIDR: "172.31.0.10/32"}}}
					}
				}
			}, want: "closed for Ingress on port 9443",
		},
		"the port of health open to others alone": {
			change: func(n *networkingv1.NetworkPolicy) {
				for i := range n.Spec.Egress {
					if n.Spec.Egress[i].Ports[0].Port.IntVal == 8081 {
						n.Spec.Egress[i].To[0].PodSelector.MatchLabels["app.kubernetes.io/component"] = "egress"
					}
				}
			}, want: "closed for Egress on port 8081",
		},
		"another policy that lets in everywhere": {
			more: &networkingv1.NetworkPolicySpec{Ingress: []networkingv1.NetworkPolicyIngressRule{{}}}, want: "open for Ingress on port 8081",
		},
		"another policy that lets out everywhere": {
			more: &networkingv1.NetworkPolicySpec{
				PolicyTypes: []networkingv1.PolicyType{networkingv1.PolicyTypeEgress}, Egress: []networkingv1.NetworkPolicyEgressRule{{}},
			}, want: "open for Egress on port 9443",
		},
	} {
		t.Run(name, func(t *testing.T) {
			policy := installed(t)
			replicas := *policy.Spec.PodSelector.DeepCopy()
			if tc.change != nil {
				tc.change(&policy)
			}
			policies := []networkingv1.NetworkPolicy{policy}
			if tc.more != nil {
				policies = append(policies, networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: policy.Namespace, Name: "more"}, Spec: *tc.more})
			}
			if tc.ports == (ports{}) {
				tc.ports = ports{health: 8081, metrics: 8443, webhook: 9443}
			}
			got := rules{namespace: policy.Namespace, policies: policies, replicas: replicas}.fit(tc.ports)
			if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) {
				t.Errorf("fit() = %q, want %q", got, tc.want)
			}
		})
	}
}
