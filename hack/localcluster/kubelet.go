package main

import "encoding/json"

const (
	// realNodeName is the one node of a cluster with a real node.
	realNodeName  = "node"
	clusterDomain = "cluster.local"
	kubeletPort   = 10250
)

func (p plan) kubeletArgs() []string {
	return []string{
		"--config=" + p.file("kubelet.json"),
		"--kubeconfig=" + p.file("kubelet.kubeconfig"),
		"--root-dir=" + kubeletFolder,
		"--hostname-override=" + realNodeName,
		"--node-ip=" + bridgeAddress,
	}
}

// kubeletConfig keeps to the cluster's folder and cgroup, and never evicts: how full the
// machine's disk is says nothing about a test.
func (p plan) kubeletConfig() map[string]any {
	return map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"authentication": map[string]any{
			"anonymous": map[string]any{"enabled": false},
			"webhook":   map[string]any{"enabled": true},
			"x509":      map[string]any{"clientCAFile": p.pki.ca.cert},
		},
		"authorization":            map[string]any{"mode": "Webhook"},
		"tlsCertFile":              p.pki.kubelet.cert,
		"tlsPrivateKeyFile":        p.pki.kubelet.key,
		"port":                     kubeletPort,
		"containerRuntimeEndpoint": "unix://" + containerdSocket,
		"clusterDNS":               []string{dnsServiceIP},
		"clusterDomain":            clusterDomain,
		// Nothing outside of the cluster has a name here.
		"resolvConf":      "/dev/null",
		"podLogsDir":      p.file("pods"),
		"volumePluginDir": p.file("flexvolume"),
		// cgroup v1 still serves; a tree of its own per cluster makes what is left after a crash easy to find.
		"failCgroupV1":           false,
		"cgroupDriver":           "cgroupfs",
		"cgroupRoot":             p.cgroup(),
		"cgroupsPerQOS":          true,
		"enforceNodeAllocatable": []string{},
		"failSwapOn":             false,
		// What a test writes into a ConfigMap or Secret reaches pods within seconds instead of a minute.
		"syncFrequency": "3s",
		"oomScoreAdj":   0,
		"evictionHard": map[string]string{
			"memory.available": "0%", "nodefs.available": "0%", "nodefs.inodesFree": "0%", "imagefs.available": "0%", "imagefs.inodesFree": "0%",
		},
		"imageGCHighThresholdPercent": 100,
		"logging":                     map[string]any{"verbosity": 1},
	}
}

func (p plan) kubeProxyArgs() []string { return []string{"--config=" + p.file("kube-proxy.json")} }

func (p plan) kubeProxyConfig() map[string]any {
	return map[string]any{
		"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration",
		"mode":             "nftables",
		"hostnameOverride": realNodeName,
		"clusterCIDR":      podRange,
		"clientConnection": map[string]any{"kubeconfig": p.file("kube-proxy.kubeconfig")},
		// Only the machine's own network namespace may set the size of the table of connections.
		"conntrack": map[string]any{"maxPerCore": 0, "min": 0},
		// A Service answers a test that has just made it without delay.
		"nftables":    map[string]any{"minSyncPeriod": "100ms"},
		"oomScoreAdj": 0,
	}
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return writeFileAtomic(path, text, 0o600)
}
