package phiworkload

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestWhatProxiesGoByStaysOnRecord(t *testing.T) {
	bare := phitest.Pod("web").Obj()
	proxied := phitest.Pod("api").With(func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: control.ProxyContainer})
	}).Obj()
	redirected := phitest.Pod("api").With(func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: control.RulesContainer}, corev1.Container{Name: control.ProxyContainer})
	}).Obj()
	before := &hipaav1.ProxyStatus{ConfigurationGeneration: 4, Plaintext: hipaav1.PlaintextClosed, ServiceAccounts: []string{"old"}, IssuerNamespace: "elsewhere"}
	status := func(generation int64, plaintext hipaav1.PlaintextAccess, namespace string, accounts ...string) *hipaav1.ProxyStatus {
		return &hipaav1.ProxyStatus{ConfigurationGeneration: generation, Plaintext: plaintext, ServiceAccounts: accounts, IssuerNamespace: namespace}
	}
	captured := func(s *hipaav1.ProxyStatus) *hipaav1.ProxyStatus {
		s = s.DeepCopy()
		s.Capture = hipaav1.CaptureRedirect
		return s
	}
	const home = "hipaa-operator-system"
	asked := []engine.Owned{{Object: &corev1.ConfigMap{}, Enforce: true}}
	var many []*corev1.Pod
	var first []string
	for i := range 20 {
		many = append(many, phitest.Pod(fmt.Sprintf("p%02d", i)).Obj())
		first = append(first, fmt.Sprintf("p%02d", i))
	}
	tests := map[string]struct {
		before  *hipaav1.ProxyStatus
		pods    []*corev1.Pod
		owned   []engine.Owned
		sealed  int64
		without bool
		// names says that the workload asks for Redirect no more, failed that the pass came to no end.
		names, failed bool
		want          *hipaav1.ProxyStatus
	}{
		"nobody asks for proxies":                          {pods: []*corev1.Pod{bare}},
		"sealed for the first time, before there are pods": {owned: asked, sealed: 1, want: status(1, hipaav1.PlaintextOpen, home)},
		"pods with theirs and without":                     {owned: asked, sealed: 1, pods: []*corev1.Pod{bare, proxied, proxied}, want: status(1, hipaav1.PlaintextOpen, home, "api", "web")},
		"every pod has its own":                            {owned: asked, before: before, sealed: 5, pods: []*corev1.Pod{proxied}, want: status(5, hipaav1.PlaintextClosed, home, "api")},
		"every pod has its rules":                          {owned: asked, before: before, sealed: 5, pods: []*corev1.Pod{redirected}, want: captured(status(5, hipaav1.PlaintextClosed, home, "api"))},
		"a pod without rules among them":                   {owned: asked, before: captured(before), sealed: 5, pods: []*corev1.Pod{redirected, proxied}, want: status(5, hipaav1.PlaintextClosed, home, "api")},
		"all redirected pods gone for a moment":            {owned: asked, before: captured(before), sealed: 4, want: captured(status(4, hipaav1.PlaintextClosed, home, "old"))},
		"names are asked for again":                        {owned: asked, before: captured(before), sealed: 5, pods: []*corev1.Pod{redirected}, names: true, want: status(5, hipaav1.PlaintextClosed, home, "api")},
		"names, and no pod to be seen":                     {owned: asked, before: captured(before), sealed: 4, names: true, want: status(4, hipaav1.PlaintextClosed, home, "old")},
		"names, and nobody could close the ports":          {owned: asked, before: captured(before), sealed: 5, pods: []*corev1.Pod{redirected}, names: true, failed: true, want: captured(status(5, hipaav1.PlaintextClosed, home, "api"))},
		"all pods gone for a moment":                       {owned: asked, before: before, sealed: 4, want: status(4, hipaav1.PlaintextClosed, home, "old")},
		"nobody could seal":                                {owned: asked, before: before, pods: []*corev1.Pod{proxied}, want: status(4, hipaav1.PlaintextClosed, home, "api")},
		"nobody asks any more, while a pod has one":        {before: before, pods: []*corev1.Pod{proxied, bare}, want: status(4, hipaav1.PlaintextOpen, home, "api", "web")},
		"nobody asks any more, and no pod has one":         {before: before, pods: []*corev1.Pod{bare}},
		"reported only": {
			before: before, owned: []engine.Owned{{Object: &corev1.ConfigMap{}}}, pods: []*corev1.Pod{proxied}, want: status(4, hipaav1.PlaintextClosed, home, "api"),
		},
		"an operator that lost its proxy, while a pod has one": {before: before, pods: []*corev1.Pod{proxied}, without: true, want: status(4, hipaav1.PlaintextClosed, "elsewhere", "api")},
		"more ServiceAccounts than are told":                   {owned: asked, sealed: 2, pods: many, want: status(2, hipaav1.PlaintextOpen, home, first[:16]...)},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t)
			s.workload.Status.Proxy, s.sealed, s.owned = tt.before, tt.sealed, tt.owned
			s.subject.World.Pods = tt.pods
			if !tt.names {
				s.workload.Spec.Transmission = &hipaav1.WorkloadTransmission{Capture: hipaav1.CaptureRedirect}
			}
			s.subject.Workload, s.subject.Profile = s.workload, &control.Profile{}
			s.subject.Profile.Transmission.Proxy = &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect}
			if tt.failed {
				s.progress = judged
			}
			if !tt.without {
				s.subject.World.Proxy = phitest.Proxy()
			}
			if diff := cmp.Diff(tt.want, statusOf(s, nil).Proxy); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A pass that failed has not seen what it would need to take anything back.
