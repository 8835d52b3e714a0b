package main

import (
	"fmt"
	"testing"
)

func TestAddressPool(t *testing.T) {
	var pool addressPool
	seen := map[string]bool{}
	for i := range simulatedPods {
		ip, err := pool.claim(fmt.Sprint(i))
		if err != nil || seen[ip] {
			t.Fatalf("pod %d: got %q (seen: %v), %v", i, ip, seen[ip], err)
		}
		seen[ip] = true
	}
	first, _ := pool.claim("0")
	if again, err := pool.claim("0"); err != nil || again != first {
		t.Errorf("a pod's address changed from %s to %s, %v", first, again, err)
	}
	for i := simulatedPods; i < 2*254; i++ {
		if _, err := pool.claim(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	_, err := pool.claim("one more")
	wantErrorContaining(t, err, "all are in use")
	pool.free("0")
	if ip, err := pool.claim("one more"); err != nil || ip != first {
		t.Errorf("got %q, %v, want the address that became free, %s", ip, err, first)
	}
}

func TestAddressPoolGivesFreedAddressesLast(t *testing.T) {
	var pool addressPool
	first, _ := pool.claim("a")
	pool.free("a")
	if second, _ := pool.claim("b"); second == first {
		t.Errorf("gave %s again at once", first)
	}
}

func TestAddressPoolRebuild(t *testing.T) {
	running := pod{Metadata: podMeta{UID: "running"}, Status: podStatus{Phase: "Running", PodIP: "198.51.100.1"}}
	ended := pod{Metadata: podMeta{UID: "ended"}, Status: podStatus{Phase: "Succeeded", PodIP: "198.51.100.2"}}
	onHost := pod{Metadata: podMeta{UID: "host"}, Spec: podSpec{HostNetwork: true}, Status: podStatus{PodIP: simulatedNodeIP}}
	var pool addressPool
	pool.rebuild([]pod{running, ended, onHost})
	for uid, want := range map[string]string{"running": "198.51.100.1", "new": "198.51.100.2"} {
		if got, err := pool.claim(uid); err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %s", uid, got, err, want)
		}
	}
}
