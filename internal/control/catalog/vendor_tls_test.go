package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// calling is a workload that calls vendor eprescribe by phi-egress, as it should be. Its
// pod runs, and phi-egress lets it out.
func calling() control.Subject {
	w := phitest.Workload("api").Namespace("ehr").To(phitest.ToKubernetesAPI(), phitest.ToVendor("eprescribe")).Proxied("api").Obj()
	pod := phitest.Pod("api-0").Of(w).Obj()
	always := corev1.ContainerRestartPolicyAlways
	pod.Spec.InitContainers = []corev1.Container{{Name: control.ProxyContainer, RestartPolicy: &always}}
	return control.Subject{Profile: &control.Profile{}, Workload: w, Now: phitest.Epoch, World: &control.World{
		Proxy: phitest.Proxy(), Pods: []*corev1.Pod{pod},
		Vendors: map[string]*hipaav1.Vendor{"eprescribe": phitest.Vendor("eprescribe").Obj()},
		Egress:  &control.Egress{Ready: 2, Exits: map[control.Exit]bool{{From: "spiffe://cluster.local/ns/ehr/sa/api", Host: "api.eprescribe.example", Port: 443}: true}},
	}}
}

func TestVendorsAreCalledInTLSByPHIEgressAlone(t *testing.T) {
	const day = 24 * time.Hour
	const eprescribe = `spec.egress.to[1].vendor is "eprescribe"`
	past := func(s *control.Subject, cidr string, ports ...int32) {
		s.Workload.Spec.Egress.To = append(s.Workload.Spec.Egress.To, phitest.ToBlock(cidr, ports...))
	}
	vendor := func(change func(*hipaav1.Vendor)) func(*control.Subject) {
		return func(s *control.Subject) { change(s.World.Vendors["eprescribe"]) }
	}
	bare := func(s *control.Subject) {
		pod := s.World.Pods[0].DeepCopy()
		pod.Name, pod.Spec.InitContainers = "bare", nil
		s.World.Pods = append(s.World.Pods, pod)
	}
	met := []string{"Pass " + eprescribe + ", called in TLS at api.eprescribe.example:443 and by phi-egress alone"}
	tests := map[string]struct {
		change func(*control.Subject)
		want   []string
		until  time.Duration
	}{
		"as it should be, until the agreement ends": {func(*control.Subject) {}, met, 305 * day},
		"a workload without vendors": {
			change: func(s *control.Subject) { s.Workload.Spec.Egress.To = s.Workload.Spec.Egress.To[:1] },
			want:   []string{"NotApplicable  it declares no vendor, and nothing else may leave"},
		},
		"a workload without flows": {
			change: func(s *control.Subject) { s.Workload.Spec.Egress = nil },
			want:   []string{"NotApplicable  it declares no vendor, and nothing else may leave"},
		},
		"an operator without a proxy": {
			change: func(s *control.Subject) { s.World.Proxy = nil },
			want:   []string{"Unknown  the operator was installed without a proxy, so that nothing says how calls to vendors leave"},
		},
		"an operator without phi-egress": {
			change: func(s *control.Subject) { s.World.Egress = nil },
			want:   []string{"Unknown  phi-egress, by which calls to vendors leave, is not installed or not configured yet"},
		},
		"phi-egress of which no pod is ready": {
			change: func(s *control.Subject) { s.World.Egress.Ready = 0 },
			want:   []string{"Unknown  no pod of phi-egress takes calls"},
		},
		"a pod without the proxy": {
			change: bare,
			want:   []string{"Fail  pod bare has no proxy, so that nothing asks for TLS of what it sends"},
		},
		"a pod without the proxy, which nothing makes good": {
			change: func(s *control.Subject) {
				bare(s)
				s.World.Egress.Ready = 0
			},
			want: []string{"Fail  pod bare has no proxy, so that nothing asks for TLS of what it sends", "Unknown  no pod of phi-egress takes calls"},
		},
		"a vendor that nobody declares": {
			change: func(s *control.Subject) { s.World.Vendors = nil },
			want:   []string{"Unknown " + eprescribe + ", which no Vendor declares, so that no call leaves for it"},
		},
		"calls that two people have closed": {
			change: vendor(func(v *hipaav1.Vendor) {
				digest, err := v.Spec.Agreement.Fingerprint()
				if err != nil {
					t.Fatal(err)
				}
				v.Status.Closure = &hipaav1.VendorClosure{
					Proposal: &hipaav1.ClosureWord{Person: "ana", AgreementDigest: digest}, Approval: &hipaav1.ClosureWord{Person: "ben", AgreementDigest: digest},
				}
			}),
			want:  []string{"Pass " + eprescribe + ", to which phi-egress lets no call out: two people have decided to close calls to it: one of them takes it back by removing their word from status.closure"},
			until: 305 * day,
		},
		"an agreement that does not count yet, until it does": {
			change: vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement.Effective = phitest.After(day) }),
			want:   []string{"Pass " + eprescribe + ", to which phi-egress lets no call out: its agreement does not count yet"},
			until:  day,
		},
		"no agreement": {
			change: vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement = nil }),
			want:   []string{"Pass " + eprescribe + ", to which phi-egress lets no call out: there is no agreement with it: conclude one and have the privacy officer declare it"},
		},
		"an agreement that has ended, and calls go on": {
			change: vendor(func(v *hipaav1.Vendor) { v.Spec.Agreement.Expires = phitest.After(0) }), want: met,
		},
		"an agreement that has ended, and calls with it": {
			change: vendor(func(v *hipaav1.Vendor) {
				v.Spec.Agreement.Expires, v.Spec.OnEnd, v.Spec.Continuity = phitest.After(0), hipaav1.OnEndClose, hipaav1.ContinuityBusiness
			}),
			want: []string{"Pass " + eprescribe + ", to which phi-egress lets no call out: its agreement has ended, and spec.onEnd closes calls then: conclude another one"},
		},
		"nobody who calls": {
			change: func(s *control.Subject) { s.World.Pods = nil },
			want:   []string{"Pass " + eprescribe + ", and no pod runs that calls it"},
		},
		"a workload that phi-egress does not know": {
			change: func(s *control.Subject) { s.Workload.Status.Proxy = nil },
			want:   []string{"Unknown " + eprescribe + ", to whose host api.eprescribe.example:443 phi-egress does not let this workload out"},
		},
		"one of two hosts to which nobody is let out": {
			change: vendor(func(v *hipaav1.Vendor) {
				v.Spec.Hosts = append(v.Spec.Hosts, hipaav1.VendorHost{Name: "db.eprescribe.example", Port: 5432})
			}),
			want: []string{"Unknown " + eprescribe + ", to whose host db.eprescribe.example:5432 phi-egress does not let this workload out"},
		},
		"a range that leads past phi-egress, where the vendor is called": {
			change: func(s *control.Subject) { past(s, "203.0.113.0/24", 443, 25) },
			want:   []string{`Fail spec.egress.to[2].ipBlock opens port 443, by which Vendor "eprescribe" can be called past phi-egress, in plaintext and at any host`},
		},
		"everything, which is more than private": {
			change: func(s *control.Subject) { past(s, "10.0.0.0/7", 443) },
			want:   []string{`Fail spec.egress.to[2].ipBlock opens port 443, by which Vendor "eprescribe" can be called past phi-egress, in plaintext and at any host`},
		},
		"a range of a private line":    {func(s *control.Subject) { past(s, "10.7.0.0/16", 443) }, met, 305 * day},
		"a range at another port":      {func(s *control.Subject) { past(s, "203.0.113.0/24", 25) }, met, 305 * day},
		"private networks of 172 only": {func(s *control.Subject) { past(s, "172.16.0.0/12", 443) }, met, 305 * day},
		"more than those of 172": {
			change: func(s *control.Subject) { past(s, "172.16.0.0/11", 443) },
			want:   []string{`Fail spec.egress.to[2].ipBlock opens port 443, by which Vendor "eprescribe" can be called past phi-egress, in plaintext and at any host`},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := calling()
			tt.change(&s)
			var got []string
			var last control.Finding
			for _, f := range checkVendorTLS(s) {
				got, last = append(got, string(f.Verdict)+" "+f.Path+" "+f.Message), f
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			if tt.until > 0 && !last.Until.Equal(phitest.Epoch.Add(tt.until)) {
				t.Errorf("it holds until %s", last.Until)
			}
		})
	}
}
