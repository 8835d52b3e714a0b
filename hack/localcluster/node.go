package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"time"
)

const (
	// nodeName is the one node of a cluster with a simulated node.
	nodeName = "simulated-node"
	// The lease is renewed as often as a kubelet does it.
	leaseSeconds  = 40
	leaseInterval = 10 * time.Second
	leaseAPI      = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/" + nodeName
)

// simulatedNode is the Node object, held with the rights of a kubelet and no more.
type simulatedNode struct {
	client  restClient
	version string    // of Kubernetes
	since   time.Time // when it became ready
}

// register creates the Node and reports it ready.
func (n simulatedNode) register(ctx context.Context) error {
	node := map[string]any{
		"apiVersion": "v1", "kind": "Node",
		"metadata": map[string]any{
			"name": nodeName,
			"labels": map[string]string{
				"kubernetes.io/hostname":                   nodeName,
				"kubernetes.io/os":                         "linux",
				"kubernetes.io/arch":                       runtime.GOARCH,
				"localcluster.hipaa-operator.io/simulated": "true",
			},
		},
	}
	if err := n.client.do(ctx, request{method: http.MethodPost, path: "/api/v1/nodes", body: node}, nil); err != nil {
		return fmt.Errorf("registering the simulated node: %w", err)
	}
	return n.heartbeat(ctx, n.since)
}

// heartbeat tells the controllers that the node is alive. It repeats the status, which writes
// nothing while it is unchanged: after the machine has slept, the node stands there as unknown.
func (n simulatedNode) heartbeat(ctx context.Context, now time.Time) error {
	if err := n.renewLease(ctx, now); err != nil {
		return err
	}
	err := n.client.do(ctx, request{
		method: http.MethodPatch, path: "/api/v1/nodes/" + nodeName + "/status",
		contentType: strategicMerge, body: map[string]any{"status": n.status()},
	}, nil)
	if err != nil {
		return fmt.Errorf("reporting the simulated node: %w", err)
	}
	return nil
}

// status offers room for any test and says in every text field that nothing here is real.
func (n simulatedNode) status() map[string]any {
	since := n.since.UTC().Format(time.RFC3339)
	room := map[string]string{
		"cpu": "64", "memory": "256Gi", "ephemeral-storage": "1Ti", "pods": fmt.Sprint(simulatedPods),
	}
	var conditions []condition
	for _, kind := range []string{"Ready", "MemoryPressure", "DiskPressure", "PIDPressure"} {
		c := condition{Type: kind, Status: "False", Reason: "Simulated", LastTransitionTime: since}
		if kind == "Ready" {
			c.Status = "True"
		}
		conditions = append(conditions, c)
	}
	return map[string]any{
		"capacity": room, "allocatable": room, "conditions": conditions,
		"addresses": []map[string]string{
			{"type": "InternalIP", "address": simulatedNodeIP},
			{"type": "Hostname", "address": nodeName},
		},
		"nodeInfo": map[string]string{
			"kubeletVersion": n.version + "+simulated", "containerRuntimeVersion": "simulated://0", "osImage": "simulated",
			"kernelVersion": "simulated", "operatingSystem": "linux", "architecture": runtime.GOARCH,
			"machineID": "simulated", "systemUUID": "simulated", "bootID": "simulated", "kubeProxyVersion": "",
		},
	}
}

// renewLease creates the lease the first time.
func (n simulatedNode) renewLease(ctx context.Context, now time.Time) error {
	lease := map[string]any{
		"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
		"metadata": map[string]any{"name": nodeName},
		"spec":     map[string]any{"holderIdentity": nodeName, "leaseDurationSeconds": leaseSeconds, "renewTime": now.UTC().Format(microTime)},
	}
	err := n.client.do(ctx, request{
		method: http.MethodPatch, path: leaseAPI + "?fieldManager=" + nodeName + "&force=true",
		contentType: "application/apply-patch+yaml", body: lease,
	}, nil)
	if err != nil {
		return fmt.Errorf("renewing the simulated node's lease: %w", err)
	}
	return nil
}

const strategicMerge = "application/strategic-merge-patch+json"

// microTime is the format of a lease's renewTime.
const microTime = "2006-01-02T15:04:05.000000Z07:00"

// patchPodStatus writes a status, if the pod still is the one that was looked at.
func patchPodStatus(ctx context.Context, c restClient, p pod, s podStatus) (pod, error) {
	var after pod
	err := c.do(ctx, request{
		method: http.MethodPatch, path: podPath(p) + "/status", contentType: strategicMerge,
		body: map[string]any{"metadata": map[string]string{"uid": p.Metadata.UID}, "status": s},
	}, &after)
	return after, err
}

// deletePod gives the pod up, as a kubelet does once the containers have ended.
func deletePod(ctx context.Context, c restClient, p pod) error {
	return c.do(ctx, request{method: http.MethodDelete, path: podPath(p), body: json.RawMessage(
		`{"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":0,"preconditions":{"uid":"` + p.Metadata.UID + `"}}`)}, nil)
}

func podPath(p pod) string {
	return "/api/v1/namespaces/" + p.Metadata.Namespace + "/pods/" + p.Metadata.Name
}
