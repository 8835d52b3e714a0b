package injection

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// identities is a profile that knows people in every way.
func identities() control.Profile {
	p := control.Profile{}
	p.Network.Gateways = map[string]hipaav1.Gateway{"edge": {Name: "edge", Namespace: "edge", PodSelector: phitest.Labels("app", "nginx")}, "cloud": {Name: "cloud", CIDRs: []string{"192.0.2.0/24"}}}
	speaks := hipaav1.UserGateway{User: "X-Auth-Request-User", Roles: "X-Auth-Request-Groups", Methods: "X-Amr", Authenticated: "X-Auth-Time"}
	p.Users = control.UserParameters{
		Realms: map[string]hipaav1.Realm{
			"staff": {
				Name: "staff", Issuer: "https://idp.example/realms/staff", Audiences: []string{"chart", "portal"}, Upstream: "keycloak.sso.svc.cluster.local:8443",
				RolesClaim: "realm_access.roles", Algorithms: []hipaav1.TokenAlgorithm{"ES256"}, Outage: &metav1.Duration{Duration: time.Hour},
			},
			"patients": {Name: "patients", Issuer: "https://idp.example/realms/patients", Audiences: []string{"portal"}},
		},
		Gateways:  map[string]hipaav1.UserGateway{"edge": speaks, "cloud": speaks},
		Factors:   &hipaav1.FactorValues{Classes: []string{"gold"}},
		OpenPaths: [][]string{{"/static/*", "/health"}},
		Roles:     map[string]control.RoleSession{"ward": {Idle: time.Hour}, "clerk": {Idle: 5 * time.Minute}},
		Failures:  5, DevicesAtOnce: 2,
		BreakGlass: &hipaav1.BreakGlassParameters{Roles: []string{"clinician"}},
		Records:    hipaav1.UserRecordsSubject,
	}
	p.Session.OwnIdle = 10 * time.Minute
	return p
}

// asking is a workload whose people come by a gateway and a realm.
func asking(change func(*hipaav1.WorkloadUsers)) *hipaav1.PHIWorkload {
	w := api().From(phitest.FromGateway("edge"), phitest.FromWorkload("portal")).To(phitest.ToWorkload("db")).Stored().Obj()
	w.Spec.Users = &hipaav1.WorkloadUsers{Realms: []string{"staff"}, Audiences: []string{"chart"}, Gateways: []string{"edge"}}
	if change != nil {
		change(w.Spec.Users)
	}
	return w
}

func configured(t *testing.T, w *hipaav1.PHIWorkload, profile control.Profile) (*config.Configuration, []string, error) {
	t.Helper()
	db := database()
	a := realApplication{workloads: []*hipaav1.PHIWorkload{w, db, phitest.Workload("portal").Proxied("portal").Obj()}}
	s := a.subject(w)
	s.Profile = &profile
	with := settings()
	refusal := config.Refusal{Control: "a", Citation: "45 CFR"}
	with.Users = config.UserRefusals{Identity: refusal, MultiFactor: refusal, Session: refusal, Lockout: refusal}
	with.Parties = map[types.NamespacedName]control.Party{
		{Namespace: phitest.DefaultNamespace, Name: "db"}: {Pods: []*corev1.Pod{member(0)}, Services: []*corev1.Service{serviceOf("db", port(6379, intstr.FromString("postgres")))}},
	}
	return Configuration(s, with)
}

