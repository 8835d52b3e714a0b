package controltest

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// Goldens says where golden texts stand, seen from the test.
type Goldens struct {
	// Denials is a folder with one text per control.
	Denials string
	// Docs is the folder of the reference pages.
	Docs string
}

// Laws holds every control of a catalogue to the laws of this package.
func Laws(t *testing.T, catalog []control.Control, goldens Goldens) {
	t.Helper()
	hold := func(t *testing.T, law string, broken func() complaints) {
		t.Helper()
		t.Run(law, func(t *testing.T) {
			for _, complaint := range broken() {
				t.Error(complaint)
			}
		})
	}
	hold(t, "what is satisfied and protected violates nothing", func() complaints { return lawful(catalog) })
	for i := range catalog {
		c := &catalog[i]
		t.Run(c.ID, func(t *testing.T) {
			hold(t, "the descriptor is complete", func() complaints { return complete(c) })
			if t.Failed() {
				return // the other laws rely on it
			}
			hold(t, "the example violates nothing", func() complaints { return exemplary(catalog, c) })
			for _, name := range slices.Sorted(maps.Keys(c.Breaks)) {
				hold(t, "finds "+name, func() complaints { return finds(catalog, c, c.Breaks[name]) })
			}
			hold(t, "acts once and harms no other", func() complaints { return harmless(catalog, c) })
			hold(t, "is pure and total", func() complaints { return pure(c) })
			hold(t, "knows nothing without evidence", func() complaints { return evidenced(catalog, c) })
			t.Run("speaks as before", func(t *testing.T) { golden(t, catalog, c, goldens) })
		})
	}
	t.Run("no golden text is left over", func(t *testing.T) { noLeftovers(t, catalog, goldens) })
}

// lawful is law 2.
func lawful(catalog []control.Control) (broken complaints) {
	j := enforcing(catalog)
	for _, kind := range control.AllKinds.Each() {
		bare, baseline := Bare(kind), Baseline(kind)
		Satisfy(catalog, &bare)
		for name, s := range map[string]control.Subject{"bare": bare, "baseline": baseline} {
			Protect(catalog, &s)
			if diff := cmp.Diff(engine.Decision{}, j.admit(s)); diff != "" && kind != control.Connections {
				broken.add("a %s %s is not admitted without a word (-want +got):\n%s", name, kind, diff)
			}
			for _, result := range j.live(Live(s)) {
				if result.Verdict != hipaav1.VerdictPass && result.Verdict != hipaav1.VerdictNotApplicable {
					broken.add("a %s %s: the live verdict of %s is %s: %s", name, kind, result.ID, result.Verdict, result.Message)
				}
			}
		}
	}
	return broken
}

// finds is law 3.
func finds(catalog []control.Control, c *control.Control, b control.Break) (broken complaints) {
	if !c.Judges.Has(b.Kind) || len(b.Kind.Each()) != 1 || b.Apply == nil {
		broken.add("its kind is %q, and the control judges %q", b.Kind, c.Judges)
		return broken
	}
	build := func() control.Subject {
		s := Baseline(b.Kind)
		Protect(catalog, &s)
		b.Apply(&s)
		return s
	}
	j := enforcing(catalog)
	verdict := verdictOf(j.live(Live(build())), c.ID)
	if !control.Unseen.Has(b.Kind) && verdict != hipaav1.VerdictFail && verdict != hipaav1.VerdictUnknown {
		broken.add("the live verdict is %s", verdict)
	}
	s := build()
	Admit(catalog, &s)
	denied := deniedBy(j.admit(s))
	switch {
	case b.Reported && len(denied[c.ID]) > 0:
		broken.add("is called Reported and is refused all the same: %q", denied[c.ID])
	case !b.Reported && len(denied[c.ID]) == 0:
		broken.add("is not refused with the control's ID; refused by: %q", slices.Sorted(maps.Keys(denied)))
	}
	return broken
}

func verdictOf(results []engine.Result, id string) hipaav1.Verdict {
	for _, result := range results {
		if result.ID == id {
			return result.Verdict
		}
	}
	return ""
}

