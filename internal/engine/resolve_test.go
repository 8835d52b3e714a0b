package engine_test

import (
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestWhichProfilesGovern(t *testing.T) {
	broken := phitest.Profile("broken").Obj()
	broken.Spec.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "a", Operator: "Near"}}}
	for name, tc := range map[string]struct {
		profile   *hipaav1.ComplianceProfile
		namespace *phitest.NamespaceBuilder
		want      bool
	}{
		"an empty selector, every PHI namespace":   {phitest.Profile("p").Obj(), phitest.Namespace("ehr"), true},
		"no namespace without PHI":                 {phitest.Profile("p").Obj(), phitest.Namespace("ehr").WithoutPHI(), false},
		"no namespace whose PHI label is not true": {phitest.Profile("p").Obj(), phitest.Namespace("ehr").Label(hipaav1.LabelPHI, "yes"), false},
		"a selector that matches":                  {phitest.Profile("p").Selecting("tier", "1").Obj(), phitest.Namespace("ehr").Label("tier", "1"), true},
		"a selector that does not match":           {phitest.Profile("p").Selecting("tier", "1").Obj(), phitest.Namespace("ehr").Label("tier", "2"), false},
		"no selector, none":                        {phitest.Profile("p").OnlyByName().Obj(), phitest.Namespace("ehr"), false},
		"a selector that does not parse, all":      {broken, phitest.Namespace("ehr"), true},
	} {
		t.Run(name, func(t *testing.T) {
			if got := engine.Governs(tc.profile, tc.namespace.Obj()); got != tc.want {
				t.Errorf("Governs() = %t, want %t", got, tc.want)
			}
		})
	}
	if engine.IsPHI(nil) {
		t.Error("no namespace is called one that holds PHI")
	}
}

func TestOfficesAreFilledByTheFirstProfileThatNamesSomebody(t *testing.T) {
	e := newEngine(t, pair()...)
	onlySecurity, both := phitest.Profile("a").Officers().Obj(), phitest.Profile("b").Officers().Obj()
	onlySecurity.Spec.Responsibility.PrivacyOfficer = nil
	both.Spec.Responsibility.SecurityOfficer = &hipaav1.Officer{Name: "Somebody Else", Contact: "else@example.org"}
	effective, err := e.Resolve([]*hipaav1.ComplianceProfile{both, onlySecurity}, phitest.Namespace("ehr").Obj(), nil, phitest.Epoch)
	if err != nil {
		t.Fatalf("resolving: %v", err)
	}
	want := *phitest.Profile("").Officers().Obj().Spec.Responsibility
	if diff := cmp.Diff(want, effective.Parameters.Responsibility); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestAProfileOfAStateCountsForWhoseDataItIs(t *testing.T) {
	e := newEngine(t, pair()...)
	everywhere, texas := phitest.Profile("a").Extends("c"), phitest.Profile("b").Jurisdictions("US-TX")
	extended := phitest.Profile("c").OnlyByName().Jurisdictions("US-TX", "US-CA")
	for name, tc := range map[string]struct {
		give *hipaav1.PHIWorkload
		want []string
	}{
		"the state of the profile":        {phitest.Workload("api").Jurisdictions("US-IL", "US-TX").Obj(), []string{"a", "b", "c"}},
		"one state of several":            {phitest.Workload("api").Jurisdictions("US-CA").Obj(), []string{"a", "c"}},
		"another state":                   {phitest.Workload("api").Jurisdictions("US-IL").Obj(), []string{"a"}},
		"no state at all, which says all": {phitest.Workload("api").Obj(), []string{"a", "b", "c"}},
		"the country, which says all":     {phitest.Workload("api").Jurisdictions("US").Obj(), []string{"a", "b", "c"}},
		"the rules of the namespace":      {nil, []string{"a"}},
		"named by a workload of another":  {phitest.Workload("api").Jurisdictions("US-IL").Profile("b").Obj(), []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			effective, err := e.Resolve(profiles(everywhere, texas, extended), ehr(), tc.give, phitest.Epoch)
			if err != nil {
				t.Fatalf("resolving: %v", err)
			}
			if diff := cmp.Diff(tc.want, effective.Parameters.Names); diff != "" {
				t.Errorf("profiles (-want +got):\n%s", diff)
			}
		})
	}
	alone, err := e.Resolve(profiles(texas), ehr(), phitest.Workload("api").Jurisdictions("US-IL").Obj(), phitest.Epoch)
	if !errors.Is(err, engine.ErrNoProfile) {
		t.Errorf("with the profile of another state alone: %v, %v; want ErrNoProfile", alone, err)
	}
}

