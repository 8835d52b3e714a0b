package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestNodesOfPodsAreSupported(t *testing.T) {
	kubelet := func(v string) func(*corev1.NodeSystemInfo) {
		return func(i *corev1.NodeSystemInfo) { i.KubeletVersion = v }
	}
	os := func(v string) func(*corev1.NodeSystemInfo) {
		return func(i *corev1.NodeSystemInfo) { i.OSImage = v }
	}
	runtime := func(v string) func(*corev1.NodeSystemInfo) {
		return func(i *corev1.NodeSystemInfo) { i.ContainerRuntimeVersion = v }
	}
	const node = "Node/node-1 status.nodeInfo."
	day := date(2026, time.November, 22)
	for name, tc := range map[string]struct {
		runs   func(*corev1.NodeSystemInfo)
		now    time.Time
		stated string
		age    time.Duration
		// of the findings the one that is about what was changed.
		which int
		want  string
	}{
		"a kubelet of a supported release": {runs: kubelet("v1.36.4"), want: "Pass: " + node + "kubeletVersion is v1.36.4, supported until 2027-06-28 as of 2026-09-15"},
		"a kubelet of a cloud":             {runs: kubelet("v1.35.2-gke.1269001"), want: "Pass: " + node + "kubeletVersion is v1.35.2-gke.1269001, supported until 2027-02-28 as of 2026-09-15"},
		"a kubelet on the last day":        {runs: kubelet("v1.35.2"), now: date(2027, time.February, 28).Add(-time.Second), want: "Pass: " + node + "kubeletVersion is v1.35.2, supported until 2027-02-28 as of 2026-09-15"},
		"a kubelet after the last day":     {runs: kubelet("v1.35.2"), now: date(2027, time.February, 28), want: node + "kubeletVersion is v1.35.2, whose support ended on 2027-02-28 (live)"},
		"a kubelet of 1.3 is not of 1.36":  {runs: kubelet("v1.3.1"), want: "Unknown: " + node + "kubeletVersion is v1.3.1, which the operator's table of supported versions does not know (live)"},
		"a kubelet newer than the table":   {runs: kubelet("v1.38.0"), want: "Unknown: " + node + "kubeletVersion is v1.38.0, which the operator's table of supported versions does not know (live)"},
		"no answer":                        {runs: kubelet(""), want: "Unknown: " + node + "kubeletVersion is not reported (live)"},
		"Amazon Linux 2 is not 2023":       {runs: os("Amazon Linux 2"), which: 1, want: node + "osImage is Amazon Linux 2, whose support ended on 2026-06-30 (live)"},
		"Amazon Linux 2023":                {runs: os("Amazon Linux 2023.9.20260914"), which: 1, want: "Pass: " + node + "osImage is Amazon Linux 2023.9.20260914, supported until 2029-06-30 as of 2026-08-13"},
		"Debian by its number":             {runs: os("Debian GNU/Linux 12 (bookworm)"), which: 1, want: "Pass: " + node + "osImage is Debian GNU/Linux 12 (bookworm), supported until 2028-06-30 as of 2026-08-13"},
		"a runtime that has ended":         {runs: runtime("containerd://2.2.1"), which: 2, want: node + "containerRuntimeVersion is containerd://2.2.1, whose support ended on 2026-11-06 (live)"},
		"a runtime that the table lacks":   {runs: runtime("cri-o://1.36.0"), which: 2, want: "Unknown: " + node + "containerRuntimeVersion is cri-o://1.36.0, which the operator's table of supported versions does not know (live)"},
		"what is stated though it has ended": {
			runs: kubelet("v1.31.14-eks-113cf36"), stated: "v1.31",
			want: "Pass: " + node + "kubeletVersion is v1.31.14-eks-113cf36, which is stated to be supported until 2027-01-01 [Attested]",
		},
		"a statement about another version": {runs: kubelet("v1.31.14"), stated: "v1.3", want: node + "kubeletVersion is v1.31.14, whose support ended on 2025-11-11 (live)"},
		"a table that is too old shows nothing": {
			runs: kubelet("v1.36.4"), now: date(2027, time.March, 1), age: 90 * 24 * time.Hour,
			want: "Unknown: " + node + "kubeletVersion is v1.36.4, and the operator's table that knows it is of 2026-09-15: older than the profile allows (live)",
		},
		"but an end remains one": {
			runs: kubelet("v1.34.1"), now: date(2027, time.March, 1), age: 90 * 24 * time.Hour,
			want: node + "kubeletVersion is v1.34.1, whose support ended on 2026-10-27 (live)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Now, s.Profile.Platform.TableAge = day, tc.age
			if !tc.now.IsZero() {
				s.Now = tc.now
			}
			if tc.stated != "" {
				s.Profile.Platform.Supported = map[string]hipaav1.SupportStatement{tc.stated: {
					Version: tc.stated, Statement: hipaav1.Statement{Expires: metav1.NewTime(date(2027, time.January, 1))},
				}}
			}
			pod := phitest.Pod("app").Obj()
			pod.Spec.NodeName = phitest.NodeName
			s.World.Pods = []*corev1.Pod{pod, pod}
			s.World.Nodes = map[string]*corev1.Node{phitest.NodeName: phitest.Node(phitest.NodeName).Runs(tc.runs).Obj()}
			got := sentences(controlOf("patching").Check(s))
			if len(got) != 3 {
				t.Fatalf("findings: %q", got)
			}
			if diff := cmp.Diff(tc.want, got[tc.which]); diff != "" {
				t.Errorf("finding (-want +got):\n%s", diff)
			}
		})
	}
}

