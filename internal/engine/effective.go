package engine

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// ErrNoProfile means that no profile governs the namespace.
var ErrNoProfile = errors.New("no ComplianceProfile governs the namespace")

// Effective is the most restrictive merge of the profiles in force.
type Effective struct {
	// Parameters are what controls may know.
	Parameters *control.Profile
	// Undeclared says what to do with pods that no workload selects.
	Undeclared hipaav1.UndeclaredPods
	// Windows in all of which pods may be replaced.
	Windows []string
	// MaxUnavailable of each profile that sets one; the smallest result counts.
	MaxUnavailable []intstr.IntOrString
	// EnforceBy is the earliest instant from which Previewing ends by itself.
	EnforceBy *metav1.Time
	// Accepted are the accepted previews.
	Accepted []hipaav1.AcceptedPreview
	// Paused names the profiles that a pause holds, sorted.
	Paused []string
	// NotFound names profiles that are referred to and do not exist, sorted.
	NotFound []string
	// Conflicts are settings that cannot be merged, as sentences.
	Conflicts []string
	// ValidUntil is the first instant at which the merge changes by itself: a
	// pause or a statement ends, or a pause that was too long begins. Zero means never.
	ValidUntil time.Time

	// exceptions are the bounds of exceptions.
	exceptions exceptionLimits
	// controls are those of the engine and those that profiles bring, sorted by ID,
	// and modes are theirs.
	controls []control.Control
	modes    []hipaav1.Mode
	// broughtBy names, for each control that profiles bring, those that do.
	broughtBy map[string][]string
}

// Accepts reports whether a profile has accepted this preview.
func (f *Effective) Accepts(namespace, name, digest string) bool {
	return slices.Contains(f.Accepted, hipaav1.AcceptedPreview{Namespace: namespace, Name: name, Digest: digest})
}

// Overdue reports whether the time is up for everything that still previews.
func (f *Effective) Overdue(now time.Time) bool {
	return f.EnforceBy != nil && !now.Before(f.EnforceBy.Time)
}

// Enforces reports whether some control has mode Enforce, before any stage.
func (f *Effective) Enforces() bool {
	return slices.Contains(f.modes, hipaav1.ModeEnforce)
}

// Enforced lists the controls that have mode Enforce, before any stage, sorted.
func (f *Effective) Enforced() []string {
	var enforced []string
	for i, mode := range f.modes {
		if mode == hipaav1.ModeEnforce {
			enforced = append(enforced, f.controls[i].ID)
		}
	}
	return enforced
}

// Raised is the merge as if every control that is judged were enforced: what a
// preview shows while no profile enforces anything yet.
func (f *Effective) Raised() *Effective {
	raised := *f
	raised.modes = slices.Clone(f.modes)
	for i, mode := range raised.modes {
		if mode == hipaav1.ModeAudit || mode == hipaav1.ModeWarn {
			raised.modes[i] = hipaav1.ModeEnforce
		}
	}
	return &raised
}

// Governs reports whether a profile governs a namespace by its selector. A
// selector that does not parse governs every PHI namespace: fail closed.
func Governs(profile *hipaav1.ComplianceProfile, namespace *corev1.Namespace) bool {
	if profile.Spec.NamespaceSelector == nil || !IsPHI(namespace) {
		return false
	}
	by := profile.Spec.NamespaceSelector
	// Parsing costs more than comparing, and labels that a namespace bears do parse.
	if len(by.MatchExpressions) == 0 && labels.ValidatedSetSelector(by.MatchLabels).Matches(labels.Set(namespace.Labels)) {
		return true
	}
	selector, err := metav1.LabelSelectorAsSelector(by)
	return err != nil || selector.Matches(labels.Set(namespace.Labels))
}

// country is what a workload states that names no state.
const country = "US"

// Concerns reports whether a profile that is bound to jurisdictions has a say about a
// workload (nil: the rules of the namespace, which no state's law reaches). Who
// states no state is in every one of them: silence loosens nothing.
func Concerns(profile *hipaav1.ComplianceProfile, w *hipaav1.PHIWorkload) bool {
	bound := profile.Spec.Jurisdictions
	if len(bound) == 0 {
		return true
	}
	if w == nil {
		return false
	}
	stated := w.Spec.Jurisdictions
	return len(stated) == 0 || slices.ContainsFunc(stated, func(code string) bool { return code == country || slices.Contains(bound, code) })
}

