package gate_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// speaking is a profile of callers.
func speaking(tls hipaav1.TLSVersion, grace *metav1.Duration, dns ...hipaav1.DNSServer) *control.Profile {
	p := &control.Profile{}
	p.Transmission.Proxy = &hipaav1.ProxyParameters{MinimumTLS: tls, OutageGrace: grace}
	p.Network.DNS = dns
	return p
}

func lasts(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

// There is one phi-egress for all callers, so that no profile is loosened by another.
func TestTheStrictestProfileOfCallersCounts(t *testing.T) {
	tests := map[string]struct {
		give  []*control.Profile
		tls   string
		grace time.Duration
	}{
		"nobody calls":                         {nil, "", 72 * time.Hour},
		"a profile that says nothing":          {[]*control.Profile{{}}, "1.3", 72 * time.Hour},
		"one that takes less":                  {[]*control.Profile{speaking(hipaav1.TLS12, lasts(100*time.Hour))}, "1.2", 100 * time.Hour},
		"none of them takes more than another": {[]*control.Profile{speaking(hipaav1.TLS12, lasts(time.Hour)), speaking(hipaav1.TLS13, lasts(2*time.Hour))}, "1.3", time.Hour},
		"in whatever order":                    {[]*control.Profile{speaking(hipaav1.TLS13, lasts(2*time.Hour)), speaking(hipaav1.TLS12, lasts(time.Hour))}, "1.3", time.Hour},
		"who says nothing has the defaults":    {[]*control.Profile{speaking(hipaav1.TLS12, lasts(100*time.Hour)), {}}, "1.3", 72 * time.Hour},
		"no grace at all":                      {[]*control.Profile{speaking("", lasts(0)), speaking("", lasts(time.Hour))}, "1.3", 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := world(nil)
			w.Profiles = tt.give
			c, err := gate.Configuration(w, 1)
			if err != nil {
				t.Fatal(err)
			}
			if c.TLS.MinVersion != tt.tls || time.Duration(c.OutageGrace) != tt.grace {
				t.Errorf("it speaks TLS %q and waits %v", c.TLS.MinVersion, time.Duration(c.OutageGrace))
			}
		})
	}
}

