package main

import (
	"errors"
	"fmt"
)

// Simulated addresses come from the ranges that RFC 5737 reserves for documentation: no
// network routes them, so nobody can mistake a simulated pod for a machine that answers.
const simulatedNodeIP = "192.0.2.1"

var simulatedPodNets = []string{"198.51.100", "203.0.113"}

// simulatedPods is how many pods the node offers to run; there are 508 addresses.
const simulatedPods = 500

// addressPool gives each pod, by UID, an address of its own. The zero value is empty.
type addressPool struct {
	byUID map[string]string
	// next goes round, so that an address comes back as late as possible.
	next int
}

// claim returns the pod's address and takes a free one if it has none.
func (a *addressPool) claim(uid string) (string, error) {
	if ip, ok := a.byUID[uid]; ok {
		return ip, nil
	}
	taken := make(map[string]bool, len(a.byUID))
	for _, ip := range a.byUID {
		taken[ip] = true
	}
	const hosts = 254
	for range hosts * len(simulatedPodNets) {
		ip := fmt.Sprintf("%s.%d", simulatedPodNets[a.next/hosts], 1+a.next%hosts)
		a.next = (a.next + 1) % (hosts * len(simulatedPodNets))
		if !taken[ip] {
			a.set(uid, ip)
			return ip, nil
		}
	}
	return "", errors.New("claiming a pod address: all are in use")
}

// rebuild forgets everything and notes the addresses that these pods have.
func (a *addressPool) rebuild(pods []pod) {
	a.byUID = nil
	for _, p := range pods {
		if p.Status.PodIP != "" && !p.Spec.HostNetwork && !p.terminal() {
			a.set(p.Metadata.UID, p.Status.PodIP)
		}
	}
}

func (a *addressPool) free(uid string) { delete(a.byUID, uid) }

func (a *addressPool) set(uid, ip string) {
	if a.byUID == nil {
		a.byUID = map[string]string{}
	}
	a.byUID[uid] = ip
}