// IsPHI reports whether people have declared the namespace to hold PHI.
func IsPHI(namespace *corev1.Namespace) bool {
	return namespace != nil && namespace.Labels[hipaav1.LabelPHI] == hipaav1.LabelPHIValue
}

// Resolve merges the profiles that govern a namespace with the one that a
// workload's profileRef names, as they stand at an instant. Without a workload (nil)
// it is the rules of the namespace. With ErrNoProfile there is nothing to judge by,
// and PHI must be refused. A profileRef alone governs nothing: it is the application
// team's to write, and can only tighten what the security team has decided.
func (e *Engine) Resolve(profiles []*hipaav1.ComplianceProfile, namespace *corev1.Namespace, w *hipaav1.PHIWorkload, now time.Time) (*Effective, error) {
	chosen := choose(profiles, namespace, w, now)
	if !chosen.governed {
		return nil, fmt.Errorf("resolving the profiles of namespace %q: %w", namespace.Name, ErrNoProfile)
	}
	m := newMerge(e, now)
	m.addCustom(chosen)
	m.effective.modes = make([]hipaav1.Mode, len(m.effective.controls))
	for _, name := range chosen.governing {
		m.add(chosen.byName[name], chosen.inForce[name])
	}
	if len(chosen.inForce) > len(chosen.governing) {
		m.settle()
	}
	for _, name := range slices.Sorted(maps.Keys(chosen.inForce)) {
		if !slices.Contains(chosen.governing, name) {
			m.add(chosen.byName[name], chosen.inForce[name])
		}
	}
	m.effective.NotFound = slices.Sorted(maps.Keys(chosen.notFound))
	m.tighten(w)
	return m.effective, nil
}

// choice is which profiles count, each with the end of the pause that holds it
// on every way by which it was reached; zero is no pause.
type choice struct {
	byName   map[string]*hipaav1.ComplianceProfile
	inForce  map[string]time.Time
	notFound map[string]bool
	// governed says that a profile selects the namespace.
	governed bool
	// governing are those that do and what they extend, sorted; others are named by the
	// workload.
	governing []string
	workload  *hipaav1.PHIWorkload
	now       time.Time
}

func choose(profiles []*hipaav1.ComplianceProfile, namespace *corev1.Namespace, w *hipaav1.PHIWorkload, now time.Time) *choice {
	c := &choice{
		workload: w,
		byName:   make(map[string]*hipaav1.ComplianceProfile, len(profiles)),
		inForce:  map[string]time.Time{},
		notFound: map[string]bool{},
		now:      now,
	}
	for _, p := range profiles {
		c.byName[p.Name] = p
	}
	for _, p := range profiles {
		if Governs(p, namespace) && Concerns(p, w) {
			c.governed = true
			c.reach(p.Name, time.Time{})
		}
	}
	c.governing = slices.Sorted(maps.Keys(c.inForce))
	if w != nil && w.Spec.ProfileRef != nil {
		c.reach(w.Spec.ProfileRef.Name, time.Time{})
	}
	return c
}

// reach takes a profile and all that it extends. What is reached through a
// paused profile is paused too, unless another way leads to it. A profile is
// taken again only when a way with an earlier end of the pause leads to it, so
// cycles end and the number of ways does not count.
func (c *choice) reach(name string, paused time.Time) {
	profile, exists := c.byName[name]
	if !exists {
		c.notFound[name] = true
		return
	}
	if !Concerns(profile, c.workload) {
		return
	}
	if pause := profile.Spec.Pause; pause.Holds(c.now) && pause.Until.After(paused) {
		paused = pause.Until.Time
	}
	if before, seen := c.inForce[name]; seen && !paused.Before(before) {
		return
	}
	c.inForce[name] = paused
	for _, base := range profile.Spec.Extends {
		c.reach(base, paused)
	}
}

// merge accumulates profiles, the most restrictive setting winning.
type merge struct {
	engine    *Engine
	effective *Effective
	now       time.Time
}

func newMerge(e *Engine, now time.Time) *merge {
	return &merge{engine: e, now: now, effective: &Effective{
		Parameters: &control.Profile{
			Network: control.NetworkParameters{Gateways: map[string]hipaav1.Gateway{}, Ingresses: map[string]hipaav1.IngressStatement{}},
			Storage: control.StorageParameters{
				Statements: map[string]hipaav1.StorageStatement{},
			},
		},
		controls: e.controls,
	}}
}

