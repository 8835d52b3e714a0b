package reach

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// trial is one random question with its answer.
type trial struct {
	world   World
	target  Pods
	allowed Allowed
	found   []Widening
}

var (
	namedOnce  = []corev1.ContainerPort{{Name: "http", ContainerPort: 80}, {Name: "pg", ContainerPort: 5432, Protocol: corev1.ProtocolUDP}}
	namedOther = []corev1.ContainerPort{{Name: "http", ContainerPort: 443}, {Name: "http", ContainerPort: 80, Protocol: corev1.ProtocolUDP}, {Name: "pg", ContainerPort: 81}}
)

func newTrial(d dice) trial {
	t := trial{target: Pods{Namespace: "ehr", Selector: *d.selector(podKeys...)}}
	flow := func() Flow { return d.flow("ehr") }
	t.allowed = Allowed{Ingress: times(d, 3, flow), Egress: times(d, 3, flow)}
	t.target.Except = times(d, 3, func() metav1.LabelSelector { return *d.selector(podKeys...) })
	if d.chance(50) {
		t.world.Namespaces = map[string]labels.Set{}
		for _, name := range namespaceNames {
			if d.chance(70) {
				t.world.Namespaces[name] = with(labels.Set{}, "team", pick(d, "", "a", "b"))
			}
		}
	}
	t.world.Policies = append(t.world.Policies, d.write("written", t.target, t.allowed))
	if d.chance(60) {
		t.world.Policies = append(t.world.Policies, d.policy(pick(d, "ehr", "ehr", "ehr", "lab"), "random"))
	}
	t.found = t.world.Widenings(t.target, t.allowed)
	return t
}

func (tr trial) flows(d Direction) []Flow {
	if d == Ingress {
		return tr.allowed.Ingress
	}
	return tr.allowed.Egress
}

// TestEveryUndeclaredConnectionIsReported enumerates what could connect and asserts that whatever some place of a
// policy permits is declared, or is told by a widening of that place. So no widenings means no undeclared way.
func TestEveryUndeclaredConnectionIsReported(t *testing.T) {
	silent, told := 0, 0
	for seed := range uint64(trials(t)) / 4 {
		tr := newTrial(newDice(seed))
		if len(tr.found) == 0 {
			silent++
		}
		for _, p := range tr.world.Policies {
			if p.Namespace == tr.target.Namespace && couldSelect(tr.target, p) {
				told += tr.checkPolicy(t, seed, p)
			}
		}
		if t.Failed() {
			return
		}
	}
	if silent == 0 || told == 0 {
		t.Errorf("%d worlds without widenings and %d undeclared connections; the test sees one side only", silent, told)
	}
}

func trials(*testing.T) int {
	if testing.Short() {
		return 60
	}
	return 400
}

// couldSelect enumerates the labels of pods.
func couldSelect(target Pods, p networkingv1.NetworkPolicy) bool {
	for _, e := range everyPeer(nil, nil) {
		if e.namespace != "" && naiveIsTarget(target, e.pod) && naiveSelects(&p.Spec.PodSelector, e.pod) {
			return true
		}
	}
	return false
}

func (tr trial) checkPolicy(t *testing.T, seed uint64, p networkingv1.NetworkPolicy) int {
	told := 0
	for _, d := range []Direction{Ingress, Egress} {
		for i, r := range naiveRules(p.Spec, d) {
			paths, peers := []string{fmt.Sprintf("spec.%s[%d]", strings.ToLower(string(d)), i)}, []*networkingv1.NetworkPolicyPeer{nil}
			if len(r.peers) > 0 {
				paths, peers = nil, nil
			}
			for j := range r.peers {
				list := map[Direction]string{Ingress: "from", Egress: "to"}[d]
				paths = append(paths, fmt.Sprintf("spec.%s[%d].%s[%d]", strings.ToLower(string(d)), i, list, j))
				peers = append(peers, &r.peers[j])
			}
			for j, peer := range peers {
				told += tr.checkPlace(t, seed, p, spot{d, paths[j], peer, r.ports})
			}
		}
	}
	return told
}

type spot struct {
	direction Direction
	path      string
	peer      *networkingv1.NetworkPolicyPeer // nil: anyone
	ports     []networkingv1.NetworkPolicyPort
}

