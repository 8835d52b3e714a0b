package main

import (
	"os"
	"path/filepath"
	"time"
)

const (
	serviceRange = "10.96.0.0/16"
	// firstServiceIP is the address that pods know the API server by.
	firstServiceIP = "10.96.0.1"
	tokenIssuer    = "https://kubernetes.default.svc.cluster.local"
)

// pki is every certificate and key of one cluster. Three authorities keep three
// kinds of trust apart: the cluster's users, etcd's peers, and proxied requests.
type pki struct {
	ca, etcdCA, proxyCA               keyPair
	etcd, etcdClient, proxyClient     keyPair
	apiServer, scheduler, manager     keyPair // serving
	admin, schedulerUser, managerUser keyPair // clients of the API server
	node                              keyPair
	// Those of a real node; the kubelet's both serves and asks.
	kubelet, kubeletClient, serviceProxy keyPair
	tokenPrivateKey, tokenPublicKey      string
}

// wanted is one certificate that an authority issues.
type wanted struct {
	into    *keyPair
	name    string
	subject subject
}

var loopbackHosts = []string{"localhost", "127.0.0.1"}

// newPKI writes all certificates of a cluster below DIR/pki.
func newPKI(dir string, now time.Time) (pki, error) {
	dir = filepath.Join(dir, "pki")
	if err := os.Mkdir(dir, 0o700); err != nil {
		return pki{}, err
	}
	k := pki{ca: pairIn(dir, "ca"), etcdCA: pairIn(dir, "etcd-ca"), proxyCA: pairIn(dir, "front-proxy-ca")}
	authorities := map[string][]wanted{
		"ca": {
			{&k.apiServer, "apiserver", subject{user: "kube-apiserver", hosts: append([]string{
				"kubernetes", "kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local", firstServiceIP, bridgeAddress,
			}, loopbackHosts...)}},
			{&k.scheduler, "scheduler", subject{user: "kube-scheduler", hosts: loopbackHosts}},
			{&k.manager, "controller-manager", subject{user: "kube-controller-manager", hosts: loopbackHosts}},
			{&k.admin, "admin", subject{user: "local-cluster-admin", groups: []string{"system:masters"}}},
			{&k.schedulerUser, "scheduler-client", subject{user: "system:kube-scheduler"}},
			{&k.managerUser, "controller-manager-client", subject{user: "system:kube-controller-manager"}},
			{&k.node, "node-client", subject{user: "system:node:" + nodeName, groups: []string{"system:nodes"}}},
			{&k.kubelet, "kubelet", subject{
				user: "system:node:" + realNodeName, groups: []string{"system:nodes"}, hosts: append([]string{realNodeName, bridgeAddress}, loopbackHosts...),
			}},
			{&k.kubeletClient, "apiserver-kubelet-client", subject{user: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}}},
			{&k.serviceProxy, "kube-proxy", subject{user: "system:kube-proxy"}},
		},
		"etcd-ca": {
			{&k.etcd, "etcd", subject{user: "etcd", hosts: loopbackHosts}},
			{&k.etcdClient, "etcd-client", subject{user: "kube-apiserver-etcd-client"}},
		},
		"front-proxy-ca": {
			{&k.proxyClient, "front-proxy-client", subject{user: proxyUser}},
		},
	}
	for name, certs := range authorities {
		if err := issueAll(dir, name, now, certs); err != nil {
			return pki{}, err
		}
	}
	var err error
	k.tokenPrivateKey, k.tokenPublicKey, err = newSigningKey(dir, "service-account")
	return k, err
}

func issueAll(dir, authorityName string, now time.Time, certs []wanted) error {
	a, err := newAuthority(dir, authorityName, now)
	if err != nil {
		return err
	}
	for _, w := range certs {
		if *w.into, err = a.issue(w.name, w.subject); err != nil {
			return err
		}
	}
	return nil
}