func TestResolveTakesWhatGovernsWhatIsNamedAndWhatTheyExtend(t *testing.T) {
	e := newEngine(t, pair()...)
	for name, tc := range map[string]struct {
		give     []*phitest.ProfileBuilder
		ref      string
		want     []string
		notFound []string
		fails    bool
	}{
		"nothing governs": {give: []*phitest.ProfileBuilder{phitest.Profile("a").OnlyByName()}, fails: true},
		"every one that governs, sorted": {
			give: []*phitest.ProfileBuilder{phitest.Profile("b"), phitest.Profile("a"), phitest.Profile("c").OnlyByName()}, want: []string{"a", "b"},
		},
		"the one that a workload names": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a"), phitest.Profile("c").OnlyByName()}, ref: "c", want: []string{"a", "c"},
		},
		"the named one alone, which could only tighten": {give: []*phitest.ProfileBuilder{phitest.Profile("c").OnlyByName()}, ref: "c", fails: true},
		"what it extends, and what that extends": {
			give: []*phitest.ProfileBuilder{
				phitest.Profile("a").Extends("b"), phitest.Profile("b").OnlyByName().Extends("c"), phitest.Profile("c").OnlyByName(),
			},
			want: []string{"a", "b", "c"},
		},
		"a profile that extends itself": {give: []*phitest.ProfileBuilder{phitest.Profile("a").Extends("a")}, want: []string{"a"}},
		"profiles that extend each other": {
			give: []*phitest.ProfileBuilder{
				phitest.Profile("a").Extends("b"), phitest.Profile("b").OnlyByName().Extends("c"), phitest.Profile("c").OnlyByName().Extends("a"),
			},
			want: []string{"a", "b", "c"},
		},
		"names that lead nowhere, which are told": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Extends("missing")}, ref: "gone", want: []string{"a"}, notFound: []string{"gone", "missing"},
		},
		"nothing but names that lead nowhere": {ref: "gone", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			workload := phitest.Workload("api")
			if tc.ref != "" {
				workload.Profile(tc.ref)
			}
			effective, err := e.Resolve(profiles(tc.give...), ehr(), workload.Obj(), phitest.Epoch)
			if tc.fails {
				if !errors.Is(err, engine.ErrNoProfile) {
					t.Fatalf("error = %v, want ErrNoProfile", err)
				}
				return
			}
			if err != nil {
				t.Fatalf("resolving: %v", err)
			}
			if diff := cmp.Diff(tc.want, effective.Parameters.Names); diff != "" {
				t.Errorf("profiles (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tc.notFound, effective.NotFound); diff != "" {
				t.Errorf("not found (-want +got):\n%s", diff)
			}
		})
	}
}

// The number of ways through profiles that all extend each other is a factorial;
// the time must not be.
func TestResolveEndsWhereEverythingExtendsEverything(t *testing.T) {
	var builders []*phitest.ProfileBuilder
	for i := range 24 {
		b := phitest.Profile(fmt.Sprintf("p%02d", i)).PausedFor(time.Duration(i) * time.Hour)
		for j := range 24 {
			b.Extends(fmt.Sprintf("p%02d", j))
		}
		builders = append(builders, b)
	}
	if got := resolve(t, newEngine(t, pair()...), builders...); len(got.Parameters.Names) != 24 {
		t.Errorf("merged %d profiles, want 24", len(got.Parameters.Names))
	}
}