// settle writes down the defaults of limits that no governing profile states, so that a
// profile which the team of a workload names loosens none of them.
func (m *merge) settle() {
	p := m.effective.Parameters
	p.Transmission.Proxy = strictestProxy(p.Transmission.Proxy, settledProxy(p.Transmission.Proxy))
	p.Session.IdleTimeout, p.Session.AbsoluteTimeout = p.Session.Idle(), p.Session.Absolute()
	p.Vulnerabilities.CriticalAge, p.Vulnerabilities.ReportAge = p.Vulnerabilities.Critical(), p.Vulnerabilities.Report()
}

// settledProxy is what proxies go by of what p leaves open.
func settledProxy(p *hipaav1.ProxyParameters) *hipaav1.ProxyParameters {
	settled := &hipaav1.ProxyParameters{
		MinimumTLS: hipaav1.TLS13, OutageGrace: &metav1.Duration{Duration: control.DefaultOutageGrace}, Capture: hipaav1.CaptureNames,
	}
	if p != nil {
		settled.MinimumTLS, settled.OutageGrace = cmp.Or(p.MinimumTLS, settled.MinimumTLS), cmp.Or(p.OutageGrace, settled.OutageGrace)
		settled.Capture = cmp.Or(p.Capture, settled.Capture)
	}
	return settled
}

func (m *merge) add(p *hipaav1.ComplianceProfile, paused time.Time) {
	m.effective.Parameters.Names = append(m.effective.Parameters.Names, p.Name)
	if !paused.IsZero() {
		m.effective.Paused = append(m.effective.Paused, p.Name)
		m.endsAt(paused)
	}
	if pause := p.Spec.Pause; pause != nil {
		m.endsAt(pause.Begins())
	}
	m.addModes(p, !paused.IsZero())
	m.effective.Undeclared = stricterUndeclared(m.effective.Undeclared, undeclared(p, !paused.IsZero()))
	m.addNetwork(p)
	m.addStorage(p)
	m.addTransmission(p)
	m.addTagging(p)
	m.addResidency(p)
	m.addSensors(p)
	m.addPlatform(p)
	m.addCloudServices(p)
	if from := p.Spec.Vulnerabilities; from != nil {
		into := &m.effective.Parameters.Vulnerabilities
		into.CriticalAge = fewestDays(into.CriticalAge, from.CriticalMaxAgeDays)
		into.ReportAge = fewestDays(into.ReportAge, from.ReportMaxAgeDays)
	}
	m.addResponsibility(p)
	m.addAccess(p)
	m.addUsers(p)
	m.addExceptions(p)
	m.addRollout(p)
}

// undeclared is a profile's answer to undeclared pods. It refuses only where
// the profile enforces.
func undeclared(p *hipaav1.ComplianceProfile, paused bool) hipaav1.UndeclaredPods {
	answer := p.Spec.UndeclaredPods
	if answer == "" {
		answer = hipaav1.UndeclaredPodsDeny
	}
	enforces := !paused && (p.Spec.DefaultMode == hipaav1.ModeEnforce || p.Spec.DefaultMode == "")
	if answer == hipaav1.UndeclaredPodsDeny && !enforces {
		return hipaav1.UndeclaredPodsWarn
	}
	return answer
}

func (m *merge) addModes(p *hipaav1.ComplianceProfile, paused bool) {
	pin, err := control.ParseRuleset(p.Spec.RulesetVersion)
	if err != nil {
		pin = control.LatestRuleset()
	}
	fallback := p.Spec.DefaultMode
	if fallback == "" {
		fallback = hipaav1.ModeEnforce
	}
	for i := range m.effective.controls {
		c := &m.effective.controls[i]
		if c.Since > pin {
			continue
		}
		mode := fallback
		if by, custom := m.effective.broughtBy[c.ID]; custom && !slices.Contains(by, p.Name) {
			mode = "" // another profile brings it; this one may only set it apart
		}
		for _, setting := range p.Spec.Controls {
			if setting.ID == c.ID {
				mode = setting.Mode
			}
		}
		if paused && rank(mode, hipaav1.ModeWarn, hipaav1.ModeEnforce) > 0 {
			mode = hipaav1.ModeAudit
		}
		m.effective.modes[i] = stronger(m.effective.modes[i], mode)
	}
}

