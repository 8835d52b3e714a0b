package backstop

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func TestWorkloadsClaimPodsAsTheirSelectorsSay(t *testing.T) {
	server := newAPIServer(t, nil)
	requirement := func(key string, operator metav1.LabelSelectorOperator, values ...string) *metav1.LabelSelector {
		return &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: key, Operator: operator, Values: values}}}
	}
	selectors := map[string]*metav1.LabelSelector{
		"one label":              {MatchLabels: map[string]string{"app": "api"}},
		"two labels":             {MatchLabels: map[string]string{"app": "api", "tier": "front"}},
		"an empty value":         {MatchLabels: map[string]string{"app": ""}},
		"a label that is absent": {MatchLabels: map[string]string{"missing": ""}},
		"one of some values":     requirement("app", metav1.LabelSelectorOpIn, "web", "api"),
		"none of some values":    requirement("app", metav1.LabelSelectorOpNotIn, "web", "api"),
		"a key":                  requirement("tier", metav1.LabelSelectorOpExists),
		"no key":                 requirement("tier", metav1.LabelSelectorOpDoesNotExist),
	}
	for name, selector := range selectors {
		for _, labels := range []map[string]string{nil, {"app": "api"}, {"app": ""}, {"app": "api", "tier": "front"}, {"app": "db", "tier": ""}, {"other": "api"}} {
			pod := created(phitest.Pod("p").Obj())
			pod.Labels = labels
			w := &hipaav1.PHIWorkload{ObjectMeta: metav1.ObjectMeta{Name: "w"}, Spec: hipaav1.PHIWorkloadSpec{Selector: *selector}}
			p := &hipaav1.BackstopSpec{UndeclaredPods: &hipaav1.BackstopInstant{}, Workloads: []hipaav1.BackstopWorkload{
				{Name: "other", Labels: []string{"no=pod"}}, Workload(w, nil),
			}}
			if claimed := server.create(pod, p) == ""; claimed != subject.Selects(w, labels) {
				t.Errorf("%s: %v is claimed: %t, want %t", name, labels, claimed, !claimed)
			}
		}
	}
}

func TestInstantsDecideFromWhenSomethingIsRefused(t *testing.T) {
	controls := stated()
	server := newAPIServer(t, controls)
	at := func(d time.Duration) *hipaav1.BackstopInstant {
		instant := From(phitest.Epoch.Add(d))
		return &instant
	}
	for name, c := range map[string]struct {
		give *hipaav1.BackstopInstant
		want bool
	}{
		"always":              {&hipaav1.BackstopInstant{}, true},
		"never":               {nil, false},
		"from this second on": {at(0), true},
		"since a while":       {at(-time.Hour), true},
		"from the next on":    {at(time.Second), false},
	} {
		s := controltest.Baseline(control.Pods)
		controltest.Protect(catalog.All(), &s)
		created(s.Pod).Spec.HostIPC = true
		p := inForce(controls, s)
		p.UndeclaredPods = c.give
		hold(p, "pod-hardening", c.give)
		if refused := server.create(s.Pod, p) != ""; refused != c.want {
			t.Errorf("%s: a violation is refused: %t, want %t", name, refused, c.want)
		}
		stray := created(phitest.Pod("stray").Label("app", "nobody").Obj())
		if refused := server.create(stray, p) != ""; refused != c.want {
			t.Errorf("%s: an undeclared pod is refused: %t, want %t", name, refused, c.want)
		}
	}
}

// hold says from when a control refuses for the first workload; nil is never.
func hold(p *hipaav1.BackstopSpec, id string, from *hipaav1.BackstopInstant) {
	held := p.Workloads[0].Controls
	if from == nil {
		delete(held, id)
		return
	}
	one := held[id]
	one.BackstopInstant = *from
	held[id] = one
}

