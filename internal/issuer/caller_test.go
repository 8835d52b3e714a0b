package issuer

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestATokenSpeaksOfOnePod(t *testing.T) {
	bound := func(name, uid string) map[string]authenticationv1.ExtraValue {
		return map[string]authenticationv1.ExtraValue{extraPodName: {name}, extraPodUID: {uid}}
	}
	tests := map[string]struct {
		give authenticationv1.UserInfo
		want caller
	}{
		"a token of a pod":                   {authenticationv1.UserInfo{Username: "system:serviceaccount:ehr:api", Extra: bound("api-1", "u")}, caller{"ehr", "api", "api-1", "u"}},
		"one that is bound to nothing":       {give: authenticationv1.UserInfo{Username: "system:serviceaccount:ehr:api"}},
		"one without a uid":                  {give: authenticationv1.UserInfo{Username: "system:serviceaccount:ehr:api", Extra: bound("api-1", "")}},
		"one of two pods":                    {give: authenticationv1.UserInfo{Username: "system:serviceaccount:ehr:api", Extra: map[string]authenticationv1.ExtraValue{extraPodName: {"a", "b"}, extraPodUID: {"u"}}}},
		"a user":                             {give: authenticationv1.UserInfo{Username: "tina@example.org", Extra: bound("api-1", "u")}},
		"a user who is called nearly so":     {give: authenticationv1.UserInfo{Username: "x:system:serviceaccount:ehr:api", Extra: bound("api-1", "u")}},
		"a ServiceAccount of too many parts": {give: authenticationv1.UserInfo{Username: "system:serviceaccount:ehr:api:x", Extra: bound("api-1", "u")}},
		"a ServiceAccount of too few":        {give: authenticationv1.UserInfo{Username: "system:serviceaccount:ehr", Extra: bound("api-1", "u")}},
		"nobody":                             {give: authenticationv1.UserInfo{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, no := callerOf(test.give)
			if got != test.want || (no == nil) != (test.want != caller{}) {
				t.Errorf("got %+v, %+v", got, no)
			}
		})
	}
}

// What the API server is asked about has three parts, and is bounded, whatever came.
func FuzzBearer(f *testing.F) {
	f.Add(good)
	f.Add(formed(`{"aud":"issuer.hipaa-operator.io"}`))
	f.Add("Bearer ..")
	f.Fuzz(func(t *testing.T, header string) {
		token, no := bearer(header)
		if (token == "") != (no != nil) {
			t.Fatalf("got %q, %+v", token, no)
		}
		if no == nil && (len(token) > maxToken || strings.Count(token, ".") != 2 || header != "Bearer "+token) {
			t.Errorf("it takes %q", header)
		}
	})
}

func TestAPodIsHeldAgainstTokenAndConnection(t *testing.T) {
	asks := caller{namespace: "ehr", account: "api", pod: "api-1", uid: "u"}
	tests := map[string]struct {
		change func(*corev1.Pod)
		from   string
		want   string
	}{
		"it asks itself":            {},
		"it asks by IPv6":           {from: "fd00::1"},
		"it asks by mapped IPv4":    {from: "::ffff:10.0.0.1"},
		"it asks with a long IPv6":  {change: func(p *corev1.Pod) { p.Status.PodIPs = []corev1.PodIP{{IP: "fd00:0:0::1"}} }, from: "fd00::1"},
		"another address asks":      {from: "10.0.0.2", want: "the request for pod ehr/api-1 does not come from its address: connect without a proxy or address translation in between"},
		"its node asks":             {change: func(p *corev1.Pod) { p.Status.HostIP = "10.9.9.9" }, from: "10.9.9.9", want: "the request for pod ehr/api-1 does not come from its address: connect without a proxy or address translation in between"},
		"it has no address":         {change: func(p *corev1.Pod) { p.Status.PodIPs = nil }, want: "pod ehr/api-1 has no address in its status yet"},
		"it has an empty address":   {change: func(p *corev1.Pod) { p.Status.PodIPs = []corev1.PodIP{{}} }, want: "the request for pod ehr/api-1 does not come from its address: connect without a proxy or address translation in between"},
		"it has its node's":         {change: func(p *corev1.Pod) { p.Spec.HostNetwork = true }, want: "pod ehr/api-1 has the addresses of its node, so that its own cannot be told"},
		"it is another of the name": {change: func(p *corev1.Pod) { p.UID = "v" }, want: "pod ehr/api-1 is another one than that of the token"},
		"it is somebody else":       {change: func(p *corev1.Pod) { p.Spec.ServiceAccountName = "db" }, want: "pod ehr/api-1 runs under another ServiceAccount"},
		"it is being deleted":       {change: func(p *corev1.Pod) { p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)} }, want: "pod ehr/api-1 is being deleted"},
		"it has ended":              {change: func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded }, want: "pod ehr/api-1 has ended"},
		"it has failed":             {change: func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, want: "pod ehr/api-1 has ended"},
		"it runs nowhere":           {change: func(p *corev1.Pod) { p.Spec.NodeName = "" }, want: "pod ehr/api-1 runs on no node"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "api-1", UID: "u"},
				Spec:       corev1.PodSpec{ServiceAccountName: "api", NodeName: "n"},
				Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: "10.0.0.1"}, {IP: "fd00::1"}}},
			}
			if test.change != nil {
				test.change(pod)
			}
			from := netip.MustParseAddr("10.0.0.1")
			if test.from != "" {
				from = netip.MustParseAddr(test.from).Unmap()
			}
			got := ""
			no := checkPod(asks, pod, from)
			if no != nil {
				got = no.text
			}
			if got != test.want {
				t.Errorf("got %q", got)
			}
			// Only what time heals is worth asking again for.
			if again := no != nil && no.after > 0; again != (name == "it has no address") {
				t.Errorf("asking again is advised: %t", again)
			}
		})
	}
}