func TestAPassThatFailedTakesNoProxyBack(t *testing.T) {
	s := finished(t)
	s.workload.Status.Proxy = &hipaav1.ProxyStatus{ConfigurationGeneration: 4, Plaintext: hipaav1.PlaintextClosed, IssuerNamespace: "x"}
	s.progress = judged
	if got := statusOf(s, nil).Proxy; got == nil || got.ConfigurationGeneration != 4 {
		t.Errorf("got %+v", got)
	}
}

// Plaintext is closed once everybody has a proxy and callers have had time to hear of it,
// and then only a pod of the workload itself opens it again.
func TestPlaintextClosesOnce(t *testing.T) {
	bare := phitest.Pod("portal").Obj()
	proxied := phitest.Pod("api").With(func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: control.ProxyContainer})
	}).Obj()
	const open, settling, closed = hipaav1.PlaintextOpen, hipaav1.PlaintextSettling, hipaav1.PlaintextClosed
	status := func(access hipaav1.PlaintextAccess, accounts ...string) *hipaav1.ProxyStatus {
		return &hipaav1.ProxyStatus{ConfigurationGeneration: 1, Plaintext: access, ServiceAccounts: accounts}
	}
	until := func(p *hipaav1.ProxyStatus, at metav1.Time) *hipaav1.ProxyStatus {
		p.PlaintextUntil = &at
		return p
	}
	now := finished(t).now
	tests := map[string]struct {
		before       *hipaav1.ProxyStatus
		own, callers []*corev1.Pod
		settles      time.Duration
		want         hipaav1.PlaintextAccess
		wantUntil    *metav1.Time
	}{
		"a pod of its own has none":                       {before: status(closed, "api"), own: []*corev1.Pod{bare, proxied}, want: open},
		"a caller has none":                               {before: status(open, "api"), own: []*corev1.Pod{proxied}, callers: []*corev1.Pod{bare}, want: open},
		"a caller has none any more, after it was closed": {before: status(closed, "api"), own: []*corev1.Pod{proxied}, callers: []*corev1.Pod{bare}, want: closed},
		"first pods, with theirs":                         {before: status(open), own: []*corev1.Pod{proxied}, settles: time.Minute, want: closed},
		"first pods, with theirs, and a caller without":   {before: status(open), own: []*corev1.Pod{proxied}, callers: []*corev1.Pod{bare}, want: open},
		"the last one got its own":                        {before: status(open, "api"), own: []*corev1.Pod{proxied}, settles: time.Minute, want: settling, wantUntil: ptr.To(metav1.NewTime(now.Add(time.Minute).Truncate(time.Second)))},
		"callers have to hear of it still":                {before: until(status(settling, "api"), metav1.NewTime(now.Add(time.Second))), own: []*corev1.Pod{proxied}, settles: time.Minute, want: settling, wantUntil: ptr.To(metav1.NewTime(now.Add(time.Second)))},
		"they have heard":                                 {before: until(status(settling, "api"), metav1.NewTime(now)), own: []*corev1.Pod{proxied}, settles: time.Minute, want: closed},
		"a caller came back without, before they have":    {before: until(status(settling, "api"), metav1.NewTime(now.Add(time.Second))), own: []*corev1.Pod{proxied}, callers: []*corev1.Pod{bare}, settles: time.Minute, want: open},
		"an operator that waits for nobody":               {before: status(open, "api"), own: []*corev1.Pod{proxied}, want: closed},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := finished(t)
			s.workload.Status.Proxy, s.subject.World.Pods, s.subject.World.Proxy = tt.before, tt.own, phitest.Proxy()
			s.subject.World.Proxy.Settles = tt.settles
			s.workload.Spec.Access = &hipaav1.Access{From: []hipaav1.AccessPeer{phitest.FromWorkload("portal")}}
			s.subject.World.Parties = map[types.NamespacedName]control.Party{{Namespace: s.workload.Namespace, Name: "portal"}: {Pods: tt.callers}}
			got, until := s.plaintext()
			if got != tt.want || !equality.Semantic.DeepEqual(until, tt.wantUntil) {
				t.Errorf("got %s until %v, want %s until %v", got, until, tt.want, tt.wantUntil)
			}
		})
	}
}
