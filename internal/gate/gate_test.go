package gate_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

func world(vendors []*hipaav1.Vendor, workloads ...*hipaav1.PHIWorkload) *gate.World {
	return &gate.World{Proxy: phitest.Proxy(), Vendors: vendors, Workloads: workloads, Now: phitest.Epoch}
}

func vendor(change func(*hipaav1.Vendor)) []*hipaav1.Vendor {
	v := phitest.Vendor("eprescribe").Obj()
	change(v)
	return []*hipaav1.Vendor{v}
}

func caller(name string, accounts ...string) *hipaav1.PHIWorkload {
	return phitest.Workload(name).To(phitest.ToVendor("eprescribe")).Proxied(accounts...).Obj()
}

// entries are what is let out, one line each.
func entries(c *config.Configuration) []string {
	var list []string
	for _, v := range c.Egress.Vendors {
		line := strings.Join(v.Names, ",") + fmt.Sprint(v.Ports)
		for _, from := range v.From {
			line += " " + strings.TrimPrefix(from.ID, "spiffe://cluster.local/ns/")
		}
		if !v.Until.IsZero() {
			line += " until " + v.Until.Format(time.DateOnly)
		}
		list = append(list, line)
	}
	return list
}

func TestOnlyWhoNamesAVendorIsLetOut(t *testing.T) {
	open := vendor(func(*hipaav1.Vendor) {})
	unproxied := phitest.Workload("bare").To(phitest.ToVendor("eprescribe")).Obj()
	other := phitest.Workload("lab").Namespace("lab").To(phitest.ToVendor("lab-vendor")).Proxied("lab").Obj()
	tests := map[string]struct {
		give *gate.World
		want []string
	}{
		"nobody where nobody names it":     {give: world(open, other, unproxied)},
		"who names it, by its identities":  {world(open, caller("api", "api", "worker"), other), []string{"api.eprescribe.example[443] ehr/sa/api ehr/sa/worker"}},
		"two who share one identity, once": {world(open, caller("api", "api"), caller("jobs", "api")), []string{"api.eprescribe.example[443] ehr/sa/api"}},
		"nobody to what nobody declares":   {give: world(nil, caller("api", "api"))},
		"nobody without an agreement":      {give: world(vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement = nil }), caller("api", "api"))},
		"nobody before anybody of it runs": {give: world(open, caller("api"))},
		"as ever past an end that cuts nobody off": {
			world(vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement.Expires = phitest.After(0) }), caller("api", "api")),
			[]string{"api.eprescribe.example[443] ehr/sa/api"},
		},
		"until the end where that is to close": {
			world(vendor(func(v *hipaav1.Vendor) {
				v.Spec.OnEnd, v.Spec.Continuity = hipaav1.OnEndClose, hipaav1.ContinuityDeferrable
			}), caller("api", "api")),
			[]string{"api.eprescribe.example[443] ehr/sa/api until 2027-03-02"},
		},
		"at each port to its own hosts, and never inside": {
			world(vendor(func(v *hipaav1.Vendor) {
				v.Spec.Hosts = []hipaav1.VendorHost{
					{Name: "b.example", Port: 443}, {Name: "db.example", Port: 5432}, {Name: "a.example", Port: 443}, {Name: "db.ehr.svc.cluster.local", Port: 443},
				}
			}), caller("api", "api")),
			[]string{"a.example,b.example[443] ehr/sa/api", "db.example[5432] ehr/sa/api"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := gate.Configuration(tt.give, 3)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, entries(c)); diff != "" {
				t.Errorf("vendors (-want +got):\n%s", diff)
			}
			var ports []string
			for _, rule := range gate.Policy(tt.give, c).Spec.Egress {
				for _, port := range rule.Ports {
					ports = append(ports, "["+port.Port.String()+"]")
				}
			}
			for _, line := range tt.want {
				if !slices.ContainsFunc(ports, func(p string) bool { return strings.Contains(line, p) }) {
					t.Errorf("the policy opens %v, not the port of %s", ports, line)
				}
			}
			if len(tt.want) == 0 && len(ports) > 0 {
				t.Errorf("the policy opens %v although nobody calls", ports)
			}
		})
	}
}

// A crowd is let out by several entries, and all of it.
func TestACrowdIsLetOut(t *testing.T) {
	var crowd []*hipaav1.PHIWorkload
	for i := range 2500 {
		crowd = append(crowd, caller(fmt.Sprintf("w%d", i), fmt.Sprintf("w%d", i)))
	}
	c, err := gate.Configuration(world(vendor(func(*hipaav1.Vendor) {}), crowd...), 1)
	if err != nil {
		t.Fatal(err)
	}
	exits := gate.Exits(c, phitest.Epoch)
	if len(exits) != len(crowd) || !exits[control.Exit{From: "spiffe://cluster.local/ns/ehr/sa/w2499", Host: "api.eprescribe.example", Port: 443}] {
		t.Errorf("%d of %d are let out", len(exits), len(crowd))
	}
}

func TestNothingInsideIsDialled(t *testing.T) {
	nodes := []*corev1.Node{
		{
			Spec: corev1.NodeSpec{PodCIDRs: []string{"10.244.0.0/24", "2001:db8:7::/64", "no range"}},
			Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: "10.0.0.5"}, {Type: corev1.NodeExternalIP, Address: "203.0.113.5"}, {Type: corev1.NodeHostName, Address: "n1"},
			}},
		},
		{Spec: corev1.NodeSpec{PodCIDRs: []string{"198.51.100.0/24"}}, Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Address: "198.51.100.9"}}}},
	}
	refused := gate.Refused(nodes)
	for address, want := range map[string]bool{
		"10.0.0.5": true, "10.244.3.7": true, "192.168.1.1": true, "172.31.0.1": true, "100.64.0.1": true, "169.254.169.254": true, "fd00:ec2::254": true,
		"203.0.113.5": true, "203.0.113.6": false, "198.51.100.77": true, "2001:db8:7::9": true, "2001:db8:8::9": false, "93.184.215.14": false, "172.32.0.1": false,
	} {
		got := slices.ContainsFunc(refused, func(text string) bool { return netip.MustParsePrefix(text).Contains(netip.MustParseAddr(address)) })
		if got != want {
			t.Errorf("%s is refused: %t", address, got)
		}
	}
	if slices.Contains(refused, "10.0.0.5/32") || slices.Contains(refused, "198.51.100.9/32") {
		t.Errorf("what another covers stands beside it: %v", refused)
	}
	w := world(nil)
	w.Nodes = nodes
	if _, err := gate.Configuration(w, 1); err != nil {
		t.Error(err)
	}
}
