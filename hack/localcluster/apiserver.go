package main

// proxyUser is the identity under which the API server forwards requests to aggregated APIs.
const proxyUser = "front-proxy-client"

// apiServerArgs run kube-apiserver with the authorization, tokens and admission of a usual cluster.
func (p plan) apiServerArgs() []string {
	args := append(p.apiServerAddress(),
		"--secure-port="+portText(p.ports.apiServer),
		"--etcd-servers="+localURL(p.ports.etcd),
		"--etcd-cafile="+p.pki.etcdCA.cert,
		"--etcd-certfile="+p.pki.etcdClient.cert,
		"--etcd-keyfile="+p.pki.etcdClient.key,
		"--tls-cert-file="+p.pki.apiServer.cert,
		"--tls-private-key-file="+p.pki.apiServer.key,
		"--client-ca-file="+p.pki.ca.cert,
		"--requestheader-client-ca-file="+p.pki.proxyCA.cert,
		"--requestheader-allowed-names="+proxyUser,
		"--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group",
		"--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--proxy-client-cert-file="+p.pki.proxyClient.cert,
		"--proxy-client-key-file="+p.pki.proxyClient.key,
		"--authorization-mode=Node,RBAC",
		"--enable-admission-plugins=NodeRestriction",
		"--allow-privileged=true",
		"--service-cluster-ip-range="+serviceRange,
		"--service-account-issuer="+tokenIssuer,
		"--service-account-key-file="+p.pki.tokenPublicKey,
		"--service-account-signing-key-file="+p.pki.tokenPrivateKey,
	)
	if p.runtimeConfig != "" {
		args = append(args, "--runtime-config="+p.runtimeConfig)
	}
	if p.auditLog != "" {
		// In megabytes: nobody who reads the log shall find its beginning moved to another file.
		args = append(args, "--audit-log-path="+p.auditLog, "--audit-log-maxsize=10000", "--audit-policy-file="+p.auditPolicyPath())
	}
	return args
}

// apiServerAddress is loopback, or, where pods run, every address of the node's own network.
func (p plan) apiServerAddress() []string {
	if p.node {
		return []string{
			"--bind-address=0.0.0.0",
			"--advertise-address=" + bridgeAddress,
			"--kubelet-preferred-address-types=InternalIP",
			"--kubelet-certificate-authority=" + p.pki.ca.cert,
			"--kubelet-client-certificate=" + p.pki.kubeletClient.cert,
			"--kubelet-client-key=" + p.pki.kubeletClient.key,
		}
	}
	return []string{
		"--bind-address=127.0.0.1",
		// Without a node nothing reaches the Service "kubernetes", and a loopback address may not stand in its endpoints.
		"--advertise-address=127.0.0.1",
		"--endpoint-reconciler-type=none",
	}
}