func TestTheStrongestModeCounts(t *testing.T) {
	e := newEngine(t, pair()...)
	const off, audit, warn, enforce = hipaav1.ModeOff, hipaav1.ModeAudit, hipaav1.ModeWarn, hipaav1.ModeEnforce
	for name, tc := range map[string]struct {
		give []*phitest.ProfileBuilder
		want map[string]hipaav1.Mode
	}{
		"the default, Enforce where it is not said, and not what comes with a later ruleset": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Mode("")}, want: map[string]hipaav1.Mode{first: enforce, second: enforce},
		},
		"one control set apart": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Control(second, audit)}, want: map[string]hipaav1.Mode{first: enforce, second: audit},
		},
		"off, which is still told": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Control(second, off)}, want: map[string]hipaav1.Mode{first: enforce, second: off},
		},
		"the strongest of two profiles, control by control": {
			give: []*phitest.ProfileBuilder{
				phitest.Profile("a").Mode(audit).Control(second, off), phitest.Profile("b").Mode(off).Control(second, warn),
			},
			want: map[string]hipaav1.Mode{first: audit, second: warn},
		},
		"a ruleset that this version does not know counts as the latest": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Ruleset("2099.9")}, want: map[string]hipaav1.Mode{first: enforce, second: enforce},
		},
		"a control that the catalogue does not have is passed over": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Control("no-such-control", off)}, want: map[string]hipaav1.Mode{first: enforce, second: enforce},
		},
		"a pause turns Enforce and Warn into Audit, and leaves Off": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Control(second, off).PausedFor(time.Hour)}, want: map[string]hipaav1.Mode{first: audit, second: off},
		},
		"a pause holds what is reached through it alone": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Extends("b").PausedFor(time.Hour), phitest.Profile("b").OnlyByName()},
			want: map[string]hipaav1.Mode{first: audit, second: audit},
		},
		"a pause does not hold what governs by itself as well": {
			give: []*phitest.ProfileBuilder{phitest.Profile("a").Extends("b").PausedFor(time.Hour), phitest.Profile("b").Mode(warn)},
			want: map[string]hipaav1.Mode{first: warn, second: warn},
		},
		"a pause does not hold what another way leads to": {
			give: []*phitest.ProfileBuilder{
				phitest.Profile("a").Mode(audit).Extends("c").PausedFor(time.Hour), phitest.Profile("b").Mode(audit).Extends("c"), phitest.Profile("c").OnlyByName(),
			},
			want: map[string]hipaav1.Mode{first: enforce, second: enforce},
		},
		"a pause holds through profiles that extend each other": {
			give: []*phitest.ProfileBuilder{
				phitest.Profile("a").Extends("b").PausedFor(time.Hour), phitest.Profile("b").OnlyByName().Extends("a"),
			},
			want: map[string]hipaav1.Mode{first: audit, second: audit},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, modes(e, resolve(t, e, tc.give...))); diff != "" {
				t.Errorf("modes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRaisedEnforcesWhatIsJudged(t *testing.T) {
	e := newEngine(t, pair()...)
	effective := resolve(t, e, phitest.Profile("a").Mode(hipaav1.ModeAudit).Control(second, hipaav1.ModeOff))
	want := map[string]hipaav1.Mode{first: hipaav1.ModeEnforce, second: hipaav1.ModeOff}
	if diff := cmp.Diff(want, modes(e, effective.Raised())); diff != "" {
		t.Errorf("modes (-want +got):\n%s", diff)
	}
	if got := modes(e, effective)[first]; got != hipaav1.ModeAudit {
		t.Errorf("raising changes what was raised: %s", got)
	}
}

func TestAPauseEndsAtItsExactInstant(t *testing.T) {
	e := newEngine(t, pair()...)
	profile := phitest.Profile("a").Extends("b").PausedFor(time.Hour)
	base := phitest.Profile("b").OnlyByName().PausedFor(2 * time.Hour)
	for name, tc := range map[string]struct {
		after  time.Duration
		paused []string
		mode   hipaav1.Mode
		until  time.Duration
	}{
		"while it lasts":                            {0, []string{"a", "b"}, hipaav1.ModeAudit, time.Hour},
		"a nanosecond before its end":               {time.Hour - 1, []string{"a", "b"}, hipaav1.ModeAudit, time.Hour},
		"at its end, that of what it extends lasts": {time.Hour, []string{"b"}, hipaav1.ModeEnforce, 2 * time.Hour},
		"at the end of both":                        {2 * time.Hour, nil, hipaav1.ModeEnforce, 0},
	} {
		t.Run(name, func(t *testing.T) {
			effective := resolveAt(t, e, phitest.Epoch.Add(tc.after), profile, base)
			if diff := cmp.Diff(tc.paused, effective.Paused); diff != "" {
				t.Errorf("paused (-want +got):\n%s", diff)
			}
			if got := modes(e, effective)[first]; got != tc.mode {
				t.Errorf("mode = %s, want %s", got, tc.mode)
			}
			var want time.Time
			if tc.until != 0 {
				want = phitest.Epoch.Add(tc.until)
			}
			if !effective.ValidUntil.Equal(want) {
				t.Errorf("valid until %v, want %v", effective.ValidUntil, want)
			}
		})
	}
}

func TestAPauseThatIsTooLongCountsForItsLastWeekOnly(t *testing.T) {
	e := newEngine(t, pair()...)
	profile := phitest.Profile("a").PausedFor(hipaav1.LongestPause + time.Hour)
	for name, tc := range map[string]struct {
		after, until time.Duration
		mode         hipaav1.Mode
	}{
		"when it is written":       {0, time.Hour, hipaav1.ModeEnforce},
		"a nanosecond before":      {time.Hour - 1, time.Hour, hipaav1.ModeEnforce},
		"a week before its end":    {time.Hour, hipaav1.LongestPause + time.Hour, hipaav1.ModeAudit},
		"at its end, as any other": {hipaav1.LongestPause + time.Hour, 0, hipaav1.ModeEnforce},
	} {
		t.Run(name, func(t *testing.T) {
			effective := resolveAt(t, e, phitest.Epoch.Add(tc.after), profile)
			if got := modes(e, effective)[first]; got != tc.mode {
				t.Errorf("mode = %s, want %s", got, tc.mode)
			}
			if tc.until == 0 != effective.ValidUntil.IsZero() || tc.until != 0 && !effective.ValidUntil.Equal(phitest.Epoch.Add(tc.until)) {
				t.Errorf("valid until %v, want %v after the start", effective.ValidUntil, tc.until)
			}
		})
	}
}

func TestUndeclaredPodsAreAnsweredByTheStrictestProfile(t *testing.T) {
	e := newEngine(t, pair()...)
	const deny, warn, allow = hipaav1.UndeclaredPodsDeny, hipaav1.UndeclaredPodsWarn, hipaav1.UndeclaredPodsAllow
	for name, tc := range map[string]struct {
		give []*phitest.ProfileBuilder
		want hipaav1.UndeclaredPods
	}{
		"Deny where it is not said":                      {[]*phitest.ProfileBuilder{phitest.Profile("a").Undeclared("")}, deny},
		"the strictest of two":                           {[]*phitest.ProfileBuilder{phitest.Profile("a").Undeclared(allow), phitest.Profile("b").Undeclared(warn)}, warn},
		"Warn where the profile does not enforce":        {[]*phitest.ProfileBuilder{phitest.Profile("a").Mode(hipaav1.ModeAudit)}, warn},
		"Warn while the profile is paused":               {[]*phitest.ProfileBuilder{phitest.Profile("a").PausedFor(time.Hour)}, warn},
		"Allow stays Allow while the profile is paused":  {[]*phitest.ProfileBuilder{phitest.Profile("a").Undeclared(allow).PausedFor(time.Hour)}, allow},
		"Deny where one of two enforces and asks for it": {[]*phitest.ProfileBuilder{phitest.Profile("a").Mode(hipaav1.ModeAudit), phitest.Profile("b")}, deny},
	} {
		t.Run(name, func(t *testing.T) {
			if got := resolve(t, e, tc.give...).Undeclared; got != tc.want {
				t.Errorf("undeclared = %s, want %s", got, tc.want)
			}
		})
	}
}

func TestParametersMergeTowardsTheStricter(t *testing.T) {
	e := newEngine(t, pair()...)
	nginx := hipaav1.Gateway{Name: "edge", Namespace: "nginx", PodSelector: phitest.Labels("app", "nginx")}
	got := resolve(t, e,
		phitest.Profile("a").EncryptedClass("gold").DNSPods("k8s-app", "kube-dns").ExternalRanges("10.0.0.0/8", "no range").
			Gateway("edge", "nginx", "app", "nginx").ClassStated("efs", hipaav1.StorageGradeCustomerKey, phitest.After(2*time.Hour)).
			IsolationStated(phitest.After(time.Hour)).Window("Mon-Fri 09:00-16:00 UTC").MaxUnavailable("10%").
			EnforceBy(phitest.After(48*time.Hour)).Accepts("api", "sha256:1").
			EmptyDirsInMemory("1Gi").CloudKeys(hipaav1.KeyHolderCustomer).NodeDisksStated(phitest.After(4*time.Hour)).IngressStated("nginx", phitest.After(0)).
			Tagging(hipaav1.TaggingParameters{OwnerKey: "team"}),
		phitest.Profile("b").EncryptedClass("gold").ExternalRanges("10.1.2.3/16").
			Gateway("edge", "nginx", "app", "nginx").ClassStated("efs", hipaav1.StorageGradeProviderKey, phitest.After(3*time.Hour)).
			EmptyDirsInMemory("512Mi").CloudKeys(hipaav1.KeyHolderProvider).NodeDisksStated(phitest.After(0)).IngressStated("nginx", phitest.After(5*time.Hour)).
			Window("Sat 01:00-05:00 UTC").MaxUnavailable("1").EnforceBy(phitest.After(24*time.Hour)).
			Tagging(hipaav1.TaggingParameters{OwnerKey: hipaav1.DefaultOwnerKey, EnvironmentKey: "env"}),
	)
	want := &control.Profile{
		Names: []string{"a", "b"},
		Network: control.NetworkParameters{
			DNS:      []hipaav1.DNSServer{{PodSelector: phitest.Labels("k8s-app", "kube-dns"), Port: 53}},
			Gateways: map[string]hipaav1.Gateway{"edge": nginx},
			Ingresses: map[string]hipaav1.IngressStatement{
				"nginx": phitest.Profile("b").IngressStated("nginx", phitest.After(5*time.Hour)).Obj().Spec.Network.IngressStatements[0],
			},
			ExternalRanges: [][]netip.Prefix{{netip.MustParsePrefix("10.0.0.0/8")}, {netip.MustParsePrefix("10.1.0.0/16")}},
			Enforcement:    phitest.Profile("a").IsolationStated(phitest.After(time.Hour)).Obj().Spec.Network.Enforcement,
		},
		Storage: control.StorageParameters{
			EncryptedClass: "gold",
			Statements: map[string]hipaav1.StorageStatement{
				"efs": phitest.Profile("b").ClassStated("efs", hipaav1.StorageGradeProviderKey, phitest.After(3*time.Hour)).Obj().Spec.Storage.Statements[0],
			},
			NodeDisks:         phitest.Profile("a").NodeDisksStated(phitest.After(4 * time.Hour)).Obj().Spec.Storage.NodeDisks,
			EmptyDir:          hipaav1.EmptyDirMemory,
			EmptyDirSizeLimit: resource.MustParse("512Mi"),
			CloudKeys:         hipaav1.KeyHolderCustomer,
		},
		Tagging: hipaav1.TaggingParameters{
			OwnerKey: "team", CriticalityKey: hipaav1.DefaultCriticalityKey, EnvironmentKey: "env", DataClassPrefix: hipaav1.DefaultDataClassPrefix,
			JurisdictionPrefix: hipaav1.DefaultJurisdictionPrefix,
		},
	}
	if diff := cmp.Diff(want, got.Parameters, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("parameters (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"Mon-Fri 09:00-16:00 UTC", "Sat 01:00-05:00 UTC"}, got.Windows); diff != "" {
		t.Errorf("windows (-want +got):\n%s", diff)
	}
	if len(got.MaxUnavailable) != 2 {
		t.Errorf("max unavailable = %v, want both", got.MaxUnavailable)
	}
	if want := phitest.After(24 * time.Hour); !got.EnforceBy.Equal(&want) {
		t.Errorf("enforce by %v, want the earlier of both", got.EnforceBy)
	}
	if !got.Accepts(phitest.DefaultNamespace, "api", "sha256:1") || got.Accepts(phitest.DefaultNamespace, "api", "sha256:2") || got.Accepts("lab", "api", "sha256:1") {
		t.Error("accepts another preview than the one that was accepted")
	}
	if want := phitest.Epoch.Add(time.Hour); !got.ValidUntil.Equal(want) {
		t.Errorf("valid until %v, want %v: the first statement ends", got.ValidUntil, want)
	}
	if len(got.Conflicts) > 0 || !got.Enforces() {
		t.Errorf("conflicts = %q, enforces = %t", got.Conflicts, got.Enforces())
	}
}

func TestDefaultsWhereProfilesAreSilent(t *testing.T) {
	got := resolve(t, newEngine(t, pair()...), phitest.Profile("a")).Parameters
	if got.Tagging != control.DefaultTagging() || got.Network.ExternalRanges != nil {
		t.Errorf("parameters = %+v", got)
	}
}

func TestTheShortestSessionAndTheBestTLSCount(t *testing.T) {
	silent := control.SessionParameters{}
	if silent.Idle() != 15*time.Minute || silent.Absolute() != 12*time.Hour {
		t.Errorf("where no profile sets them the limits are %v and %v", silent.Idle(), silent.Absolute())
	}
	past, still := &hipaav1.Statement{StatedBy: "a", Expires: phitest.After(0)}, &hipaav1.Statement{StatedBy: "b", Expires: phitest.After(time.Hour)}
	got := resolve(t, newEngine(t, pair()...),
		phitest.Profile("a").Sessions(10*time.Minute, 0).DatabaseTLS(hipaav1.DatabaseTLSVerifyFull).Certificates(past, 30),
		phitest.Profile("b").Certificates(still, 14, 30).Sessions(30*time.Minute, 8*time.Hour).DatabaseTLS(hipaav1.DatabaseTLSRequire).DatabaseSettingsCompleted(),
		phitest.Profile("c").Sessions(0, 10*time.Hour),
	).Parameters
	if got.Session.Settings != "" {
		t.Errorf("settings = %s", got.Session.Settings)
	}
	if got.Session.Idle() != 10*time.Minute || got.Session.Absolute() != 8*time.Hour {
		t.Errorf("limits = %v and %v", got.Session.Idle(), got.Session.Absolute())
	}
	want := hipaav1.TransmissionParameters{
		DatabaseTLS: hipaav1.DatabaseTLSVerifyFull, DatabaseSettings: hipaav1.DatabaseSettingsComplete,
		CertificateWarningDays: []int32{30, 14, 30}, CertificatesElsewhere: still,
	}
	if diff := cmp.Diff(want, got.Transmission); diff != "" {
		t.Errorf("transmission (-want +got):\n%s", diff)
	}
}

func TestTheStrictestProxyCounts(t *testing.T) {
	proxy := func(name string, p *hipaav1.ProxyParameters) *phitest.ProfileBuilder {
		return phitest.Profile(name).With(func(spec *hipaav1.ComplianceProfileSpec) {
			spec.Transmission = &hipaav1.TransmissionParameters{Proxy: p}
		})
	}
	lasts := func(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }
	amount := func(text string) *resource.Quantity { q := resource.MustParse(text); return &q }
	got := resolve(t, newEngine(t, pair()...),
		proxy("a", &hipaav1.ProxyParameters{Capture: hipaav1.CaptureRedirect, MinimumTLS: hipaav1.TLS12, OutageGrace: lasts(time.Hour), Memory: amount("64Mi")}),
		proxy("b", nil),
		proxy("c", &hipaav1.ProxyParameters{Capture: hipaav1.CaptureNames, MinimumTLS: hipaav1.TLS13, OutageGrace: lasts(2 * time.Hour), CPU: amount("50m"), Memory: amount("128Mi")}),
		proxy("d", &hipaav1.ProxyParameters{CPU: amount("10m")}),
	).Parameters.Transmission.Proxy
	want := &hipaav1.ProxyParameters{Capture: hipaav1.CaptureNames, MinimumTLS: hipaav1.TLS13, OutageGrace: lasts(time.Hour), CPU: amount("50m"), Memory: amount("128Mi")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("proxy (-want +got):\n%s", diff)
	}
}

// The team of a workload chooses which profile it names.
func TestAProfileThatAWorkloadNamesLoosensNoDefault(t *testing.T) {
	lax := phitest.Profile("lax").OnlyByName().With(func(spec *hipaav1.ComplianceProfileSpec) {
		spec.Transmission = &hipaav1.TransmissionParameters{Proxy: &hipaav1.ProxyParameters{
			MinimumTLS: hipaav1.TLS12, OutageGrace: &metav1.Duration{Duration: 200 * time.Hour}, Capture: hipaav1.CaptureRedirect,
		}}
		spec.Session = &hipaav1.SessionParameters{IdleTimeout: &metav1.Duration{Duration: time.Hour}, AbsoluteTimeout: &metav1.Duration{Duration: 24 * time.Hour}}
		spec.Vulnerabilities = &hipaav1.VulnerabilityParameters{CriticalMaxAgeDays: 90, ReportMaxAgeDays: 30}
	})
	e := newEngine(t, pair()...)
	effective, err := e.Resolve(profiles(phitest.Profile("silent"), lax), ehr(), phitest.Workload("api").Profile("lax").Obj(), phitest.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	p := effective.Parameters
	if got := *p.Transmission.Proxy; got.MinimumTLS != hipaav1.TLS13 || got.OutageGrace.Duration != control.DefaultOutageGrace || got.Capture != hipaav1.CaptureNames {
		t.Errorf("proxies speak TLS %s, wait %v and get traffic by %s", got.MinimumTLS, got.OutageGrace.Duration, got.Capture)
	}
	if p.Session.Idle() != 15*time.Minute || p.Session.Absolute() != 12*time.Hour {
		t.Errorf("sessions end after %v and %v", p.Session.Idle(), p.Session.Absolute())
	}
	if day := 24 * time.Hour; p.Vulnerabilities.Critical() != 30*day || p.Vulnerabilities.Report() != 7*day {
		t.Errorf("holes may be open for %v, and reports %v old", p.Vulnerabilities.Critical(), p.Vulnerabilities.Report())
	}
	governs, err := e.Resolve(profiles(phitest.Profile("silent"), phitest.Profile("lax").With(func(spec *hipaav1.ComplianceProfileSpec) {
		spec.Transmission = lax.Obj().Spec.Transmission
	})), ehr(), phitest.Workload("api").Profile("lax").Obj(), phitest.Epoch)
	if err != nil {
		t.Fatal(err)
	}
	if got := governs.Parameters.Transmission.Proxy; got.MinimumTLS != hipaav1.TLS12 || got.Capture != hipaav1.CaptureRedirect {
		t.Errorf("a profile that governs does not count: TLS %s, traffic by %s", got.MinimumTLS, got.Capture)
	}
}

func TestAWorkloadShortensLimitsAndLengthensNone(t *testing.T) {
	for name, tc := range map[string]struct {
		profile        *phitest.ProfileBuilder
		says           *hipaav1.WorkloadSession
		idle, absolute time.Duration
	}{
		"nothing":                          {phitest.Profile("a"), nil, 15 * time.Minute, 12 * time.Hour},
		"shorter than where nothing is":    {phitest.Profile("a"), limits(time.Minute, time.Hour), time.Minute, time.Hour},
		"longer than where nothing is":     {phitest.Profile("a"), limits(time.Hour, 24*time.Hour), 15 * time.Minute, 12 * time.Hour},
		"shorter than a profile's":         {phitest.Profile("a").Sessions(10*time.Minute, 8*time.Hour), limits(5*time.Minute, 4*time.Hour), 5 * time.Minute, 4 * time.Hour},
		"longer than a profile's":          {phitest.Profile("a").Sessions(10*time.Minute, 8*time.Hour), limits(11*time.Minute, 9*time.Hour), 10 * time.Minute, 8 * time.Hour},
		"one, and nothing about the other": {phitest.Profile("a").Sessions(10*time.Minute, 0), limits(0, time.Hour), 10 * time.Minute, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			w := phitest.Workload("kiosk").Obj()
			w.Spec.Session = tc.says
			effective, err := newEngine(t, pair()...).Resolve(profiles(tc.profile), ehr(), w, phitest.Epoch)
			if err != nil {
				t.Fatal(err)
			}
			if got := effective.Parameters.Session; got.Idle() != tc.idle || got.Absolute() != tc.absolute {
				t.Errorf("limits = %v and %v, want %v and %v", got.Idle(), got.Absolute(), tc.idle, tc.absolute)
			}
		})
	}
}

// limits are those of a workload; zero is none.
func limits(idle, absolute time.Duration) *hipaav1.WorkloadSession {
	says := &hipaav1.WorkloadSession{}
	if idle > 0 {
		says.IdleTimeout = &metav1.Duration{Duration: idle}
	}
	if absolute > 0 {
		says.AbsoluteTimeout = &metav1.Duration{Duration: absolute}
	}
	return says
}

func TestLimitsAreAddedWhereOneProfileAsksForIt(t *testing.T) {
	settings := func(name string, s hipaav1.SessionSettings) *phitest.ProfileBuilder {
		return phitest.Profile(name).Sessions(0, 0).With(func(p *hipaav1.ComplianceProfileSpec) { p.Session.Settings = s })
	}
	got := resolve(t, newEngine(t, pair()...), settings("a", hipaav1.SessionSettingsAsDeclared), settings("b", hipaav1.SessionSettingsComplete), settings("c", hipaav1.SessionSettingsAsDeclared))
	if got.Parameters.Session.Settings != hipaav1.SessionSettingsComplete {
		t.Errorf("settings = %q", got.Parameters.Session.Settings)
	}
}

func TestTheWordOfATeamIsTakenWhereEveryProfileTakesIt(t *testing.T) {
	const judged, stated = hipaav1.SessionsWithoutPeopleJudged, hipaav1.SessionsWithoutPeopleStated
	says := func(name string, w hipaav1.SessionsWithoutPeople) *phitest.ProfileBuilder {
		return phitest.Profile(name).Sessions(0, 0).With(func(p *hipaav1.ComplianceProfileSpec) { p.Session.WithoutPeople = w })
	}
	for name, tc := range map[string]struct {
		give  []*phitest.ProfileBuilder
		taken bool
	}{
		"one that takes it":                            {give: []*phitest.ProfileBuilder{says("a", stated)}, taken: true},
		"two that take it":                             {give: []*phitest.ProfileBuilder{says("a", stated), says("b", stated)}, taken: true},
		"one that takes it, and one that does not":     {give: []*phitest.ProfileBuilder{says("a", stated), says("b", judged)}},
		"one that does not, and one that takes it":     {give: []*phitest.ProfileBuilder{says("a", judged), says("b", stated)}},
		"one that takes it, and one that sets limits":  {give: []*phitest.ProfileBuilder{says("a", stated), phitest.Profile("b").Sessions(time.Hour, 0)}},
		"one that takes it, and one that says nothing": {give: []*phitest.ProfileBuilder{says("a", stated), phitest.Profile("b")}, taken: true},
		"one that says nothing of sessions":            {give: []*phitest.ProfileBuilder{phitest.Profile("a")}},
	} {
		t.Run(name, func(t *testing.T) {
			got := resolve(t, newEngine(t, pair()...), tc.give...).Parameters.Session.WithoutPeople
			if taken := got == stated; taken != tc.taken {
				t.Errorf("taken %t, want %t: %q", taken, tc.taken, got)
			}
		})
	}
}

func TestTheEdgeIsDialledWhereOneProfileAsksForIt(t *testing.T) {
	type probe struct {
		mode    hipaav1.EdgeProbe
		minutes int32
	}
	const dial, never = hipaav1.EdgeProbeDial, hipaav1.EdgeProbeNever
	for name, tc := range map[string]struct {
		give []probe
		want time.Duration
	}{
		"nobody says anything":         {[]probe{{}, {}}, time.Hour},
		"one forbids it":               {[]probe{{}, {never, 0}}, 0},
		"one forbids it, one asks":     {[]probe{{never, 0}, {dial, 0}}, time.Hour},
		"one asks, one forbids it":     {[]probe{{dial, 30}, {never, 0}}, 30 * time.Minute},
		"the fewest minutes count":     {[]probe{{dial, 240}, {"", 20}, {"", 0}}, 20 * time.Minute},
		"one forbids it, with minutes": {[]probe{{never, 0}, {"", 20}}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			var profiles []*phitest.ProfileBuilder
			for i, p := range tc.give {
				profiles = append(profiles, phitest.Profile(string(rune('a'+i))).Dialled(p.mode, p.minutes))
			}
			if got := resolve(t, newEngine(t, pair()...), profiles...).Parameters.DialInterval(); got != tc.want {
				t.Errorf("dialled each %s, want %s", got, tc.want)
			}
		})
	}
}

func TestSensorsOfAllProfilesCount(t *testing.T) {
	first, other := hipaav1.Sensor{Name: "agent", Namespace: "security"}, hipaav1.Sensor{Name: "agent", Namespace: "lab"}
	second := hipaav1.Sensor{Name: "probe", Namespace: "security"}
	got := resolve(t, newEngine(t, pair()...), phitest.Profile("a").Sensors(first), phitest.Profile("b").Sensors(other, second), phitest.Profile("c").Sensors(second))
	if diff := cmp.Diff([]hipaav1.Sensor{first, second}, got.Parameters.Sensors); diff != "" {
		t.Errorf("sensors (-want +got):\n%s", diff)
	}
	if want := []string{"detection.sensors[agent] differs between profiles; the first by name counts"}; !cmp.Equal(want, got.Conflicts) {
		t.Errorf("conflicts = %q, want %q", got.Conflicts, want)
	}
}

func TestMonitorsOfAllProfilesRead(t *testing.T) {
	reads := func(name, namespace string) *phitest.ProfileBuilder {
		return phitest.Profile(name).Monitor(namespace, "app", "prometheus")
	}
	got := resolve(t, newEngine(t, pair()...), reads("a", "monitoring"), phitest.Profile("b"), reads("c", "agents")).Parameters.Network.Monitors
	selected := phitest.Labels("app", "prometheus")
	if diff := cmp.Diff([]hipaav1.Monitor{{Namespace: "monitoring", PodSelector: selected}, {Namespace: "agents", PodSelector: selected}}, got); diff != "" {
		t.Errorf("monitors (-want +got):\n%s", diff)
	}
}

func TestWhatCannotBeMergedIsTold(t *testing.T) {
	got := resolve(t, newEngine(t, pair()...),
		phitest.Profile("a").EncryptedClass("gold").Gateway("edge", "nginx").Tagging(hipaav1.TaggingParameters{OwnerKey: "team"}),
		phitest.Profile("b").EncryptedClass("silver").Gateway("edge", "traefik").Tagging(hipaav1.TaggingParameters{OwnerKey: "squad"}),
	)
	want := []string{
		"network.gateways[edge] differs between profiles; the first by name counts",
		`storage.encryptedClass differs between profiles: "gold" and "silver"; the first by name counts`,
		"tagging.ownerKey differs between profiles; the first by name counts",
	}
	if diff := cmp.Diff(want, got.Conflicts); diff != "" {
		t.Errorf("conflicts (-want +got):\n%s", diff)
	}
	if p := got.Parameters; p.Storage.EncryptedClass != "gold" || p.Network.Gateways["edge"].Namespace != "nginx" || p.Tagging.OwnerKey != "team" {
		t.Errorf("parameters = %+v, want those of the first", p)
	}
}

func TestStatementsEndAtTheirExactInstant(t *testing.T) {
	e := newEngine(t, pair()...)
	profile := phitest.Profile("a").IsolationStated(phitest.After(time.Hour)).ClassStated("efs", hipaav1.StorageGradeProviderKey, phitest.After(time.Hour))
	for name, tc := range map[string]struct {
		after time.Duration
		want  bool
	}{
		"a nanosecond before": {time.Hour - 1, true},
		"at the instant":      {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			got := resolveAt(t, e, phitest.Epoch.Add(tc.after), profile).Parameters
			if (got.Network.Enforcement != nil) != tc.want || (len(got.Storage.Statements) > 0) != tc.want {
				t.Errorf("statements count: %v and %v, want %t", got.Network.Enforcement, got.Storage.Statements, tc.want)
			}
		})
	}
}

