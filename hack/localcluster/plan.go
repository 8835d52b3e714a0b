package main

import (
	"path/filepath"
	"time"
)

// plan is everything that the argument lists depend on: pure data, fixed before anything starts.
type plan struct {
	bin   cache
	dir   string // the cluster's own folder
	pki   pki
	ports clusterPorts
	// auditLog is a file for audit events, or "".
	auditLog string
	// runtimeConfig is kube-apiserver's --runtime-config, or "".
	runtimeConfig string
	// node says that the cluster has a real node, and a network of its own.
	node bool
}

// clusterPorts are loopback ports.
type clusterPorts struct {
	etcd, etcdPeer, apiServer, manager, scheduler int
}

// newPlan makes the certificates and chooses the ports of a cluster that lives in dir.
func newPlan(bin cache, dir string, o options, now time.Time) (plan, error) {
	certs, err := newPKI(dir, now)
	if err != nil {
		return plan{}, err
	}
	p, err := freePorts(5, drawPort)
	if err != nil {
		return plan{}, err
	}
	return plan{
		bin: bin, dir: dir, pki: certs,
		ports:         clusterPorts{etcd: p[0], etcdPeer: p[1], apiServer: p[2], manager: p[3], scheduler: p[4]},
		auditLog:      o.auditLog,
		runtimeConfig: o.runtimeConfig,
		node:          o.node,
	}, nil
}

func (p plan) file(name string) string { return filepath.Join(p.dir, name) }
