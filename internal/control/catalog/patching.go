package catalog

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "patching",
	Title:    "Run PHI on nodes whose software is still supported",
	Cites:    []hipaa.Citation{hipaa.RiskManagement, hipaa.MaliciousSoftware},
	Severity: control.High,
	Since:    1,
	Why: "Holes in a kubelet, a container runtime or a kernel lead out of every container of the node. They are published, and for versions that " +
		"nobody supports any more no update closes them.",
	Remedy: "update the node, or replace it by one with a version that is supported",
	Decides: "Only live: what the nodes of the workload's pods report of their kubelet, OS image and container runtime, against a table of the " +
		"operator: Kubernetes 1.30 to 1.37 (as of " + kubernetesVersions.day() + "), containerd 1.6 to 2.3 (as of " + containerdVersions.day() +
		"), Ubuntu, Debian and Amazon Linux (as of " + osVersions.day() + "). What has ended fails. What the table does not know, such as Bottlerocket, " +
		"Container-Optimized OS, Flatcar, Talos, CRI-O and whatever is newer than the table, is Unknown unless the profile states it, and so is all " +
		"that is not at its end once the table is older than the profile allows: then update the operator. Upstream support counts; that of a " +
		"distributor beyond it is for the profile to state. Which updates of a supported version a node has got is not judged.",
	Parameters: []control.Parameter{{
		Path: "platform.tableMaxAgeDays", Basis: control.BasisProfile,
		Meaning: "How old the operator's table may be for it to show that a version is supported, in days; 365 where no profile says it. The rule asks " +
			"to reduce risks to a reasonable level and names neither versions nor times.",
	}, {
		Path: "platform.supported", Basis: control.BasisProfile,
		Meaning: "Versions of which a person states, until a day, that somebody supplies them with security updates, such as a cloud's extended " +
			"support. It counts also where upstream support has ended; the verdict is Attested.",
	}},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: ComplianceProfile
metadata: {name: extended-support}
spec:
  namespaceSelector: {matchLabels: {hipaa-operator.io/phi: "true"}}
  rulesetVersion: "2026.1"
  platform:
    tableMaxAgeDays: 180
    supported:
    - version: v1.33
      statedBy: Dana Reyes
      reason: extended support of the cloud, in our contract
      expires: "2027-07-29T00:00:00Z"
    - version: Bottlerocket OS 1.50
      statedBy: Dana Reyes
      reason: the variant of our node groups, listed as supported by its vendor
      expires: "2027-07-29T00:00:00Z"