func TestAnIDTwiceIsNoCatalogue(t *testing.T) {
	if _, err := engine.New([]control.Control{finding(first, control.Pods), finding(first, control.Pods)}); err == nil {
		t.Error("two controls of one ID are accepted")
	}
	e := newEngine(t, pair()...)
	if !e.Knows(first) || e.Knows("no-such-control") {
		t.Error("knows what it does not have, or not what it has")
	}
	controls := e.Controls()
	if controls[0].ID != first || controls[1].ID != second || controls[2].ID != later {
		t.Errorf("controls come as %s, %s, %s", controls[0].ID, controls[1].ID, controls[2].ID)
	}
}

func TestThePlatformIsJudgedByTheStrictest(t *testing.T) {
	stated := func(by string, ends metav1.Time) hipaav1.SupportStatement {
		return hipaav1.SupportStatement{Version: "v1.33", Statement: hipaav1.Statement{StatedBy: by, Reason: "extended support", Expires: ends}}
	}
	hour, past := phitest.After(time.Hour), phitest.After(-time.Hour)
	got := resolve(t, newEngine(t, pair()...),
		phitest.Profile("a").Platform(hipaav1.PlatformParameters{TableMaxAgeDays: 90, Supported: []hipaav1.SupportStatement{stated("nobody any more", past)}}),
		phitest.Profile("b").Platform(hipaav1.PlatformParameters{TableMaxAgeDays: 60, Supported: []hipaav1.SupportStatement{stated("Dana", hour)}}),
		phitest.Profile("c").Platform(hipaav1.PlatformParameters{Supported: []hipaav1.SupportStatement{stated("Lee", hour)}}))
	want := control.PlatformParameters{
		TableAge: 60 * 24 * time.Hour, Supported: map[string]hipaav1.SupportStatement{"v1.33": stated("Dana", hour)},
	}
	if diff := cmp.Diff(want, got.Parameters.Platform); diff != "" {
		t.Errorf("platform (-want +got):\n%s", diff)
	}
	if !got.ValidUntil.Equal(hour.Time) {
		t.Errorf("the merge changes by itself at %s, want %s", got.ValidUntil, hour)
	}
	if limit := (control.PlatformParameters{}).OldestTable(); limit != 365*24*time.Hour {
		t.Errorf("without a profile tables count for %s", limit)
	}
}

