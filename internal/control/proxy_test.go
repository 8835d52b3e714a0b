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
		asks hipaav1.CaptureMode
	}{
		"a workload without proxies":        {give: nil, port: 8080, want: []int32{8080}},
		"one whose pods get theirs":         {give: proxied(hipaav1.PlaintextOpen), port: 8080, want: []int32{8080, 18080}},
		"one whose pods all have theirs":    {give: proxied(hipaav1.PlaintextClosed), port: 8080, want: []int32{18080}},
		"one whose traffic is redirected":   {give: &hipaav1.ProxyStatus{Plaintext: hipaav1.PlaintextClosed, Capture: hipaav1.CaptureRedirect}, port: 8080, want: []int32{8080, 18080}, asks: hipaav1.CaptureRedirect},
		"one that asks for names again":     {give: &hipaav1.ProxyStatus{Plaintext: hipaav1.PlaintextClosed, Capture: hipaav1.CaptureRedirect}, port: 8080, want: []int32{18080}, asks: hipaav1.CaptureNames},
		"a number that no port has":         {give: proxied(hipaav1.PlaintextClosed), port: 70000, want: []int32{70000}},
		"a number that a file had for none": {give: proxied(hipaav1.PlaintextClosed), port: -1, want: []int32{-1}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := &hipaav1.PHIWorkload{Status: hipaav1.PHIWorkloadStatus{Proxy: tt.give}}
			w.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: tt.asks}
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