func (tr trial) checkPlace(t *testing.T, seed uint64, p networkingv1.NetworkPolicy, s spot) int {
	told := 0
	var reported []Flow
	for _, w := range tr.found {
		if w.Policy == p.Name && w.Path == s.path && w.Direction == s.direction {
			reported = append(reported, Flow{w.Peer, w.Ports})
		}
	}
	for _, names := range [][]corev1.ContainerPort{namedOnce, namedOther, {}} {
		if s.direction == Egress {
			names = namedOther
		}
		for _, peer := range everyPeer(tr.world.Namespaces, names) {
			if s.peer != nil && !naiveIsPeer(*s.peer, p.Namespace, peer, plugin{}) {
				continue
			}
			for _, k := range everyKnock(s.direction, peer, names) {
				if !naiveIsPort(s.ports, k) || naiveDeclared(tr.flows(s.direction), k) {
					continue
				}
				told++
				if !naiveDeclared(reported, k) {
					t.Errorf("seed %d: %s %s permits %v on %s %d, not declared, not reported", seed, p.Name, s.path, peer, k.protocol, k.port)
					return told
				}
			}
		}
	}
	return told
}

func everyKnock(d Direction, peer end, names []corev1.ContainerPort) []knock {
	listener := end{ports: names}
	if d == Egress {
		listener = peer
	}
	knocks := []knock{{peer, listener, OtherProtocols, 0}}
	for _, protocol := range protocols {
		for _, port := range append([]int32{2, 444}, portNumbers...) {
			knocks = append(knocks, knock{peer, listener, protocol, port})
		}
	}
	return knocks
}

// TestEveryWideningIsReal asserts that the example of a widening is a connection which that policy permits to a pod of
// the target, and which nobody declared; and that there is always an example in small worlds.
func TestEveryWideningIsReal(t *testing.T) {
	examples := 0
	for seed := range uint64(10 * trials(t)) {
		tr := newTrial(newDice(seed))
		for _, w := range tr.found {
			examples++
			tr.checkExample(t, seed, w)
		}
		if t.Failed() {
			return
		}
	}
	if examples == 0 {
		t.Error("no widening was seen")
	}
}

func (tr trial) checkExample(t *testing.T, seed uint64, w Widening) {
	if w.Example == nil {
		t.Errorf("seed %d: %s %s has no example: %s", seed, w.Policy, w.Path, w.Opens)
		return
	}
	e := *w.Example
	if e.Port == 0 && e.Protocol != OtherProtocols {
		t.Errorf("seed %d: %s %s: example without a port: %v", seed, w.Policy, w.Path, e)
	}
	selected := end{namespace: tr.target.Namespace, pod: e.Selected}
	peer := end{namespace: e.Namespace[corev1.LabelMetadataName], namespaceLabels: e.Namespace, pod: e.Pod, address: e.Address}
	k := knock{peer: peer, listener: selected, protocol: e.Protocol, port: e.Port}
	how := plugin{unlistedApply: true}
	if e.PortName != "" {
		named := []corev1.ContainerPort{{Name: e.PortName, Protocol: e.Protocol, ContainerPort: e.Port}}
		k.listener.ports, k.peer.ports = named, named
		if e.Address.IsValid() { // only a pod has named ports
			how.blocksMatchPods = true
		}
	}
	if w.Direction == Egress {
		k.listener = k.peer
	}
	if !naiveIsTarget(tr.target, e.Selected) {
		t.Errorf("seed %d: %v is no pod of the target", seed, e.Selected)
	}
	for _, p := range tr.world.Policies {
		if p.Name == w.Policy && !(naiveSelects(&p.Spec.PodSelector, e.Selected) && naiveOpen([]networkingv1.NetworkPolicy{p}, w.Direction, selected, k, how)) {
			t.Errorf("seed %d: %s %s does not permit its example %+v", seed, w.Policy, w.Path, e)
		}
	}
	if naiveDeclared(tr.flows(w.Direction), k) {
		t.Errorf("seed %d: %s %s: example %+v is declared", seed, w.Policy, w.Path, e)
	}
	if !naiveDeclared([]Flow{{w.Peer, w.Ports}}, k) {
		t.Errorf("seed %d: %s %s: example %+v is not what it opens: %s", seed, w.Policy, w.Path, e, w.Opens)
	}
}

// TestDeclaringTheWideningsLeavesNone: a widening's peer and ports are exactly the flow that is missing.
func TestDeclaringTheWideningsLeavesNone(t *testing.T) {
	for seed := range uint64(10 * trials(t)) {
		tr := newTrial(newDice(seed))
		more := tr.allowed
		for _, w := range tr.found {
			if w.Direction == Ingress {
				more.Ingress = append(more.Ingress, Flow{w.Peer, w.Ports})
			} else {
				more.Egress = append(more.Egress, Flow{w.Peer, w.Ports})
			}
		}
		if got := tr.world.Widenings(tr.target, more); len(got) > 0 {
			t.Fatalf("seed %d: %s %s is declared and still reported: %s", seed, got[0].Policy, got[0].Path, got[0].Opens)
		}
	}
}