// Where names are resolved differs: behind a Service at 53 pods may listen at another port, for which policies hold.
func TestNamesAreAskedWhereTheyAreResolved(t *testing.T) {
	at := func(cidr string, port int32) hipaav1.DNSServer { return hipaav1.DNSServer{CIDR: cidr, Port: port} }
	discovered := control.Resolver{Namespace: "kube-system", Pods: phitest.Labels("k8s-app", "kube-dns"), Port: 5353}
	inPods := hipaav1.DNSServer{Namespace: "openshift-dns", PodSelector: phitest.Labels("dns", "default"), Port: 5353}
	tests := map[string]struct {
		profiles []*control.Profile
		asked    []string
		opened   []string
	}{
		"as discovered": {
			asked: []string{"10.96.0.10:53"}, opened: []string{"kube-system k8s-app=kube-dns 5353"},
		},
		"as all profiles of callers say": {
			[]*control.Profile{speaking("", nil, at("169.254.20.10/32", 0), inPods), speaking("", nil, at("169.254.20.10/32", 0), at("10.0.0.2/32", 5300))},
			[]string{"169.254.20.10:53"},
			[]string{"10.0.0.2/32 5300", "169.254.20.10/32 53", "kube-system k8s-app=kube-dns 5353", "openshift-dns dns=default 5353"},
		},
		"as discovered where one profile alone names an address": {
			[]*control.Profile{speaking("", nil, at("169.254.20.10/32", 0)), speaking("", nil)},
			[]string{"10.96.0.10:53"},
			[]string{"169.254.20.10/32 53", "kube-system k8s-app=kube-dns 5353"},
		},
		"a selector that cannot be read is left out": {
			[]*control.Profile{speaking("", nil, hipaav1.DNSServer{PodSelector: unread, Port: 53})},
			[]string{"10.96.0.10:53"},
			[]string{"kube-system k8s-app=kube-dns 5353"},
		},
		"as discovered where profiles name no address": {
			[]*control.Profile{speaking("", nil, inPods, at("10.0.0.0/24", 0))},
			[]string{"10.96.0.10:53"},
			[]string{"10.0.0.0/24 53", "kube-system k8s-app=kube-dns 5353", "openshift-dns dns=default 5353"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := world(nil)
			w.Profiles, w.Resolvers = tt.profiles, []control.Resolver{discovered}
			w.Proxy.NameServers = []netip.AddrPort{netip.MustParseAddrPort("10.96.0.10:53")}
			c, err := gate.Configuration(w, 1)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.asked, c.Resolver.Upstreams); diff != "" {
				t.Errorf("asked (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.opened, opened(t, gate.Policy(w, c))); diff != "" {
				t.Errorf("opened (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhoReadsTheMetricsOfCallersReadsThoseOfTheGate(t *testing.T) {
	prometheus := hipaav1.Monitor{Namespace: "monitoring", PodSelector: phitest.Labels("app", "prometheus")}
	agent := hipaav1.Monitor{Namespace: "agents", PodSelector: phitest.Labels("app", "agent")}
	reads := func(monitors ...hipaav1.Monitor) *control.Profile {
		return &control.Profile{Network: control.NetworkParameters{Monitors: monitors}}
	}
	for name, tt := range map[string]struct {
		profiles []*control.Profile
		want     []string
	}{
		"nobody":                         {[]*control.Profile{reads()}, nil},
		"all that any of them names":     {[]*control.Profile{reads(prometheus), reads(prometheus, agent)}, []string{"agents app=agent", "monitoring app=prometheus"}},
		"nobody that cannot be selected": {[]*control.Profile{reads(hipaav1.Monitor{Namespace: "monitoring", PodSelector: unread}, hipaav1.Monitor{Namespace: "all"})}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := world(nil)
			w.Profiles = tt.profiles
			c, err := gate.Configuration(w, 1)
			if err != nil {
				t.Fatal(err)
			}
			p := gate.Policy(w, c)
			var got []string
			for _, rule := range p.Spec.Ingress {
				if len(rule.Ports) != 1 || rule.Ports[0].Port.String() != "15090" || *rule.Ports[0].Protocol != "TCP" {
					t.Errorf("the ports are %v", rule.Ports)
				}
				for _, from := range rule.From {
					got = append(got, from.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"]+" "+metav1.FormatLabelSelector(from.PodSelector))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("who reads (-want +got):\n%s", diff)
			}
			if slices.Contains(p.Spec.PolicyTypes, networkingv1.PolicyTypeIngress) != (len(tt.want) > 0) {
				t.Errorf("it is about %v", p.Spec.PolicyTypes)
			}
		})
	}
}

// unread is a selector that the API server takes in no policy.
var unread = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: "Like"}}}

// opened are the ways of a policy by UDP, one line each.
func opened(t *testing.T, p *networkingv1.NetworkPolicy) []string {
	t.Helper()
	var list []string
	for _, rule := range p.Spec.Egress {
		if len(rule.To) != 1 || len(rule.Ports) != 2 || *rule.Ports[0].Protocol != "UDP" || *rule.Ports[1].Protocol != "TCP" || *rule.Ports[0].Port != *rule.Ports[1].Port {
			t.Fatalf("a rule is %+v", rule)
		}
		var line string
		to := rule.To[0]
		if to.IPBlock != nil {
			line = to.IPBlock.CIDR
		} else {
			line = to.NamespaceSelector.MatchLabels["kubernetes.io/metadata.name"] + " " + metav1.FormatLabelSelector(to.PodSelector)
		}
		list = append(list, line+" "+rule.Ports[0].Port.String())
	}
	return list
}