`,
	Judges:    control.Workloads,
	NeedsLive: control.Nodes,
	Check: func(s control.Subject) []control.Finding {
		if s.Kind() != control.Workloads {
			return nil
		}
		return patched(&s)
	},
	Breaks: control.Breaks{
		"a kubelet that nobody supports any more":           nodesRun(func(i *corev1.NodeSystemInfo) { i.KubeletVersion = "v1.30.14-eks-113cf36" }),
		"an operating system that nobody supports any more": nodesRun(func(i *corev1.NodeSystemInfo) { i.OSImage = "Ubuntu 20.04.6 LTS" }),
		"a container runtime that nobody supports any more": nodesRun(func(i *corev1.NodeSystemInfo) { i.ContainerRuntimeVersion = "containerd://1.6.39" }),
		"an operating system that the table does not know":  nodesRun(func(i *corev1.NodeSystemInfo) { i.OSImage = "Homegrown Linux 7" }),
		"a node that reports no version of its kubelet":     nodesRun(func(i *corev1.NodeSystemInfo) { i.KubeletVersion = "" }),
	},
})

// nodesRun changes what every node reports.
func nodesRun(change func(*corev1.NodeSystemInfo)) control.Break {
	return control.Break{Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
		for _, node := range s.World.Nodes {
			change(&node.Status.NodeInfo)
		}
	}}
}

// patched judges what the nodes of the workload's pods report: each different answer
// once, with the first node that gives it.
func patched(s *control.Subject) []control.Finding {
	nodes, unknown := nodesOf(s)
	var findings []control.Finding
	for _, name := range unknown {
		findings = append(findings, control.Undecided("Node/"+name, "is not there any more, and a pod of the workload names it").As(name).OnlyLive())
	}
	if len(nodes)+len(unknown) == 0 {
		return []control.Finding{control.Undecided("", "no pod of the workload has a node yet").OnlyLive()}
	}
	for _, part := range []struct {
		field string
		of    func(*corev1.NodeSystemInfo) string
	}{
		{"kubeletVersion", func(i *corev1.NodeSystemInfo) string { return i.KubeletVersion }},
		{"osImage", func(i *corev1.NodeSystemInfo) string { return i.OSImage }},
		{"containerRuntimeVersion", func(i *corev1.NodeSystemInfo) string { return i.ContainerRuntimeVersion }},
	} {
		running := map[string]int{}
		for _, node := range nodes {
			running[part.of(&node.Status.NodeInfo)]++
		}
		told := map[string]bool{}
		for _, node := range nodes {
			version := part.of(&node.Status.NodeInfo)
			if told[version] {
				continue
			}
			told[version] = true
			path := fmt.Sprintf("Node/%s%s status.nodeInfo.%s", node.Name, andOthers(running[version]-1), part.field)
			findings = append(findings, supported(s, path, version).As(part.field+" "+version))
		}
	}
	return findings
}

func andOthers(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(" (+%d more)", n)
}

// nodesOf are the nodes of the workload's pods, in the order of the pods, and the names
// of those that are gone.
func nodesOf(s *control.Subject) (nodes []*corev1.Node, unknown []string) {
	seen := map[string]bool{}
	for _, pod := range s.World.Pods {
		name := pod.Spec.NodeName
		if name == "" || seen[name] {
			continue
		}
		seen[name] = true
		if node := s.World.Nodes[name]; node != nil {
			nodes = append(nodes, node)
		} else {
			unknown = append(unknown, name)
		}
	}
	return nodes, unknown
}

// supported judges one version as of the instant of the question.
func supported(s *control.Subject, path, version string) control.Finding {
	if version == "" {
		return control.Undecided(path, "is not reported").OnlyLive()
	}
	if stated, is := statedVersion(s, version); is {
		return control.Met(path, "is %s, which is stated to be supported until %s", version, stated.Expires.UTC().Format(time.DateOnly)).
			Known(hipaav1.EvidenceAttested)
	}
	table, line, known := supportLineOf(version)
	stale := table.asOf.Add(s.Profile.Platform.OldestTable())
	switch {
	case !known:
		return control.Undecided(path, "is %s, which the operator's table of supported versions does not know", version).
			But("state under platform.supported of the profile how long it is supported, or use a version that the table knows").OnlyLive()
	case !s.Now.Before(line.end):
		return control.Failed(path, "is %s, whose support ended on %s", version, line.end.Format(time.DateOnly)).OnlyLive()
	case !s.Now.Before(stale):
		return control.Undecided(path, "is %s, and the operator's table that knows it is of %s: older than the profile allows", version, table.day()).
			But("update the operator, or state under platform.supported of the profile how long the version is supported").OnlyLive()
	}
	return control.Met(path, "is %s, supported until %s as of %s", version, line.end.Format(time.DateOnly), table.day()).
		EndsAt(earlier(line.end, stale))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// statedVersion is the longest statement that a version begins with.
func statedVersion(s *control.Subject, version string) (stated hipaav1.SupportStatement, is bool) {
	for begins, statement := range s.Profile.Platform.Supported {
		if beginsWith(version, begins) && len(begins) > len(stated.Version) {
			stated, is = statement, true
		}
	}
	return stated, is
}

// beginsWith reports whether a version is of a line: v1.3 is not that of v1.36.
func beginsWith(version, line string) bool {
	rest, begins := strings.CutPrefix(version, line)
	return begins && line != "" && (rest == "" || rest[0] < '0' || rest[0] > '9')
}