// harmless is law 4.
func harmless(catalog []control.Control, c *control.Control) (broken complaints) {
	one := []control.Control{*c}
	j := enforcing(catalog)
	for _, kind := range []control.Kinds{control.Pods, control.Claims} {
		for name, build := range map[string]func(control.Kinds) control.Subject{"bare": Bare, "baseline": Baseline} {
			untouched, once, twice := build(kind), build(kind), build(kind)
			Admit(one, &once)
			Admit(one, &twice)
			Admit(one, &twice)
			if diff := cmp.Diff(objectOf(once), objectOf(twice)); diff != "" {
				broken.add("a second time changes a %s %s again (-once +twice):\n%s", name, kind, diff)
			}
			before, after := deniedBy(j.admit(untouched)), deniedBy(j.admit(once))
			for id, sentences := range after {
				for _, sentence := range sentences {
					if id != c.ID && !slices.Contains(before[id], sentence) {
						broken.add("acting on a %s %s makes %s find %q", name, kind, id, sentence)
					}
				}
			}
		}
	}
	return broken
}

func objectOf(s control.Subject) any {
	if s.Pod != nil {
		return s.Pod
	}
	return s.Claim
}

// evidenced is law 6.
func evidenced(catalog []control.Control, c *control.Control) (broken complaints) {
	j := enforcing([]control.Control{*c})
	nothing := Baseline(control.Workloads)
	nothing.World = &control.World{}
	// What people say is there without a world, and is called Attested.
	for _, result := range j.live(nothing) {
		if result.Class != hipaav1.EvidenceAttested && result.Verdict != hipaav1.VerdictUnknown && result.Verdict != hipaav1.VerdictFail {
			broken.add("in an empty world the verdict is %s", result.Verdict)
		}
	}
	for _, source := range (c.Needs | c.NeedsLive).Each() {
		s := Baseline(control.Workloads)
		Protect(catalog, &s)
		withhold(&s, source)
		if verdict := verdictOf(j.live(s), c.ID); verdict != hipaav1.VerdictUnknown {
			broken.add("without %s the live verdict is %s", source, verdict)
		}
	}
	for _, source := range c.Needs.Each() {
		for _, kind := range c.Judges.Each() {
			if !c.Admits(kind) {
				continue
			}
			s := Baseline(kind)
			withhold(&s, source)
			if d := j.admit(s); len(d.Denied) != 1 || d.Denied[0].Verdict != hipaav1.VerdictUnknown {
				broken.add("without %s a %s is answered with %+v, and not with one refusal that is Unknown", source, kind, d)
			}
		}
	}
	for _, source := range (control.AllEvidence &^ (c.Needs | c.NeedsLive)).Each() {
		if s := Baseline(control.Workloads); reads(c, catalog, s, source) {
			broken.add("gives another verdict without %s, and does not name it in Needs", source)
		}
	}
	return broken
}

// withhold makes a source one that could not be read, as loaders leave it.
func withhold(s *control.Subject, source control.Evidence) {
	s.World.Missing = map[control.Evidence]string{source: "the test withholds them"}
	empty(s.World, source)
}

// empty takes away what a source brings.
func empty(w *control.World, source control.Evidence) {
	switch source {
	case control.StorageChain:
		w.Claims, w.Origins, w.Volumes, w.Classes = nil, nil, nil, nil
	case control.NetworkPolicies:
		w.Policies = nil
	case control.FlowPeers:
		w.Services, w.APIServer, w.Resolvers = nil, nil, nil
	case control.IsolationProof:
		w.Isolation = nil
	case control.Routes:
		w.Ingresses = nil
	case control.Access:
		w.Roles, w.Bindings, w.ClusterRoles, w.ClusterBindings, w.Environments = nil, nil, nil, nil, nil
	case control.Identities:
		w.Identities = nil
	case control.Settings:
		w.ConfigMaps = nil
	case control.Nodes:
		w.Nodes = nil
	case control.Agents:
		w.Agents = nil
	default:
		emptySaid(w, source)
	}
}

// emptySaid takes away what people and other systems say.
func emptySaid(w *control.World, source control.Evidence) {
	switch source {
	case control.Infrastructure:
		w.Resources, w.Served = nil, nil
	case control.Reports:
		w.Reports, w.Serving = nil, nil
	case control.SecretsAtRest:
		w.Secrets = nil
	case control.Proxies:
		w.Proxy, w.Parties = nil, nil
	case control.Vendors:
		w.Vendors, w.Egress = nil, nil
	}
}

// reads reports whether a control's live verdict depends on a source.
func reads(c *control.Control, catalog []control.Control, s control.Subject, source control.Evidence) bool {
	j := enforcing([]control.Control{*c})
	Protect(catalog, &s)
	with := j.live(s)
	empty(s.World, source)
	return !cmp.Equal(with, j.live(s))
}
