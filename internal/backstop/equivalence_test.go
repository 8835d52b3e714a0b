package backstop

import (
	"go/build"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/control/controltest"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// inForce are the parameters under which every control with a backstop refuses for the
// subject's workload, and for what is no workload's.
func inForce(controls []control.Control, s control.Subject) *hipaav1.BackstopSpec {
	always := Instants{}
	for i := range controls {
		always[controls[i].ID] = time.Time{}
	}
	p := &hipaav1.BackstopSpec{UndeclaredPods: &hipaav1.BackstopInstant{}}
	if w := s.Workload; w != nil {
		p.Workloads = []hipaav1.BackstopWorkload{Workload(w, Holding(controls, s, always))}
	}
	s.Workload = nil
	p.Controls = Holding(controls, s, always)
	return p
}

// stated are the controls with a backstop.
func stated() []control.Control {
	return slices.DeleteFunc(catalog.All(), func(c control.Control) bool { return c.Backstop == nil })
}

// faulty are the controls that refuse a pod at admission, by their Check.
func faulty(controls []control.Control, s control.Subject) []string {
	var ids []string
	for i := range controls {
		if slices.ContainsFunc(controls[i].Check(s), func(f control.Finding) bool {
			return !f.Live && (f.Verdict == hipaav1.VerdictFail || f.Verdict == hipaav1.VerdictUnknown)
		}) {
			ids = append(ids, controls[i].ID)
		}
	}
	return ids
}

// named are the controls that a refusal of the policy names.
func named(controls []control.Control, refusal string) []string {
	var ids []string
	for i := range controls {
		if strings.Contains(refusal, controls[i].ID+" ("+controls[i].Cites[0].String()+"): ") {
			ids = append(ids, controls[i].ID)
		}
	}
	return ids
}

// created gives a pod what the API server gives it before it asks.
func created(pod *corev1.Pod) *corev1.Pod {
	pod.CreationTimestamp = metav1.NewTime(phitest.Epoch)
	for i := range pod.Spec.Volumes {
		if v := &pod.Spec.Volumes[i]; v.VolumeSource == (corev1.VolumeSource{}) {
			v.EmptyDir = &corev1.EmptyDirVolumeSource{}
		}
	}
	return pod
}

func TestTheBackstopFindsWhatTheChecksFind(t *testing.T) {
	controls, all := stated(), catalog.All()
	for _, kind := range Kinds() {
		server := newAPIServerFor(t, kind, controls)
		for _, build := range []func(control.Kinds) control.Subject{controltest.Baseline, controltest.Bare} {
			s := build(kind)
			controltest.Satisfy(all, &s)
			controltest.Protect(all, &s)
			if refusal := server.write(stored(&s), nil, inForce(controls, s)); refusal != "" {
				t.Errorf("a satisfied %s is refused: %s", kind, refusal)
			}
		}
		for i := range all {
			for _, name := range slices.Sorted(maps.Keys(all[i].Breaks)) {
				if violation := all[i].Breaks[name]; violation.Kind == kind {
					t.Run(all[i].ID+": "+name, func(t *testing.T) { judgedAlike(t, server, controls, violation) })
				}
			}
		}
	}
}

// judgedAlike holds that the API server refuses a violation for the same controls as
// their checks do, but for what they say they leave out.
func judgedAlike(t *testing.T, server *apiServer, controls []control.Control, violation control.Break) {
	t.Helper()
	s := controltest.Baseline(violation.Kind)
	controltest.Protect(catalog.All(), &s)
	lawful := stored(&s)
	violation.Apply(&s)
	object := stored(&s)
	want, refusal := faulty(controls, s), server.write(object, nil, inForce(controls, s))
	got := named(controls, refusal)
	for _, c := range controls {
		less := c.Backstop.Less != "" && !slices.Contains(got, c.ID)
		if slices.Contains(want, c.ID) != slices.Contains(got, c.ID) && !less {
			t.Errorf("the check of %s refuses: %t, and the backstop says: %q", c.ID, slices.Contains(want, c.ID), refusal)
		}
	}
	if violation.Kind == control.Pods {
		return // nobody asks about updates of pods
	}
	if again := server.write(object, lawful, inForce(controls, s)); again != refusal {
		t.Errorf("brought in by an update the backstop says %q of it, want %q", again, refusal)
	}
	if stood := server.write(object, object, inForce(controls, s)); stood != "" {
		t.Errorf("what stood before is refused: %s", stood)
	}
}

// stored is a copy of the subject's object with what the API server gives it before it
// asks.
func stored(s *control.Subject) client.Object {
	var object client.Object
	switch s.Kind() {
	case control.Pods:
		return created(s.Pod.DeepCopy())
	case control.Services:
		object = s.Service.DeepCopy()
	case control.Roles:
		object = s.Role.DeepCopy()
	case control.Secrets:
		object = &corev1.Secret{ObjectMeta: *s.Secret.DeepCopy(), Type: s.Secret.Type}
	default:
		object = s.Binding.DeepCopy()
	}
	object.SetCreationTimestamp(metav1.NewTime(phitest.Epoch))
	return object
}

func TestWhatAdmissionWouldHaveAddedIsAskedFor(t *testing.T) {
	controls := stated()
	server := newAPIServer(t, controls)
	s := controltest.Baseline(control.Pods)
	created(s.Pod)
	want := faulty(controls, s)
	if got := named(controls, server.create(s.Pod, inForce(controls, s))); !slices.Equal(want, got) || len(want) == 0 {
		t.Errorf("of a pod that admission has not seen the backstop names %q, want %q", got, want)
	}
}

// fixtures are the pods of Kubernetes' own tests of Pod Security restricted, by file,
// for the newest version that this release knows.
func fixtures(t *testing.T, answer string) map[string]*corev1.Pod {
	t.Helper()
	module, err := build.Import("k8s.io/pod-security-admission/test", ".", build.FindOnly)
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(module.Dir, "testdata", "restricted", newest(t, module.Dir), answer, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures that %s: %v", answer, err)
	}
	pods := map[string]*corev1.Pod{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pod := &corev1.Pod{}
		if err := yaml.Unmarshal(text, pod); err != nil {
			t.Fatal(err)
		}
		pods[filepath.Base(file)] = pod
	}
	return pods
}

func newest(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, "testdata", "restricted"))
	if err != nil {
		t.Fatal(err)
	}
	latest := psapi.MajorMinorVersion(1, 0)
	for _, entry := range entries {
		if version, err := psapi.ParseVersion(entry.Name()); err == nil && latest.Older(version) {
			latest = version
		}
	}
	return latest.String()
}