func (m *merge) addNetwork(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Network
	if from == nil {
		return
	}
	into := &m.effective.Parameters.Network
	into.DNS = append(into.DNS, from.DNS...)
	for _, g := range from.Gateways {
		if existing, taken := into.Gateways[g.Name]; taken && !equal(existing, g) {
			m.conflict("network.gateways[%s] differs between profiles; the first by name counts", g.Name)
			continue
		}
		into.Gateways[g.Name] = g
	}
	into.Monitors = append(into.Monitors, from.Monitors...)
	for _, s := range from.IngressStatements {
		if _, taken := into.Ingresses[s.IngressClass]; !taken && m.stands(s.Statement) {
			into.Ingresses[s.IngressClass] = s
		}
	}
	if from.ExternalRanges != nil {
		into.ExternalRanges = append(into.ExternalRanges, prefixes(from.ExternalRanges))
	}
	if s := from.Enforcement; s != nil && m.stands(*s) {
		into.Enforcement = s
	}
}

// prefixes parses ranges. What does not parse allows nothing.
func prefixes(ranges []string) []netip.Prefix {
	parsed := make([]netip.Prefix, 0, len(ranges))
	for _, r := range ranges {
		if p, err := netip.ParsePrefix(r); err == nil {
			parsed = append(parsed, p.Masked())
		}
	}
	return parsed
}

func (m *merge) addStorage(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Storage
	if from == nil {
		return
	}
	into := &m.effective.Parameters.Storage
	switch {
	case from.EncryptedClass == "":
	case into.EncryptedClass == "":
		into.EncryptedClass = from.EncryptedClass
	case into.EncryptedClass != from.EncryptedClass:
		m.conflict("storage.encryptedClass differs between profiles: %q and %q; the first by name counts", into.EncryptedClass, from.EncryptedClass)
	}
	into.EmptyDir = strictest(into.EmptyDir, from.EmptyDir, hipaav1.EmptyDirAsDeclared, hipaav1.EmptyDirMemory)
	if limit := from.EmptyDirSizeLimit; limit != nil && (into.EmptyDirSizeLimit.IsZero() || limit.Cmp(into.EmptyDirSizeLimit) < 0) {
		into.EmptyDirSizeLimit = *limit
	}
	into.CloudKeys = strictest(into.CloudKeys, from.CloudKeys, hipaav1.KeyHolderProvider, hipaav1.KeyHolderCustomer)
	if s := from.NodeDisks; s != nil && m.stands(*s) {
		into.NodeDisks = s
	}
	for _, s := range from.Statements {
		if !m.stands(s.Statement) {
			continue
		}
		existing, taken := into.Statements[s.StorageClass]
		if taken && stricterGrade(existing.Grade, s.Grade) == s.Grade {
			continue
		}
		into.Statements[s.StorageClass] = s
	}
}

func (m *merge) addTransmission(p *hipaav1.ComplianceProfile) {
	into := m.effective.Parameters
	if from := p.Spec.Transmission; from != nil {
		into.Transmission.DatabaseTLS = strictest(into.Transmission.DatabaseTLS, from.DatabaseTLS, hipaav1.DatabaseTLSRequire, hipaav1.DatabaseTLSVerifyFull)
		into.Transmission.DatabaseSettings = strictest(into.Transmission.DatabaseSettings, from.DatabaseSettings,
			hipaav1.DatabaseSettingsAsDeclared, hipaav1.DatabaseSettingsComplete)
		into.Transmission.CertificateWarningDays = append(into.Transmission.CertificateWarningDays, from.CertificateWarningDays...)
		if s := from.CertificatesElsewhere; s != nil && m.stands(*s) {
			into.Transmission.CertificatesElsewhere = cmp.Or(into.Transmission.CertificatesElsewhere, s)
		}
		into.Transmission.Proxy = strictestProxy(into.Transmission.Proxy, from.Proxy)
		into.Transmission.EdgeProbe = strictest(into.Transmission.EdgeProbe, from.EdgeProbe, hipaav1.EdgeProbeNever, hipaav1.EdgeProbeDial)
		if minutes := from.EdgeProbeMinutes; minutes > 0 && (into.Transmission.EdgeProbeMinutes == 0 || minutes < into.Transmission.EdgeProbeMinutes) {
			into.Transmission.EdgeProbeMinutes = minutes
		}
	}
	if from := p.Spec.Session; from != nil {
		into.Session.IdleTimeout = shortest(into.Session.IdleTimeout, from.IdleTimeout)
		into.Session.AbsoluteTimeout = shortest(into.Session.AbsoluteTimeout, from.AbsoluteTimeout)
		into.Session.Settings = strictest(into.Session.Settings, from.Settings, hipaav1.SessionSettingsAsDeclared, hipaav1.SessionSettingsComplete)
		into.Session.WithoutPeople = strictest(into.Session.WithoutPeople, cmp.Or(from.WithoutPeople, hipaav1.SessionsWithoutPeopleJudged),
			hipaav1.SessionsWithoutPeopleStated, hipaav1.SessionsWithoutPeopleJudged)
	}
}