func TestAStatementAboutDisksEndsByItself(t *testing.T) {
	controls := stated()
	server := newAPIServer(t, controls)
	for name, c := range map[string]struct {
		left time.Duration
		want bool
	}{"in force": {time.Second, false}, "at its end": {0, true}} {
		s := controltest.Baseline(control.Pods)
		s.Profile.Storage.NodeDisks = &hipaav1.Statement{Expires: metav1.NewTime(phitest.Epoch.Add(c.left))}
		controltest.Protect(catalog.All(), &s)
		created(s.Pod).Spec.Volumes = append(s.Pod.Spec.Volumes, corev1.Volume{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}})
		if refused := strings.Contains(server.create(s.Pod, inForce(controls, s)), "ephemeral-storage ("); refused != c.want {
			t.Errorf("%s: refused: %t, want %t", name, refused, c.want)
		}
	}
}

func TestOnlyNewEphemeralContainersAreJudgedLater(t *testing.T) {
	controls := stated()
	server := newAPIServer(t, controls)
	s := controltest.Baseline(control.Pods)
	old := created(phitest.Pod("old").Of(s.Workload).Unhardened().Debugged("before").Obj())
	if refusal := server.debug(old, old, inForce(controls, s)); refusal != "" {
		t.Errorf("what stood before is refused: %s", refusal)
	}
	updated := old.DeepCopy()
	updated.Spec.EphemeralContainers = append(updated.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "tools"}})
	want := []string{"pod-hardening", "privileged-access"}
	p := inForce(controls, s)
	if got := named(controls, server.debug(updated, old, p)); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("of a new one %q are told, want %q", got, want)
	}
	for _, id := range want {
		later := From(phitest.Epoch.Add(time.Hour))
		hold(p, id, &later)
	}
	for name, c := range map[string]struct {
		after time.Duration
		want  bool
	}{"before an exception ends": {time.Minute, true}, "after it": {2 * time.Hour, false}} {
		updated.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubectl", Time: &metav1.Time{Time: phitest.Epoch.Add(c.after)}}, {Manager: "untimed"}}
		if admitted := server.debug(updated, old, p) == ""; admitted != c.want {
			t.Errorf("%s an ephemeral container of a pod from before is admitted: %t, want %t", name, admitted, c.want)
		}
	}
}

// The API server ends an expression that costs too much, and refuses then. A Backstop
// holds as many workloads as a namespace may have here, and etcd takes it.
func TestALargeNamespaceIsWithinTheLimitsOfTheAPIServer(t *testing.T) {
	controls := stated()
	server := newAPIServer(t, controls)
	s := controltest.Baseline(control.Pods)
	controltest.Protect(catalog.All(), &s)
	p := inForce(controls, s)
	mine := p.Workloads[0]
	p.Workloads = nil
	for i := range 999 {
		w := mine
		w.Name = fmt.Sprintf("a-workload-with-a-rather-long-name-%04d", i)
		w.Labels = []string{"app.kubernetes.io/component=server", "app.kubernetes.io/name=" + w.Name}
		p.Workloads = append(p.Workloads, w)
	}
	p.Workloads = append(p.Workloads, mine)
	for i := range 30 {
		c := *s.Pod.Spec.Containers[0].DeepCopy()
		c.Name = fmt.Sprintf("container-%d", i)
		s.Pod.Spec.Containers = append(s.Pod.Spec.Containers, c)
	}
	if refusal := server.create(created(s.Pod), p); refusal != "" {
		t.Errorf("refused: %s", refusal)
	}
	text, err := json.Marshal(Parameters("ehr", p))
	if err != nil {
		t.Fatal(err)
	}
	if limit := 3 << 19; len(text) > limit*3/4 {
		t.Errorf("the parameters take %d bytes of the %d that etcd takes", len(text), limit)
	}
}

// BenchmarkPolicy is what the API server spends on a pod that lacks nothing, in a
// namespace of one workload and of ten.
func BenchmarkPolicy(b *testing.B) {
	controls := stated()
	server := newAPIServer(b, controls)
	s := controltest.Baseline(control.Pods)
	controltest.Protect(catalog.All(), &s)
	created(s.Pod)
	for _, workloads := range []int{1, 10} {
		p := inForce(controls, s)
		for len(p.Workloads) < workloads {
			other := *p.Workloads[0].DeepCopy()
			other.Name = fmt.Sprintf("other-%d", len(p.Workloads))
			other.Labels = []string{"app=" + other.Name}
			p.Workloads = append(p.Workloads, other)
		}
		parameters, attributes := server.stored(p), creation(s.Pod)
		b.Run(fmt.Sprintf("workloads=%d", workloads), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if result := server.matcher.Match(b.Context(), versioned(attributes), parameters, nil); result.Error != nil || result.Matches {
					b.Fatalf("refused: %v", result.Error)
				}
			}
		})
	}
}

