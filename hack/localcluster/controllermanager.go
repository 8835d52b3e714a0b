package main

// controllerManagerArgs run every controller that is on by default, each with a ServiceAccount of its own.
func (p plan) controllerManagerArgs() []string {
	kubeconfig := p.file("controller-manager.kubeconfig")
	return []string{
		"--bind-address=127.0.0.1",
		"--secure-port=" + portText(p.ports.manager),
		"--tls-cert-file=" + p.pki.manager.cert,
		"--tls-private-key-file=" + p.pki.manager.key,
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
		"--use-service-account-credentials=true",
		"--service-account-private-key-file=" + p.pki.tokenPrivateKey,
		"--root-ca-file=" + p.pki.ca.cert,
		"--cluster-signing-cert-file=" + p.pki.ca.cert,
		"--cluster-signing-key-file=" + p.pki.ca.key,
		"--service-cluster-ip-range=" + serviceRange,
		// The defaults (20, 30) make tests with many objects wait for nothing.
		"--kube-api-qps=200",
		"--kube-api-burst=300",
		// Its default is a system folder, which it would create.
		"--flex-volume-plugin-dir=" + p.file("flexvolume"),
	}
}