func TestWhatAnyProfileWithholdsIsWithheld(t *testing.T) {
	hour, past := phitest.After(time.Hour), phitest.After(-time.Hour)
	stated := func(by string, ends metav1.Time) hipaav1.Statement {
		return hipaav1.Statement{StatedBy: by, Reason: "our agreement lists it", Expires: ends}
	}
	runner, grafana := hipaav1.CloudService{Cloud: hipaav1.CloudAWS, Service: "apprunner"}, hipaav1.CloudService{Cloud: hipaav1.CloudAWS, Service: "grafana"}
	compared := func(on time.Duration, ends metav1.Time) *hipaav1.ListComparison {
		return &hipaav1.ListComparison{ComparedOn: phitest.After(on), Statement: stated("Dana", ends)}
	}
	got := resolve(t, newEngine(t, pair()...),
		phitest.Profile("a").CloudServices(hipaav1.CloudServiceParameters{
			Covered:      []hipaav1.CoveredService{{Cloud: runner.Cloud, Service: runner.Service, Statement: stated("nobody any more", past)}},
			ListCompared: compared(-2*time.Hour, hour),
		}),
		phitest.Profile("b").CloudServices(hipaav1.CloudServiceParameters{
			Covered:      []hipaav1.CoveredService{{Cloud: runner.Cloud, Service: runner.Service, Statement: stated("Dana", hour)}},
			Withheld:     []hipaav1.CloudService{grafana},
			ListCompared: compared(-3*time.Hour, hour),
		}),
		phitest.Profile("c").CloudServices(hipaav1.CloudServiceParameters{
			Covered:      []hipaav1.CoveredService{{Cloud: runner.Cloud, Service: runner.Service, Statement: stated("Lee", hour)}},
			Withheld:     []hipaav1.CloudService{runner},
			ListCompared: compared(time.Minute, hour),
		}))
	want := control.CloudServiceParameters{
		Covered:      map[hipaav1.CloudService]hipaav1.Statement{runner: stated("Dana", hour)},
		Withheld:     map[hipaav1.CloudService]bool{grafana: true, runner: true},
		ListCompared: compared(-2*time.Hour, hour),
	}
	if diff := cmp.Diff(want, got.Parameters.CloudServices); diff != "" {
		t.Errorf("services (-want +got):\n%s", diff)
	}
	if at := phitest.After(time.Minute); !got.ValidUntil.Equal(at.Time) {
		t.Errorf("the merge changes by itself at %s, want %s, when the comparison of c counts", got.ValidUntil, at)
	}
}

func TestTheShortestLimitsOfHolesCount(t *testing.T) {
	got := resolve(t, newEngine(t, pair()...),
		phitest.Profile("a").Vulnerabilities(hipaav1.VulnerabilityParameters{CriticalMaxAgeDays: 15}),
		phitest.Profile("b").Vulnerabilities(hipaav1.VulnerabilityParameters{CriticalMaxAgeDays: 20, ReportMaxAgeDays: 3}),
		phitest.Profile("c")).Parameters.Vulnerabilities
	if got.Critical() != 15*24*time.Hour || got.Report() != 3*24*time.Hour {
		t.Errorf("limits = %s and %s", got.Critical(), got.Report())
	}
	if silent := (control.VulnerabilityParameters{}); silent.Critical() != 30*24*time.Hour || silent.Report() != 7*24*time.Hour {
		t.Errorf("where no profile sets them the limits are %s and %s", silent.Critical(), silent.Report())
	}
}