// strictestProxy is the newest TLS, the shortest grace, and the most of what a proxy
// needs.
func strictestProxy(a, b *hipaav1.ProxyParameters) *hipaav1.ProxyParameters {
	if a == nil || b == nil {
		return cmp.Or(a, b)
	}
	merged := *a
	merged.MinimumTLS = strictest(a.MinimumTLS, b.MinimumTLS, hipaav1.TLS12, hipaav1.TLS13)
	if a.OutageGrace == nil || b.OutageGrace != nil && b.OutageGrace.Duration < a.OutageGrace.Duration {
		merged.OutageGrace = b.OutageGrace
	}
	merged.Capture = strictest(a.Capture, b.Capture, hipaav1.CaptureRedirect, hipaav1.CaptureNames)
	merged.CPU, merged.Memory = larger(a.CPU, b.CPU), larger(a.Memory, b.Memory)
	return &merged
}

// larger is the larger of two quantities; nil is none.
func larger(a, b *resource.Quantity) *resource.Quantity {
	if a == nil || b != nil && b.Cmp(*a) > 0 {
		return b
	}
	return a
}

// tighten takes from a workload what is stricter than what the profiles ask for.
func (m *merge) tighten(w *hipaav1.PHIWorkload) {
	if w == nil || w.Spec.Session == nil {
		return
	}
	limits := &m.effective.Parameters.Session
	if own := shortest(limits.Idle(), w.Spec.Session.IdleTimeout); own < limits.Idle() {
		limits.OwnIdle = own
	}
	if own := shortest(limits.Absolute(), w.Spec.Session.AbsoluteTimeout); own < limits.Absolute() {
		limits.OwnAbsolute = own
	}
}

// shortest is the shorter of two limits; zero and nil are none.
func shortest(a time.Duration, b *metav1.Duration) time.Duration {
	if b == nil || b.Duration <= 0 || a > 0 && a <= b.Duration {
		return a
	}
	return b.Duration
}

func (m *merge) addTagging(p *hipaav1.ComplianceProfile) {
	into := &m.effective.Parameters.Tagging
	if *into == (hipaav1.TaggingParameters{}) {
		*into = control.DefaultTagging()
	}
	if p.Spec.Tagging == nil {
		return
	}
	m.setKey(&into.OwnerKey, p.Spec.Tagging.OwnerKey, hipaav1.DefaultOwnerKey, "tagging.ownerKey")
	m.setKey(&into.CriticalityKey, p.Spec.Tagging.CriticalityKey, hipaav1.DefaultCriticalityKey, "tagging.criticalityKey")
	m.setKey(&into.EnvironmentKey, p.Spec.Tagging.EnvironmentKey, hipaav1.DefaultEnvironmentKey, "tagging.environmentKey")
	m.setKey(&into.DataClassPrefix, p.Spec.Tagging.DataClassPrefix, hipaav1.DefaultDataClassPrefix, "tagging.dataClassPrefix")
	m.setKey(&into.JurisdictionPrefix, p.Spec.Tagging.JurisdictionPrefix, hipaav1.DefaultJurisdictionPrefix, "tagging.jurisdictionPrefix")
}

func (m *merge) setKey(into *string, key, fallback, field string) {
	switch {
	case key == "" || key == fallback || key == *into:
	case *into == fallback:
		*into = key
	default:
		m.conflict("%s differs between profiles; the first by name counts", field)
	}
}

func (m *merge) addResponsibility(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Responsibility
	if from == nil {
		return
	}
	into := &m.effective.Parameters.Responsibility
	into.SecurityOfficer = cmp.Or(into.SecurityOfficer, from.SecurityOfficer)
	into.PrivacyOfficer = cmp.Or(into.PrivacyOfficer, from.PrivacyOfficer)
}

