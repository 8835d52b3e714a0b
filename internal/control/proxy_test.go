package control

import (
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// The names of a running pod's ports lead to numbers that cannot change.
func TestListenPorts(t *testing.T) {
	seen := map[int32]int32{}
	for port := int32(1); port <= lastPort; port++ {
		listen := ListenPort(port)
		if IsProxyPort(listen) || listen < 1 || listen > lastPort {
			t.Fatalf("%d leads to %d", port, listen)
		}
		if IsProxyPort(port) {
			continue // the application cannot have it
		}
		if other, taken := seen[listen]; taken {
			t.Fatalf("%d and %d both lead to %d", other, port, listen)
		}
		if seen[listen] = port; ApplicationPort(listen) != port {
			t.Fatalf("%d leads to %d, and that back to %d", port, listen, ApplicationPort(listen))
		}
	}
	for port, want := range map[int32]int32{80: 10080, 8080: 18080, 5432: 15432, 65535: 10000, 5020: 25020} {
		if got := ListenPort(port); got != want {
			t.Errorf("ListenPort(%d) = %d, want %d", port, got, want)
		}
	}
}

func TestListenersAreThoseThatPoliciesLeaveOpen(t *testing.T) {
	proxied := func(plaintext hipaav1.PlaintextAccess) *hipaav1.ProxyStatus {
		return &hipaav1.ProxyStatus{Plaintext: plaintext}
	}
	tests := map[string]struct {
		give *hipaav1.ProxyStatus
		port int32
		want []int32
	}{
		"a workload without proxies":        {nil, 8080, []int32{8080}},
		"one whose pods get theirs":         {proxied(hipaav1.PlaintextOpen), 8080, []int32{8080, 18080}},
		"one whose pods all have theirs":    {proxied(hipaav1.PlaintextClosed), 8080, []int32{18080}},
		"one whose traffic is redirected":   {&hipaav1.ProxyStatus{Plaintext: hipaav1.PlaintextClosed, Capture: hipaav1.CaptureRedirect}, 8080, []int32{8080, 18080}},
		"a number that no port has":         {proxied(hipaav1.PlaintextClosed), 70000, []int32{70000}},
		"a number that a file had for none": {proxied(hipaav1.PlaintextClosed), -1, []int32{-1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &hipaav1.PHIWorkload{Status: hipaav1.PHIWorkloadStatus{Proxy: tt.give}}
			if got := Listeners(w, tt.port); !slices.Equal(got, tt.want) {
				t.Errorf("Listeners(%d) = %v, want %v", tt.port, got, tt.want)
			}
		})
	}
}

func TestMountsOfTheProxyAreKnown(t *testing.T) {
	for _, tt := range []struct {
		volume, path string
		want         bool
	}{
		{"phi-proxy-trust", "/tmp", true},
		{"data", "/etc/../etc/resolv.conf", true},
		{"data", "/etc/resolv.conf.d", false},
		{"data", "/data", false},
	} {
		if got := IsOfProxy(corev1.VolumeMount{Name: tt.volume, MountPath: tt.path}); got != tt.want {
			t.Errorf("IsOfProxy(%s at %s) = %v", tt.volume, tt.path, got)
		}
	}
}
