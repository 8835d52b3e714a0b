package main

// podStage is how far a simulated pod has come. A pod passes the stages one by one, so
// that watchers see what a kubelet would show them, only faster.
type podStage struct {
	// initDone init containers have ended or, native sidecars, started.
	initDone int
	// running: the containers run. ended: they ran and have ended.
	running, ended bool
}

// nextStage says where the pod goes from what its status says now.
func nextStage(p pod) podStage {
	all := len(p.Spec.InitContainers)
	switch {
	case p.deleting():
		return podStage{initDone: initDone(p), ended: true}
	case p.Status.StartTime == "":
		return podStage{}
	case initDone(p) < all:
		return podStage{initDone: initDone(p) + 1}
	case p.Status.Phase == "Running" && p.ofJob():
		return podStage{initDone: all, ended: true}
	}
	return podStage{initDone: all, running: true}
}

// initDone counts the leading init containers that are done according to the status.
func initDone(p pod) int {
	for i, c := range p.Spec.InitContainers {
		status := findStatus(p.Status.InitContainers, c.Name)
		if c.sidecar() && status.State.Running == nil || !c.sidecar() && status.State.Terminated == nil {
			return i
		}
	}
	return len(p.Spec.InitContainers)
}

func findStatus(in []containerStatus, name string) containerStatus {
	for _, s := range in {
		if s.Name == name {
			return s
		}
	}
	return containerStatus{}
}