func (m *merge) addAccess(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Access
	if from == nil {
		return
	}
	into := &m.effective.Parameters.Access
	if s := from.SecretsReviewed; s != nil && m.stands(*s) {
		into.SecretsReviewed = cmp.Or(into.SecretsReviewed, s)
	}
	into.SecretSource = strictest(into.SecretSource, from.SecretSource, hipaav1.SecretSourceAny, hipaav1.SecretSourceExternal)
	if len(from.Administrators) > 0 {
		into.Administrators = append(into.Administrators, from.Administrators)
	}
	if provider := from.IdentityProvider; provider != nil {
		m.setOnce(&into.Provider.UsernamePrefix, provider.UsernamePrefix, "access.identityProvider.usernamePrefix")
		m.setOnce(&into.Provider.GroupsPrefix, provider.GroupsPrefix, "access.identityProvider.groupsPrefix")
		if provider.MFA != nil && m.stands(*provider.MFA) {
			into.Provider.MFA = cmp.Or(into.Provider.MFA, provider.MFA)
		}
	}
}

// setOnce takes a setting that has no stricter and no laxer values.
func (m *merge) setOnce(into *string, value, field string) {
	switch {
	case *into == "":
		*into = value
	case value != "" && value != *into:
		m.conflict("%s differs between profiles; the first by name counts", field)
	}
}

func (m *merge) addSensors(p *hipaav1.ComplianceProfile) {
	if p.Spec.Detection == nil {
		return
	}
	into := m.effective.Parameters
	for _, s := range p.Spec.Detection.Sensors {
		switch i := slices.IndexFunc(into.Sensors, func(other hipaav1.Sensor) bool { return other.Name == s.Name }); {
		case i < 0:
			into.Sensors = append(into.Sensors, s)
		case !equal(into.Sensors[i], s):
			m.conflict("detection.sensors[%s] differs between profiles; the first by name counts", s.Name)
		}
	}
}

func (m *merge) addPlatform(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Platform
	if from == nil {
		return
	}
	into := &m.effective.Parameters.Platform
	into.TableAge = fewestDays(into.TableAge, from.TableMaxAgeDays)
	for _, s := range from.Supported {
		if _, taken := into.Supported[s.Version]; taken || !m.stands(s.Statement) {
			continue
		}
		if into.Supported == nil {
			into.Supported = map[string]hipaav1.SupportStatement{}
		}
		into.Supported[s.Version] = s
	}
	if s := from.SecretEncryption; s != nil && m.stands(*s) {
		into.SecretEncryption = cmp.Or(into.SecretEncryption, s)
	}
}

// fewestDays is the shorter of two limits; zero is none.
func fewestDays(a time.Duration, days int32) time.Duration {
	return shortest(a, &metav1.Duration{Duration: time.Duration(days) * 24 * time.Hour})
}

func (m *merge) addRollout(p *hipaav1.ComplianceProfile) {
	from := p.Spec.Rollout
	if from == nil {
		return
	}
	f := m.effective
	if from.Window != "" {
		f.Windows = append(f.Windows, from.Window)
	}
	if from.MaxUnavailable != nil {
		f.MaxUnavailable = append(f.MaxUnavailable, *from.MaxUnavailable)
	}
	if from.EnforceBy != nil && (f.EnforceBy == nil || from.EnforceBy.Before(f.EnforceBy)) {
		f.EnforceBy = from.EnforceBy
		m.endsAt(from.EnforceBy.Time)
	}
	f.Accepted = append(f.Accepted, from.AcceptedPreviews...)
}

func (m *merge) stands(s hipaav1.Statement) bool {
	if !m.now.Before(s.Expires.Time) {
		return false
	}
	m.endsAt(s.Expires.Time)
	return true
}

// endsAt notes an instant after now at which the merge changes by itself.
func (m *merge) endsAt(at time.Time) {
	if !at.After(m.now) {
		return
	}
	if f := m.effective; f.ValidUntil.IsZero() || at.Before(f.ValidUntil) {
		f.ValidUntil = at
	}
}

func (m *merge) conflict(format string, args ...any) {
	m.effective.Conflicts = append(m.effective.Conflicts, fmt.Sprintf(format, args...))
}
