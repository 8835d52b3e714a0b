package flows_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/reach"
)

func TestProxiesReachTheProvidersWhoseTokensTheyTake(t *testing.T) {
	s := town{resolvers: dns}.subject()
	s.Profile.Users.Realms = map[string]hipaav1.Realm{
		"inside":  {Name: "inside", Namespace: "sso", PodSelector: phitest.Labels("app", "keycloak"), Port: 8443},
		"outside": {Name: "outside", CIDRs: []string{"198.51.100.0/24", "2001:db8::/64"}, Port: 443},
		"nowhere": {Name: "nowhere"},
		"unread":  {Name: "unread", CIDRs: []string{"x"}, Port: 443},
		"other":   {Name: "other", CIDRs: []string{"203.0.113.0/24"}, Port: 443},
	}
	w := phitest.Workload("api").Proxied("api").Users("inside").Obj()
	w.Spec.Users.Realms = append(w.Spec.Users.Realms, "outside", "nowhere", "unread", "gone")
	var opened, closed []string
	peers := 0
	for _, f := range flows.Of(s, w).Egress {
		switch {
		case f.Closed != "":
			closed = append(closed, f.Path+" "+f.Closed)
		case f.Opens():
			opened = append(opened, f.Path)
			peers += len(f.Peers)
		}
		for _, peer := range f.Peers {
			if b, is := peer.(reach.Block); is && b.CIDR.String() == "203.0.113.0/24" {
				t.Error("a provider is reached whose tokens count for nothing")
			}
		}
	}
	if diff := cmp.Diff([]string{"identity provider inside", "identity provider outside", "certificates", "name resolution"}, opened); diff != "" || peers != 5 {
		t.Errorf("it opens %d peers (-want +got):\n%s", peers, diff)
	}
	if diff := cmp.Diff([]string{"identity provider unread has a range that cannot be read"}, closed); diff != "" {
		t.Errorf("it keeps closed (-want +got):\n%s", diff)
	}
	w.Status.Proxy = nil
	if slices.ContainsFunc(flows.Of(s, w).Egress, func(f flows.Flow) bool { return f.Path == "identity provider inside" }) {
		t.Error("the application reaches the provider where there is no proxy")
	}
}