func TestServicesAreJudgedUnderTheWorkloadsThatTheyLeadTo(t *testing.T) {
	controls := stated()
	server := newAPIServerFor(t, control.Services, controls)
	holding := map[string]hipaav1.BackstopControl{"no-public-exposure": {}}
	workload := func(name string, controls map[string]hipaav1.BackstopControl) hipaav1.BackstopWorkload {
		return hipaav1.BackstopWorkload{Name: name, Labels: []string{"app=" + name, "tier=front"}, Controls: controls}
	}
	for name, c := range map[string]struct {
		selector  map[string]string
		namespace map[string]hipaav1.BackstopControl
		want      bool
	}{
		"all labels of one under the control":       {map[string]string{"app": "held", "tier": "front"}, nil, true},
		"more labels than its selector":             {map[string]string{"app": "held", "tier": "front", "version": "2"}, nil, true},
		"fewer labels, by which its pods match too": {map[string]string{"app": "held"}, nil, true},
		"labels that both have":                     {map[string]string{"tier": "front"}, nil, true},
		"one that is excused":                       {map[string]string{"app": "excused"}, holding, false},
		"no workload, where the namespace asks":     {map[string]string{"app": "nobodys"}, holding, true},
		"no workload, where the namespace does not": {map[string]string{"app": "nobodys"}, nil, false},
	} {
		service := phitest.Service("s").Port("http", 80, intstr.FromInt32(8080)).Obj()
		service.CreationTimestamp, service.Spec.Type, service.Spec.Selector = metav1.NewTime(phitest.Epoch), corev1.ServiceTypeNodePort, c.selector
		p := &hipaav1.BackstopSpec{Controls: c.namespace, Workloads: []hipaav1.BackstopWorkload{workload("held", holding), workload("excused", nil)}}
		if refused := server.write(service, nil, p) != ""; refused != c.want {
			t.Errorf("%s: refused: %t, want %t", name, refused, c.want)
		}
	}
}

func TestAnUpdateIsRefusedForWhatItBrings(t *testing.T) {
	controls := stated()
	server := newAPIServerFor(t, control.Roles, controls)
	p := &hipaav1.BackstopSpec{Controls: map[string]hipaav1.BackstopControl{"least-privilege-rbac": {BackstopInstant: From(phitest.Epoch.Add(time.Hour))}}}
	old := phitest.Role("r").Allows("", "pods", "*").Obj()
	old.CreationTimestamp = metav1.NewTime(phitest.Epoch)
	written := func(role *rbacv1.Role, after time.Duration) *rbacv1.Role {
		role = role.DeepCopy()
		role.ManagedFields = []metav1.ManagedFieldsEntry{{Time: &metav1.Time{Time: phitest.Epoch.Add(after)}}}
		return role
	}
	labelled := old.DeepCopy()
	labelled.Labels = map[string]string{"more": "of-it"}
	wider := phitest.Role("r").Allows("", "pods", "*").Allows("", "secrets", "get").Obj()
	wider.CreationTimestamp = old.CreationTimestamp
	empty := old.DeepCopy()
	empty.Rules = nil
	for name, c := range map[string]struct {
		give *rbacv1.Role
		want bool
	}{
		"labels of a Role that went too far before": {written(labelled, 2*time.Hour), false},
		"more rules": {written(wider, 2*time.Hour), true},
		"more rules while an exception still covers it": {written(wider, time.Minute), false},
		"no rules any more":                             {written(empty, 2*time.Hour), false},
	} {
		if refused := server.write(c.give, old, p) != ""; refused != c.want {
			t.Errorf("%s: refused: %t, want %t", name, refused, c.want)
		}
	}
}
