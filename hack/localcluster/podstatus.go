package main

import (
	"reflect"
	"strings"
)

// simulateAnnotation on a pod changes what the simulated node pretends.
const (
	simulateAnnotation = "localcluster.hipaa-operator.io/simulate"
	// simulateNeverReady lets the containers run without the pod ever becoming ready.
	simulateNeverReady = "NeverReady"
)

// podScene is what the status depends on besides the pod.
type podScene struct {
	nodeIP, podIP string
	now           string // RFC 3339
}

// podStatusAt returns what the node reports for the pod at a stage, and whether that
// differs from what the pod's status says already.
func podStatusAt(p pod, stage podStage, at podScene) (podStatus, bool) {
	s := podStatus{
		ObservedGeneration: p.Metadata.Generation,
		Phase:              stage.phase(),
		HostIP:             at.nodeIP, HostIPs: []address{{at.nodeIP}},
		PodIP: at.podIP, PodIPs: []address{{at.podIP}},
		StartTime: p.Status.StartTime,
	}
	if s.StartTime == "" {
		s.StartTime = at.now
	}
	for i, c := range p.Spec.InitContainers {
		s.InitContainers = append(s.InitContainers, stage.initStatus(p, i, c, at.now))
	}
	for _, c := range p.Spec.Containers {
		s.Containers = append(s.Containers, stage.mainStatus(p, c, p.Status.Containers, at.now))
	}
	for _, c := range p.Spec.EphemeralContainers {
		s.Ephemeral = append(s.Ephemeral, stage.mainStatus(p, c, p.Status.Ephemeral, at.now))
	}
	s.Conditions = podConditions(p, stage, at.now)
	return s, !reflect.DeepEqual(s, onlyConditions(p.Status, s.Conditions))
}

func (g podStage) phase() string {
	switch {
	case g.ended:
		return "Succeeded"
	case g.running:
		return "Running"
	}
	return "Pending"
}

func (g podStage) initStatus(p pod, index int, c container, now string) containerStatus {
	before := findStatus(p.Status.InitContainers, c.Name)
	switch {
	case index >= g.initDone:
		return waiting(c, "PodInitializing")
	case c.sidecar() && !g.ended:
		return running(p, c, before, now)
	}
	return terminated(p, c, before, now)
}

func (g podStage) mainStatus(p pod, c container, all []containerStatus, now string) containerStatus {
	before := findStatus(all, c.Name)
	switch {
	case g.running:
		return running(p, c, before, now)
	case g.ended:
		return terminated(p, c, before, now)
	case len(p.Spec.InitContainers) > 0:
		return waiting(c, "PodInitializing")
	}
	return waiting(c, "ContainerCreating")
}

func waiting(c container, reason string) containerStatus {
	return containerStatus{Name: c.Name, Image: c.Image, State: containerState{Waiting: &waitingState{Reason: reason}}}
}

func running(p pod, c container, before containerStatus, now string) containerStatus {
	state := before.State.Running
	if state == nil {
		state = &runningState{StartedAt: now}
	}
	return containerStatus{
		Name: c.Name, Image: c.Image, ImageID: imageID(c.Image), ContainerID: containerID(p, c), Resources: c.Resources,
		Started: true, Ready: p.Metadata.Annotations[simulateAnnotation] != simulateNeverReady,
		State: containerState{Running: state},
	}
}

func terminated(p pod, c container, before containerStatus, now string) containerStatus {
	state := before.State.Terminated
	if state == nil {
		started := now
		if before.State.Running != nil {
			started = before.State.Running.StartedAt
		}
		state = &terminatedState{Reason: "Completed", StartedAt: started, FinishedAt: now, ContainerID: containerID(p, c)}
	}
	return containerStatus{
		Name: c.Name, Image: c.Image, ImageID: imageID(c.Image), ContainerID: containerID(p, c), Resources: c.Resources,
		// A kubelet reports an init container that has done its work as ready.
		Ready: isInit(p, c) && !c.sidecar(),
		State: containerState{Terminated: state},
	}
}

func isInit(p pod, c container) bool {
	for _, i := range p.Spec.InitContainers {
		if i.Name == c.Name {
			return true
		}
	}
	return false
}

// imageID repeats a pinned digest; nothing was pulled, so it invents none.
func imageID(image string) string {
	if strings.Contains(image, "@sha256:") {
		return image
	}
	return "simulated://" + image
}

func containerID(p pod, c container) string { return "simulated://" + p.Metadata.UID + "/" + c.Name }

// podConditions are the conditions that belong to the node.
func podConditions(p pod, g podStage, now string) []condition {
	ready := g.running && p.Metadata.Annotations[simulateAnnotation] != simulateNeverReady
	return []condition{
		transition(p, "PodReadyToStartContainers", !g.ended, "", now),
		transition(p, "Initialized", g.running || g.ended && g.initDone == len(p.Spec.InitContainers), "ContainersNotInitialized", now),
		transition(p, "ContainersReady", ready, notReadyReason(g), now),
		transition(p, "Ready", ready && gatesOpen(p), notReadyReason(g), now),
	}
}

func notReadyReason(g podStage) string {
	if g.ended {
		return "PodCompleted"
	}
	return "ContainersNotReady"
}

// gatesOpen tells whether every readiness gate of the pod has been opened by its owner.
func gatesOpen(p pod) bool {
	for _, gate := range p.Spec.ReadinessGates {
		if findCondition(p.Status.Conditions, gate.ConditionType).Status != "True" {
			return false
		}
	}
	return true
}

// transition builds a condition and keeps the time at which it took its present value.
func transition(p pod, kind string, holds bool, reasonIfNot, now string) condition {
	c := condition{Type: kind, Status: "True", ObservedGeneration: p.Metadata.Generation, LastTransitionTime: now}
	if !holds {
		c.Status, c.Reason = "False", reasonIfNot
	}
	if before := findCondition(p.Status.Conditions, kind); before.Status == c.Status {
		c.LastTransitionTime = before.LastTransitionTime
	}
	return c
}

func findCondition(in []condition, kind string) condition {
	for _, c := range in {
		if c.Type == kind {
			return c
		}
	}
	return condition{}
}

// onlyConditions is the status with only the given kinds of conditions, in their order:
// other conditions have other owners.
func onlyConditions(s podStatus, kinds []condition) podStatus {
	own := make([]condition, 0, len(kinds))
	for _, k := range kinds {
		own = append(own, findCondition(s.Conditions, k.Type))
	}
	s.Conditions = own
	return s
}