func TestKubernetesOwnFixturesAreJudgedAsPodSecurityDoes(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	level := psapi.LevelVersion{Level: psapi.LevelRestricted, Version: psapi.LatestVersion()}
	hardening := slices.DeleteFunc(stated(), func(c control.Control) bool { return c.ID != "pod-hardening" })
	server := newAPIServer(t, hardening)
	for answer, want := range map[string]bool{"pass": true, "fail": false} {
		for file, pod := range fixtures(t, answer) {
			t.Run(answer+"/"+file, func(t *testing.T) {
				created(pod)
				s := controltest.Baseline(control.Pods)
				pod.Labels, pod.Namespace = s.Pod.Labels, s.Namespace.Name
				s = s.Of(pod)
				if allowed := policy.AggregateCheckResults(evaluator.EvaluatePod(level, &pod.ObjectMeta, &pod.Spec)).Allowed; allowed != want {
					t.Fatalf("Pod Security itself allows it: %t", allowed)
				}
				if allowed := len(faulty(hardening, s)) == 0; allowed != want {
					t.Errorf("the check allows it: %t, want %t", allowed, want)
				}
				if refusal := server.create(pod, inForce(hardening, s)); refusal == "" != want {
					t.Errorf("the backstop says %q, want that it allows it: %t", refusal, want)
				}
			})
		}
	}
}

// Every seventh pair of fixtures: the containers of one in the pod of the other, and
// as ephemeral containers that are added to it.
func TestMixturesOfFixturesAreJudgedAlike(t *testing.T) {
	hardening := slices.DeleteFunc(stated(), func(c control.Control) bool { return c.ID != "pod-hardening" })
	server := newAPIServer(t, hardening)
	base := controltest.Baseline(control.Pods)
	parameters := inForce(hardening, base)
	var all []*corev1.Pod
	for _, answer := range []string{"pass", "fail"} {
		pods := fixtures(t, answer)
		for _, file := range slices.Sorted(maps.Keys(pods)) {
			pod := created(pods[file])
			pod.Labels, pod.Namespace = base.Pod.Labels, base.Namespace.Name
			all = append(all, pod)
		}
	}
	for i := 0; i < len(all)*len(all); i += 7 {
		from, into := all[i/len(all)], all[i%len(all)]
		mixed := into.DeepCopy()
		mixed.Spec.Containers, mixed.Spec.InitContainers = from.Spec.Containers, from.Spec.InitContainers
		s := base.Of(mixed)
		if want, refusal := len(faulty(hardening, s)) > 0, server.create(mixed, parameters); want != (refusal != "") {
			t.Errorf("containers of %s in pod %s: the check refuses: %t, the backstop says %q", from.Name, into.Name, want, refusal)
		}
		debugged := into.DeepCopy()
		for _, c := range from.Spec.Containers {
			debugged.Spec.EphemeralContainers = append(debugged.Spec.EphemeralContainers, corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "debug-" + c.Name, Image: c.Image, SecurityContext: c.SecurityContext, Ports: c.Ports, LivenessProbe: c.LivenessProbe, Lifecycle: c.Lifecycle,
			}})
		}
		if refusal := server.debug(debugged, into, parameters); refusal != "" && !worse(&hardening[0], base, into, debugged) {
			t.Errorf("containers of %s added to pod %s: the backstop refuses more than the check: %s", from.Name, into.Name, refusal)
		}
	}
}

// worse reports whether a control finds something in a pod that it did not find before.
func worse(c *control.Control, s control.Subject, before, after *corev1.Pod) bool {
	known := c.Check(s.Of(before))
	return slices.ContainsFunc(c.Check(s.Of(after)), func(f control.Finding) bool {
		return f.Verdict == hipaav1.VerdictFail && !slices.Contains(known, f)
	})
}