// TestIsolatedAgreesWithEnumeration asks every pod that the target could have.
func TestIsolatedAgreesWithEnumeration(t *testing.T) {
	closed, escaped := 0, 0
	pods := everyPodLabels()
	for seed := range uint64(10 * trials(t)) {
		d := newDice(seed)
		target := Pods{Namespace: "ehr", Selector: *d.selector(podKeys...)}
		target.Except = times(d, 2, func() metav1.LabelSelector { return *d.selector(podKeys...) })
		var w World
		for i := range 4 {
			w.Policies = append(w.Policies, d.policy("ehr", fmt.Sprint("p", i)))
		}
		ingress, egress := w.Isolated(target)
		for direction, got := range map[Direction]Isolation{Ingress: ingress, Egress: egress} {
			want := true
			for _, pod := range pods {
				want = want && (!naiveIsTarget(target, pod) || naiveIsolated(w.Policies, direction, pod))
			}
			if got.Isolated != want {
				t.Fatalf("seed %d: %s isolated = %v, want %v", seed, direction, got.Isolated, want)
			}
			if want {
				closed++
				continue
			}
			escaped++
			if !naiveIsTarget(target, got.Escapes) || naiveIsolated(w.Policies, direction, got.Escapes) {
				t.Fatalf("seed %d: %s: %v does not escape", seed, direction, got.Escapes)
			}
		}
	}
	if closed == 0 || escaped == 0 {
		t.Errorf("%d isolated, %d not; the test sees one side only", closed, escaped)
	}
}

func naiveIsolated(policies []networkingv1.NetworkPolicy, d Direction, pod labels.Set) bool {
	for _, p := range policies {
		if naiveAffects(p.Spec, d) && naiveSelects(&p.Spec.PodSelector, pod) {
			return true
		}
	}
	return false
}

// TestSelectedByAgreesWithEnumeration: a policy that opens everything widens a target exactly if some pod is selected by
// the policy and by the target's selector, and excepted by nobody. The labels of every pod that selectors over these keys
// and values can tell apart are tried one by one.
func TestSelectedByAgreesWithEnumeration(t *testing.T) {
	pods := everyPodLabels()
	missed, hit := 0, 0
	for seed := range uint64(25 * trials(t)) {
		d := newDice(seed)
		target := Pods{Namespace: "ehr", Selector: *d.selector(podKeys...)}
		for range d.IntN(7) {
			target.Except = append(target.Except, *d.selector(podKeys...))
		}
		p := networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "open"}}
		p.Spec.PodSelector, p.Spec.Ingress = *d.selector(podKeys...), []networkingv1.NetworkPolicyIngressRule{{}}
		want := slices.ContainsFunc(pods, func(pod labels.Set) bool {
			return naiveIsTarget(target, pod) && naiveSelects(&p.Spec.PodSelector, pod)
		})
		got := World{Policies: []networkingv1.NetworkPolicy{p}}.Widenings(target, Allowed{})
		if (len(got) > 0) != want {
			t.Fatalf("seed %d: %d widenings of %+v by a policy for %+v; is there such a pod: %v", seed, len(got), target, p.Spec.PodSelector, want)
		}
		if !want {
			missed++
			continue
		}
		hit++
		if e := got[0].Example; e == nil || got[0].Presumed || !naiveIsTarget(target, e.Selected) || !naiveSelects(&p.Spec.PodSelector, e.Selected) {
			t.Fatalf("seed %d: %+v is no pod of %+v that a policy for %+v selects", seed, got[0], target, p.Spec.PodSelector)
		}
	}
	if missed == 0 || hit == 0 {
		t.Errorf("%d policies that select nobody, %d that do; the test sees one side only", missed, hit)
	}
}

// TestLivePodsCountAsTheyAre: a pod that the policy selects while its target's selector does not is still judged.
func TestLivePodsCountAsTheyAre(t *testing.T) {
	p := policy(t, `{podSelector: {matchLabels: {app: lost}}, ingress: [{from: [{podSelector: {}}], ports: [{port: 22}]}]}`)
	w := World{Policies: []networkingv1.NetworkPolicy{p}}
	target := database(t)
	if got := w.Widenings(target, Allowed{}); len(got) != 0 {
		t.Fatalf("widenings without live pods = %v", foundIn(got))
	}
	target.Live = []corev1.Pod{{ObjectMeta: metav1.ObjectMeta{Labels: labels.Set{"app": "lost"}}}}
	if got := w.Widenings(target, Allowed{}); len(got) != 1 || got[0].SelectsNow != 1 {
		t.Errorf("widenings with a live pod = %v, want one that selects it", foundIn(got))
	}
}