func TestEachVersionIsToldOnce(t *testing.T) {
	s := cabinet{}.subject()
	s.Now = phitest.Epoch
	s.World.Nodes = map[string]*corev1.Node{}
	for _, name := range []string{"a", "b", "c", "gone", ""} {
		pod := phitest.Pod("on-" + name).Obj()
		pod.Spec.NodeName = name
		s.World.Pods = append(s.World.Pods, pod)
		if name != "gone" && name != "" {
			s.World.Nodes[name] = phitest.Node(name).Obj()
		}
	}
	s.World.Nodes["b"].Status.NodeInfo.KubeletVersion = "v1.30.1"
	want := []string{
		"Unknown: Node/gone is not there any more, and a pod of the workload names it (live)",
		"Pass: Node/a (+1 more) status.nodeInfo.kubeletVersion is v1.36.4, supported until 2027-06-28 as of 2026-09-15",
		"Node/b status.nodeInfo.kubeletVersion is v1.30.1, whose support ended on 2025-07-15 (live)",
		"Pass: Node/a (+2 more) status.nodeInfo.osImage is Ubuntu 24.04.4 LTS, supported until 2029-05-31 as of 2026-08-13",
		"Pass: Node/a (+2 more) status.nodeInfo.containerRuntimeVersion is containerd://2.3.1, supported until 2028-04-27 as of 2026-05-04",
	}
	findings := controlOf("patching").Check(s)
	if diff := cmp.Diff(want, sentences(findings)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	if got, want := findings[1].Until, date(2027, time.June, 28); !got.Equal(want) {
		t.Errorf("a Pass ends by itself at %s, want %s", got, want)
	}
	s.World.Pods = nil
	if diff := cmp.Diff([]string{"Unknown: no pod of the workload has a node yet (live)"}, sentences(controlOf("patching").Check(s))); diff != "" {
		t.Errorf("without pods (-want +got):\n%s", diff)
	}
}

// A line that begins as another does would hide it.
func TestVersionsAreOfOneLine(t *testing.T) {
	for _, table := range []supportTable{kubernetesVersions, containerdVersions, osVersions} {
		for i, line := range table.lines {
			for j, other := range table.lines {
				if i != j && beginsWith(line.begins, other.begins) {
					t.Errorf("%q is of the line %q as well", line.begins, other.begins)
				}
			}
			if _, found, known := supportLineOf(line.begins + ".1"); !known || found != line {
				t.Errorf("%q is taken for one of %q", line.begins, found.begins)
			}
		}
	}
}
