package main

import (
	"net"
	"strconv"
	"testing"
)

func TestFreePortsAreDifferentAndUsable(t *testing.T) {
	got, err := freePorts(5, drawPort)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, port := range got {
		if seen[port] || port < firstPort || port > lastPort {
			t.Errorf("port %d is repeated or out of range in %v", port, got)
		}
		seen[port] = true
	}
}

func TestFreePortsSkipsTakenOnes(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, text, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	taken, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}

	_, err = freePorts(1, func() int { return taken })
	wantErrorContaining(t, err, "finding 1 free ports on loopback")

	draws := []int{taken, taken, 0} // 0 lets the kernel choose, which always works
	got, err := freePorts(1, func() int { d := draws[0]; draws = draws[1:]; return d })
	if err != nil || len(got) != 1 || len(draws) != 0 {
		t.Errorf("got %v, %v after a taken port", got, err)
	}
}