func TestWhatAWorkloadSaysOfItsUsersConfiguresItsProxies(t *testing.T) {
	c, _, err := configured(t, asking(func(u *hipaav1.WorkloadUsers) {
		u.Cookie = "SID"
		u.Routes = []hipaav1.UserRoute{
			{Name: "static", Paths: []string{"/static/*"}, Methods: []string{"GET"}, Who: hipaav1.RoutePrincipalsNobody},
			{Name: "load", Paths: []string{"/load"}, Who: hipaav1.RoutePrincipalsAnyone, Factors: hipaav1.FactorDemandOne, Machines: []hipaav1.RouteMachine{
				{PHIWorkload: &hipaav1.PHIWorkloadPeer{Name: "portal"}}, {Realm: "staff", Subject: "etl"},
			}},
			{Name: "admin", Paths: []string{"/admin/*"}, MaxAge: &metav1.Duration{Duration: time.Hour}, IdleTimeout: &metav1.Duration{Duration: 2 * time.Minute}, Emergency: hipaav1.EmergencyEffectClosed},
			{Name: "inbox", Paths: []string{"/inbox"}, Activity: hipaav1.RouteActivityPolling},
			{Name: "sign", Paths: []string{"/sign"}, SignIn: hipaav1.SignInApplication},
		}
		u.Replicas = &hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeStore, Store: &hipaav1.SessionStore{PHIWorkload: hipaav1.PHIWorkloadPeer{Name: "db"}}}
	}), identities())
	if err != nil {
		t.Fatal(err)
	}
	store := ""
	for _, call := range c.Outbound {
		if call.Names[0] == "db.ehr.svc.cluster.local" {
			store = call.Address + ":6379"
		}
	}
	refusal := config.Refusal{Control: "a", Citation: "45 CFR"}
	want := &config.Users{
		Issuers: []config.Issuer{{
			URL: "https://idp.example/realms/staff", Audiences: []string{"chart"}, Algorithms: []string{"ES256"}, Upstream: "keycloak.sso.svc.cluster.local:8443",
			Outage: config.Duration(time.Hour), RolesClaim: "realm_access.roles",
		}},
		Gateways: []config.Gateway{{ID: "spiffe://cluster.local/ns/edge/gateway/edge", User: "X-Auth-Request-User", Roles: "X-Auth-Request-Groups", Methods: "X-Amr", Authenticated: "X-Auth-Time"}},
		Routes: []config.Route{
			{Name: "static", Paths: []string{"/static/*"}, Methods: []string{"GET"}, Who: config.Nobody},
			{Name: "load", Paths: []string{"/load"}, Who: config.Anyone, Machines: []config.Machine{
				{Issuer: "https://idp.example/realms/staff", Subject: "etl"}, {Peer: "spiffe://cluster.local/ns/ehr/sa/portal"},
			}},
			{Name: "admin", Paths: []string{"/admin/*"}, MultiFactor: true, MaxAge: config.Duration(time.Hour), Limits: config.SessionLimits{Idle: config.Duration(2 * time.Minute)}},
			{Name: "inbox", Paths: []string{"/inbox"}, MultiFactor: true, Activity: config.Polling},
			{Name: "sign", Paths: []string{"/sign"}, MultiFactor: true, Login: true},
			{Name: "everything-else", Paths: []string{"/*"}, MultiFactor: true},
		},
		Limits: config.SessionLimits{Idle: config.Duration(10 * time.Minute), Absolute: config.Duration(12 * time.Hour)},
		Roles: []config.RoleLimits{
			{Role: "clerk", Limits: config.SessionLimits{Idle: config.Duration(5 * time.Minute)}},
			{Role: "ward", Limits: config.SessionLimits{Idle: config.Duration(10 * time.Minute)}}, // the workload's own is shorter
		},
		Cookie:     "SID",
		Factors:    config.Factors{Classes: []string{"gold"}},
		Store:      &config.Store{Address: store, Plain: true, OnOutage: config.Alone},
		BreakGlass: &config.BreakGlass{Routes: []string{"load", "inbox", "sign", "everything-else"}, Roles: []string{"clinician"}, Expired: config.Duration(4 * time.Hour)},
		Lockout:    &config.Lockout{Failures: 5, Duration: config.Duration(15 * time.Minute)}, DevicesAtOnce: 2,
		Records:  config.Records{Show: config.ShowSubject},
		Refusals: config.UserRefusals{Identity: refusal, MultiFactor: refusal, Session: refusal, Lockout: refusal},
	}
	if diff := cmp.Diff(want, c.Users); diff != "" {
		t.Errorf("users (-want +got):\n%s", diff)
	}
	encoded, err := Encode(c)
	if err != nil {
		t.Fatal(err)
	}
	if got := AskingOf(encoded); got != hipaav1.UserAskingShared {
		t.Errorf("it asks %q", got)
	}
}

