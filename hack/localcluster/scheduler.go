package main

// schedulerArgs run kube-scheduler with its default profile.
func (p plan) schedulerArgs() []string {
	kubeconfig := p.file("scheduler.kubeconfig")
	return []string{
		"--bind-address=127.0.0.1",
		"--secure-port=" + portText(p.ports.scheduler),
		"--tls-cert-file=" + p.pki.scheduler.cert,
		"--tls-private-key-file=" + p.pki.scheduler.key,
		"--kubeconfig=" + kubeconfig,
		"--authentication-kubeconfig=" + kubeconfig,
		"--authorization-kubeconfig=" + kubeconfig,
		"--leader-elect=false",
	}
}
