package main

// etcdArgs run one etcd member that only speaks TLS to holders of its own authority's
// certificates: on a shared machine loopback alone would let every user read the cluster.
func (p plan) etcdArgs() []string {
	client, peer := localURL(p.ports.etcd), localURL(p.ports.etcdPeer)
	return []string{
		"--name=local",
		"--data-dir=" + p.file("etcd"),
		"--listen-client-urls=" + client,
		"--advertise-client-urls=" + client,
		"--listen-peer-urls=" + peer,
		"--initial-advertise-peer-urls=" + peer,
		"--initial-cluster=local=" + peer,
		"--cert-file=" + p.pki.etcd.cert,
		"--key-file=" + p.pki.etcd.key,
		"--trusted-ca-file=" + p.pki.etcdCA.cert,
		"--client-cert-auth",
		"--peer-cert-file=" + p.pki.etcd.cert,
		"--peer-key-file=" + p.pki.etcd.key,
		"--peer-trusted-ca-file=" + p.pki.etcdCA.cert,
		"--peer-client-cert-auth",
		// The data is thrown away at the end, so a power cut may lose it.
		"--unsafe-no-fsync",
		"--log-level=warn",
	}
}
