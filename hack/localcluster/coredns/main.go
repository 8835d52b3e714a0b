//go:build ignore

// Command coredns answers the names of a local cluster's Services and pods: CoreDNS with the
// plugins that this takes, where its own command brings clients of every cloud.
// It is built in the module of node.mod, whose versions the module around it does not share.
package main

import (
	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/hosts"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/ready"
)

func main() {
	// The order is that in which a query passes through them.
	dnsserver.Directives = []string{"health", "ready", "errors", "hosts", "kubernetes"}
	coremain.Run()
}
