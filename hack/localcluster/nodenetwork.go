package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
)

const (
	// The addresses of pods, the same in every cluster: each has a network of its own.
	podRange = "10.244.0.0/24"
	// bridgeAddress is the node's own: pods reach the API server and the kubelet there.
	bridgeAddress = "10.244.0.1"
	bridgeName    = "cni0"
	dnsServiceIP  = "10.96.0.10"
)

// networkConfig puts every pod on one bridge, so that one capture sees all of their traffic.
func (p plan) networkConfig() string {
	config := map[string]any{
		"cniVersion": "1.0.0",
		"name":       "local",
		"plugins": []map[string]any{
			{
				"type": "bridge", "bridge": bridgeName, "isGateway": true, "hairpinMode": true,
				"ipam": map[string]any{
					"type": "host-local", "dataDir": p.file("addresses"),
					"ranges": [][]map[string]string{{{"subnet": podRange, "gateway": bridgeAddress}}},
					"routes": []map[string]string{{"dst": "0.0.0.0/0"}},
				},
			},
			{"type": "portmap", "capabilities": map[string]bool{"portMappings": true}},
		},
	}
	text, _ := json.MarshalIndent(config, "", "  ") // maps of strings always marshal
	return string(text)
}

// networkCommands furnish the sandbox's network. The bridge is made before the first pod,
// because the API server advertises its address.
var networkCommands = [][]string{
	{"ip", "link", "set", "lo", "up"},
	{"ip", "link", "add", bridgeName, "type", "bridge"},
	{"ip", "address", "add", bridgeAddress + "/24", "dev", bridgeName},
	{"ip", "link", "set", bridgeName, "up"},
	// The way out is decided before kube-proxy's rules translate: without one the node cannot begin to dial a Service.
	{"ip", "route", "add", serviceRange, "dev", bridgeName},
	{"sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"},
	// Traffic between two pods stays on the bridge; only so do Services and policies see it.
	{"sh", "-c", "echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables"},
}

// probeCommands ask the kernel for the rest of what a node needs, in a sandbox that is thrown away.
var probeCommands = [][]string{
	{"ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1"},
	{"nft", "add table inet probe; add chain inet probe c { type filter hook forward priority 0; }; add rule inet probe c ct state established accept"},
	{"sh", "-c", `grep -qw overlay /proc/filesystems || { echo "the kernel has no overlay file system"; exit 1; }`},
}

// runInside runs short commands in the sandbox, one after the other.
func runInside(ctx context.Context, s *sandbox, commands [][]string) error {
	for _, c := range commands {
		var said strings.Builder
		cmd := exec.CommandContext(ctx, c[0], c[1:]...)
		cmd.Stdout, cmd.Stderr = &said, &said
		err := s.start(cmd)
		if err == nil {
			err = cmd.Wait()
		}
		if err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, strings.TrimSpace(said.String()))
		}
	}
	return nil
}
