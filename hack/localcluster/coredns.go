package main

import (
	"context"
	"fmt"
	"net/http"
)

// dnsPort lies above 1023: the server runs without any capability.
const dnsPort = 5353

const corefile = `.:5353 {
  errors
  health :8080
  ready :8181
  hosts /etc/coredns/hosts {
    ttl 1
    reload 1s
    fallthrough
  }
  kubernetes cluster.local in-addr.arpa ip6.arpa {
    pods verified
    ttl 1
  }
}
`

// hosts has names of the world outside, of which there is none here: tests write some.
const hosts = ""

// installDNS creates what makes Services and pods answer to their names.
func installDNS(ctx context.Context, c restClient) error {
	for _, o := range dnsObjects() {
		if err := c.do(ctx, request{method: http.MethodPost, path: o.path, body: o.body}, nil); err != nil {
			return fmt.Errorf("installing CoreDNS: %w", err)
		}
	}
	return nil
}

// clusterObject is an object and the collection that it is created in.
type clusterObject struct {
	path string
	body map[string]any
}

func dnsObjects() []clusterObject {
	const core, rbac = "/api/v1/namespaces/kube-system/", "/apis/rbac.authorization.k8s.io/v1/"
	named := map[string]any{"name": "coredns", "namespace": "kube-system"}
	labels := map[string]any{"k8s-app": "kube-dns"}
	return []clusterObject{
		{core + "serviceaccounts", map[string]any{"metadata": named}},
		{core + "configmaps", map[string]any{"metadata": named, "data": map[string]any{"Corefile": corefile, "hosts": hosts}}},
		{rbac + "clusterroles", map[string]any{"metadata": map[string]any{"name": "system:coredns"}, "rules": []map[string]any{
			{"apiGroups": []string{""}, "resources": []string{"endpoints", "services", "pods", "namespaces"}, "verbs": []string{"list", "watch"}},
			{"apiGroups": []string{"discovery.k8s.io"}, "resources": []string{"endpointslices"}, "verbs": []string{"list", "watch"}},
		}}},
		{rbac + "clusterrolebindings", map[string]any{
			"metadata": map[string]any{"name": "system:coredns"},
			"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "system:coredns"},
			"subjects": []map[string]any{{"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}},
		}},
		{core + "services", map[string]any{
			"metadata": map[string]any{"name": "kube-dns", "labels": labels},
			"spec": map[string]any{"clusterIP": dnsServiceIP, "selector": labels, "ports": []map[string]any{
				{"name": "dns", "port": 53, "protocol": "UDP", "targetPort": dnsPort},
				{"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": dnsPort},
			}},
		}},
		{"/apis/apps/v1/namespaces/kube-system/deployments", map[string]any{"metadata": named, "spec": map[string]any{
			"selector": map[string]any{"matchLabels": labels},
			"template": map[string]any{"metadata": map[string]any{"labels": labels}, "spec": dnsPod()},
		}}},
	}
}

func dnsPod() map[string]any {
	return map[string]any{
		"serviceAccountName": "coredns",
		// Nothing but the node's own files: it must not ask itself.
		"dnsPolicy":         "Default",
		"priorityClassName": "system-cluster-critical",
		"containers": []map[string]any{{
			"name": "coredns", "image": corednsImage, "imagePullPolicy": "Never",
			"command":        []string{"/coredns", "-conf", "/etc/coredns/Corefile"},
			"volumeMounts":   []map[string]any{{"name": "config", "mountPath": "/etc/coredns"}},
			"readinessProbe": map[string]any{"httpGet": map[string]any{"path": "/ready", "port": 8181}, "periodSeconds": 1},
			"livenessProbe":  map[string]any{"httpGet": map[string]any{"path": "/health", "port": 8080}},
			"securityContext": map[string]any{
				"runAsUser": 65532, "runAsNonRoot": true, "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true,
				"capabilities": map[string]any{"drop": []string{"ALL"}},
			},
		}},
		"volumes": []map[string]any{{"name": "config", "configMap": map[string]any{"name": "coredns"}}},
	}
}
