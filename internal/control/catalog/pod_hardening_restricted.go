package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	podsecurity "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// restricted runs the checks of Pod Security as they are. They name containers
// and not fields, so that a pod which fails is taken apart and each part is asked
// about by itself: the part that fails is where the fault is.
var restricted = newPodSecurity()

type podSecurity struct {
	evaluator policy.Evaluator
	level     podsecurity.LevelVersion
}

func newPodSecurity() podSecurity {
	checks := policy.DefaultChecks()
	for i := range checks {
		for v := range checks[i].Versions {
			versioned := &checks[i].Versions[v]
			versioned.CheckPod = signed(checks[i].ID, versioned.CheckPod)
		}
	}
	evaluator, err := policy.NewEvaluator(checks, nil)
	if err != nil {
		panic(fmt.Sprintf("catalog: the checks of Pod Security contradict each other: %v", err))
	}
	level := podsecurity.LevelVersion{Level: podsecurity.LevelRestricted, Version: podsecurity.LatestVersion()}
	return podSecurity{evaluator: evaluator, level: level}
}

// signed makes a check say its ID as the reason, because the evaluator does not
// tell which check a result comes from.
func signed(id policy.CheckID, check policy.CheckPodFn) policy.CheckPodFn {
	return func(meta *podMeta, spec *corev1.PodSpec) policy.CheckResult {
		result := check(meta, spec)
		if !result.Allowed {
			result.ForbiddenReason = string(id)
		}
		return result
	}
}

// violated maps the checks that a pod fails to their details.
type violated map[policy.CheckID]string

func (p podSecurity) evaluate(meta *podMeta, spec *corev1.PodSpec) violated {
	var failed violated
	for _, result := range p.evaluator.EvaluatePod(p.level, meta, spec) {
		if result.Allowed {
			continue
		}
		if failed == nil {
			failed = violated{}
		}
		failed[policy.CheckID(result.ForbiddenReason)] = result.ForbiddenDetail
	}
	return failed
}

// findings are one for each part and check, in the order of the pod's fields.
func (p podSecurity) findings(pod *corev1.Pod) []control.Finding {
	whole := p.evaluate(&pod.ObjectMeta, &pod.Spec)
	if len(whole) == 0 {
		return nil
	}
	return p.place(pod, whole)
}

// place finds the parts that are at fault. What no part is at fault for by
// itself is said of the whole pod, so that nothing is lost.
func (p podSecurity) place(pod *corev1.Pod, whole violated) []control.Finding {
	parts := partsOf(pod)
	bare := p.evaluate(&pod.ObjectMeta, &parts[0].spec)
	placed := map[policy.CheckID]bool{}
	var findings []control.Finding
	for i := range parts {
		failed := bare
		if i > 0 {
			failed = p.evaluate(&pod.ObjectMeta, &parts[i].spec)
		}
		for _, id := range sortedKeys(failed) {
			if detail, everywhere := bare[id]; i > 0 && everywhere && detail == failed[id] {
				continue // the pod's own fault, told with the bare pod
			}
			placed[id] = true
			findings = append(findings, explain(id, parts[i].path, failed[id]))
		}
	}
	for _, id := range sortedKeys(whole) {
		if !placed[id] {
			findings = append(findings, explain(id, "spec", whole[id]))
		}
	}
	return findings
}

// podPart is a pod cut down to one thing that can be wrong by itself.
type podPart struct {
	path string
	spec corev1.PodSpec
}

// partsOf takes a pod apart. The first part is the pod without all the others.
func partsOf(pod *corev1.Pod) []podPart {
	bare := pod.Spec
	bare.Containers, bare.InitContainers, bare.EphemeralContainers, bare.Volumes = nil, nil, nil, nil
	bare.HostNetwork, bare.HostPID, bare.HostIPC = false, false, false
	// A PodSpec is large: none is copied twice.
	parts := make([]podPart, 1, 1+len(pod.Spec.Volumes)+len(pod.Spec.InitContainers)+len(pod.Spec.Containers)+len(pod.Spec.EphemeralContainers))
	parts[0] = podPart{path: "spec", spec: bare}
	with := func(path string, change func(*corev1.PodSpec)) {
		parts = append(parts, podPart{path: path, spec: bare})
		change(&parts[len(parts)-1].spec)
	}
	if pod.Spec.HostNetwork {
		with("spec.hostNetwork", func(s *corev1.PodSpec) { s.HostNetwork = true })
	}
	if pod.Spec.HostPID {
		with("spec.hostPID", func(s *corev1.PodSpec) { s.HostPID = true })
	}
	if pod.Spec.HostIPC {
		with("spec.hostIPC", func(s *corev1.PodSpec) { s.HostIPC = true })
	}
	for i := range pod.Spec.Volumes {
		with(fmt.Sprintf("spec.volumes[%d]", i), func(s *corev1.PodSpec) { s.Volumes = pod.Spec.Volumes[i : i+1] })
	}
	for i := range pod.Spec.InitContainers {
		with(fmt.Sprintf("spec.initContainers[%d]", i), func(s *corev1.PodSpec) { s.InitContainers = pod.Spec.InitContainers[i : i+1] })
	}
	for i := range pod.Spec.Containers {
		with(fmt.Sprintf("spec.containers[%d]", i), func(s *corev1.PodSpec) { s.Containers = pod.Spec.Containers[i : i+1] })
	}
	for i := range pod.Spec.EphemeralContainers {
		with(fmt.Sprintf("spec.ephemeralContainers[%d]", i), func(s *corev1.PodSpec) {
			s.EphemeralContainers = pod.Spec.EphemeralContainers[i : i+1]
		})
	}
	return parts
}