func TestWhatNobodyMayOpenStaysClosed(t *testing.T) {
	for name, tc := range map[string]struct {
		give func(*hipaav1.WorkloadUsers)
		want string
	}{
		"a realm that no profile has":  {func(u *hipaav1.WorkloadUsers) { u.Realms = append(u.Realms, "guests") }, `spec.users.realms[1]: the profile declares no realm "guests"`},
		"an audience of another realm": {func(u *hipaav1.WorkloadUsers) { u.Realms = append(u.Realms, "patients") }, `spec.users.realms[1]: spec.users.audiences names none of the audiences of realm "patients"`},
		"a gateway of addresses":       {func(u *hipaav1.WorkloadUsers) { u.Gateways = append(u.Gateways, "cloud") }, `spec.users.gateways[1]: gateway "cloud" names addresses and no pods`},
		"a gateway that may not speak": {func(u *hipaav1.WorkloadUsers) { u.Gateways = append(u.Gateways, "other") }, `spec.users.gateways[1]: the profile has no users.gateways "other"`},
		"a path that the profile keeps": {func(u *hipaav1.WorkloadUsers) {
			u.Routes = []hipaav1.UserRoute{{Name: "all", Paths: []string{"/*"}, Who: hipaav1.RoutePrincipalsNobody}}
		}, "spec.users.routes[0].paths[0]: lies outside users.openPaths of the profile"},
		"a port without requests": {func(u *hipaav1.WorkloadUsers) {
			u.Routes = []hipaav1.UserRoute{{Name: "a", Paths: []string{"/a"}, Ports: []string{"db"}}}
		}, "spec.users.routes[0].ports[0]: names no port of spec.ports"},
		"a machine of nobody's": {func(u *hipaav1.WorkloadUsers) {
			u.Routes = []hipaav1.UserRoute{{Name: "a", Paths: []string{"/a"}, Who: hipaav1.RoutePrincipalsMachines, Machines: []hipaav1.RouteMachine{{Realm: "patients", Subject: "x"}}}}
		}, `spec.users.routes[0].machines[0]: names realm "patients"`},
		"a store that nobody may call": {func(u *hipaav1.WorkloadUsers) {
			u.Replicas = &hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeStore, Store: &hipaav1.SessionStore{PHIWorkload: hipaav1.PHIWorkloadPeer{Name: "portal"}}}
		}, "spec.users.replicas.store: PHIWorkload ehr/portal is not called"},
	} {
		t.Run(name, func(t *testing.T) {
			c, closed, err := configured(t, asking(tc.give), identities())
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(closed, "\n"), tc.want) {
				t.Errorf("it says %q, and not %q", closed, tc.want)
			}
			last := c.Users.Routes[len(c.Users.Routes)-1]
			if last.Name != everythingElse || !last.MultiFactor || last.Who != "" || len(c.Users.Routes) != 1 || c.Users.Store != nil {
				t.Errorf("it goes by %+v", c.Users)
			}
		})
	}
}

func TestNobodyIsLetInWhereNobodyKnowsTheUsers(t *testing.T) {
	if _, _, err := configured(t, asking(func(u *hipaav1.WorkloadUsers) { u.Realms, u.Gateways = []string{"guests"}, nil }), identities()); err == nil || !strings.Contains(err.Error(), "names no realm and no gateway") {
		t.Errorf("where nobody knows the users: %v", err)
	}
	c, _, err := configured(t, asking(func(u *hipaav1.WorkloadUsers) { u.Emergency = hipaav1.EmergencyEffectClosed }), identities())
	if err != nil || c.Users.BreakGlass != nil {
		t.Errorf("emergencies that open nothing: %v", err)
	}
	profile := identities()
	profile.Users.BreakGlass = &hipaav1.BreakGlassParameters{Credentials: `{"keys":[]}`, Audience: "ehr", Expired: &metav1.Duration{}}
	if c, _, err = configured(t, asking(nil), profile); err != nil || !c.Users.BreakGlass.OnlyCredentials || c.Users.BreakGlass.Expired != 0 {
		t.Errorf("a glass that credentials alone break: %+v, %v", c, err)
	}
}
