package main

import "encoding/json"

// The types below are the part of the Pod API that the simulated node reads and writes.
// They are written out here because importing k8s.io/api would make this tool slow to build.

type pod struct {
	Metadata podMeta   `json:"metadata"`
	Spec     podSpec   `json:"spec"`
	Status   podStatus `json:"status"`
}

type podMeta struct {
	Name                       string            `json:"name"`
	Namespace                  string            `json:"namespace"`
	UID                        string            `json:"uid"`
	ResourceVersion            string            `json:"resourceVersion"`
	Generation                 int64             `json:"generation"`
	Annotations                map[string]string `json:"annotations"`
	OwnerReferences            []ownerReference  `json:"ownerReferences"`
	DeletionTimestamp          string            `json:"deletionTimestamp"`
	DeletionGracePeriodSeconds *int64            `json:"deletionGracePeriodSeconds"`
}

type ownerReference struct {
	Kind       string `json:"kind"`
	Controller bool   `json:"controller"`
}

type podSpec struct {
	HostNetwork         bool            `json:"hostNetwork"`
	InitContainers      []container     `json:"initContainers"`
	Containers          []container     `json:"containers"`
	EphemeralContainers []container     `json:"ephemeralContainers"`
	ReadinessGates      []readinessGate `json:"readinessGates"`
}

type readinessGate struct {
	ConditionType string `json:"conditionType"`
}

type container struct {
	Name          string          `json:"name"`
	Image         string          `json:"image"`
	RestartPolicy string          `json:"restartPolicy"`
	Resources     json.RawMessage `json:"resources"`
}

// sidecar tells a native sidecar among the init containers.
func (c container) sidecar() bool { return c.RestartPolicy == "Always" }

type podStatus struct {
	ObservedGeneration int64             `json:"observedGeneration,omitempty"`
	Phase              string            `json:"phase,omitempty"`
	Conditions         []condition       `json:"conditions,omitempty"`
	HostIP             string            `json:"hostIP,omitempty"`
	HostIPs            []address         `json:"hostIPs,omitempty"`
	PodIP              string            `json:"podIP,omitempty"`
	PodIPs             []address         `json:"podIPs,omitempty"`
	StartTime          string            `json:"startTime,omitempty"`
	InitContainers     []containerStatus `json:"initContainerStatuses,omitempty"`
	Containers         []containerStatus `json:"containerStatuses,omitempty"`
	Ephemeral          []containerStatus `json:"ephemeralContainerStatuses,omitempty"`
}

type address struct {
	IP string `json:"ip"`
}

type condition struct {
	Type   string `json:"type"`
	Status string `json:"status"`
	// Reason is sent even when it is empty: a merge would keep the old one.
	Reason             string `json:"reason"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
	LastTransitionTime string `json:"lastTransitionTime,omitempty"`
}

type containerStatus struct {
	Name         string          `json:"name"`
	Image        string          `json:"image"`
	ImageID      string          `json:"imageID"`
	ContainerID  string          `json:"containerID,omitempty"`
	Ready        bool            `json:"ready"`
	Started      bool            `json:"started"`
	RestartCount int             `json:"restartCount"`
	State        containerState  `json:"state"`
	Resources    json.RawMessage `json:"resources,omitempty"`
}

type containerState struct {
	Waiting    *waitingState    `json:"waiting,omitempty"`
	Running    *runningState    `json:"running,omitempty"`
	Terminated *terminatedState `json:"terminated,omitempty"`
}

type waitingState struct {
	Reason string `json:"reason"`
}

type runningState struct {
	StartedAt string `json:"startedAt"`
}

type terminatedState struct {
	ExitCode    int    `json:"exitCode"`
	Reason      string `json:"reason"`
	StartedAt   string `json:"startedAt"`
	FinishedAt  string `json:"finishedAt"`
	ContainerID string `json:"containerID"`
}

// terminal tells a pod whose containers will never run again.
func (p pod) terminal() bool { return p.Status.Phase == "Succeeded" || p.Status.Phase == "Failed" }

func (p pod) deleting() bool { return p.Metadata.DeletionTimestamp != "" }

// gone tells a pod that the node has already given up; only finalizers hold it.
func (p pod) gone() bool {
	return p.terminal() && p.Metadata.DeletionGracePeriodSeconds != nil && *p.Metadata.DeletionGracePeriodSeconds == 0
}

// ofJob tells a pod that a Job runs, whose containers are expected to end.
func (p pod) ofJob() bool {
	for _, owner := range p.Metadata.OwnerReferences {
		if owner.Controller && owner.Kind == "Job" {
			return true
		}
	}
	return false
}
