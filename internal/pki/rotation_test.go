package pki

import (
	"crypto/x509"
	"slices"
	"testing"
	"time"
)

// world steps a clock through rotations as replicas of the issuer would: leaves are
// signed at every step, and bundles go out at every step.
type world struct {
	t     *testing.T
	plan  Plan
	roots []Root
	// replicas each keep an intermediate of their own. The first renews it at half; the
	// second is cut off from the API server, and signs with what it has to the end.
	replicas [2]Authority
	leaves   [][]*x509.Certificate
	bundles  []dated
	signers  map[string]bool
}

type dated struct {
	at     time.Time
	bundle Bundle
}

func (w *world) step(now time.Time) {
	decision := w.plan.Decide(now, w.roots)
	if decision.Publish {
		authority, err := NewRoot(domain, now, w.plan.Root)
		if err != nil {
			w.t.Fatal(err)
		}
		w.roots = append(w.roots, Root{Authority: authority, Published: now})
		decision = w.plan.Decide(now, w.roots)
	}
	w.bundles = append(w.bundles, dated{now, decision.Bundle()})
	for i := range w.replicas {
		w.issue(i, now, decision)
	}
	w.forget(now)
	w.prove(now)
}

// issue lets one replica sign a leaf, with a new intermediate where it is time.
func (w *world) issue(replica int, now time.Time, decision Decision) {
	by := &w.replicas[replica]
	early := []time.Duration{w.plan.Intermediate / 2, 0}[replica]
	if by.Certificate == nil || !now.Before(by.Certificate.NotAfter.Add(-early)) {
		intermediate, err := decision.Signer.Intermediate(domain, nil, now, w.plan.Intermediate)
		if err != nil {
			w.t.Fatalf("at %s: %v", now, err)
		}
		*by = intermediate
		w.signers[decision.Signer.Certificate.SerialNumber.String()] = true
	}
	id := ID{TrustDomain: domain, Kind: Workload, Namespace: "ehr", Name: "a"}
	chain, err := by.Leaf(id, public(w.t), now, w.plan.Leaf)
	if err != nil {
		w.t.Fatalf("at %s: %v", now, err)
	}
	if got := chain[0].NotAfter.Sub(now); replica == 0 && got < w.plan.Leaf {
		w.t.Fatalf("at %s a leaf lasts %s only", now, got)
	}
	w.leaves = append(w.leaves, chain)
}

// forget drops what nobody can hold any more.
func (w *world) forget(now time.Time) {
	for len(w.bundles) > 0 && w.bundles[0].at.Before(now.Add(-w.plan.Distribution)) {
		w.bundles = w.bundles[1:]
	}
	w.leaves = slices.DeleteFunc(w.leaves, func(chain []*x509.Certificate) bool {
		return now.After(chain[0].NotAfter.Add(w.plan.Grace))
	})
}

// prove verifies each leaf that may be in use with each bundle that may be in use.
func (w *world) prove(now time.Time) {
	seen := map[string]bool{}
	for _, held := range w.bundles {
		if text := string(held.bundle.PEM()); !seen[text] {
			seen[text] = true
			for _, chain := range w.leaves {
				if _, err := Verify(chain, held.bundle, Acceptance{At: now, Grace: w.plan.Grace, Usage: x509.ExtKeyUsageServerAuth}); err != nil {
					w.t.Fatalf("at %s the leaf of %s fails with the bundle of %s: %v", now, chain[0].NotBefore, held.at, err)
				}
			}
		}
	}
}

func TestThroughWholeRotationsEveryLeafVerifiesWithEveryBundle(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct {
		plan  Plan
		steps time.Duration
		// brought is when people bring a root of their own, if they do.
		brought time.Duration
	}{
		"as shipped, with roots of three weeks": {
			plan:  Plan{Root: 40 * day, Intermediate: 7 * day, Leaf: day, Renewal: 17 * day, Distribution: 7 * day, Grace: 3 * day},
			steps: 17 * time.Hour,
		},
		"as tight as a plan may be": {
			plan:  Plan{Root: 40 * time.Hour, Intermediate: 8 * time.Hour, Leaf: 4 * time.Hour, Renewal: 14 * time.Hour, Distribution: 5 * time.Hour, Grace: time.Hour},
			steps: 50 * time.Minute,
		},
		"without grace": {
			plan:  Plan{Root: 40 * time.Hour, Intermediate: 8 * time.Hour, Leaf: 4 * time.Hour, Renewal: 12 * time.Hour, Distribution: 4 * time.Hour},
			steps: 55 * time.Minute,
		},
		"when people bring a root in the middle of a rotation": {
			plan:    Plan{Root: 40 * day, Intermediate: 7 * day, Leaf: day, Renewal: 17 * day, Distribution: 7 * day, Grace: 3 * day},
			steps:   19 * time.Hour,
			brought: 25 * day,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if err := test.plan.Check(); err != nil {
				t.Fatal(err)
			}
			w := &world{t: t, plan: test.plan, signers: map[string]bool{}}
			most := 0
			for elapsed := time.Duration(0); elapsed < 3*test.plan.Root; elapsed += test.steps {
				now := start.Add(elapsed)
				if test.brought > 0 && elapsed >= test.brought {
					test.brought = 0
					authority, err := NewRoot(domain, now, test.plan.Root)
					if err != nil {
						t.Fatal(err)
					}
					w.roots = append(w.roots, Root{Authority: authority, Published: now})
				}
				w.step(now)
				most = max(most, len(w.bundles[len(w.bundles)-1].bundle))
			}
			if len(w.signers) < 4 || most < 2 {
				t.Errorf("%d roots have signed, and bundles had %d at most: this was no rotation", len(w.signers), most)
			}
			if kept := test.plan.Decide(start.Add(3*test.plan.Root), w.roots).Keep; len(kept) > 2 {
				t.Errorf("%d of %d roots are kept", len(kept), len(w.roots))
			}
		})
	}
}

func TestDecide(t *testing.T) {
	const day = 24 * time.Hour
	plan := DefaultPlan()
	root := func(published time.Time) Root {
		return Root{Authority: Authority{Certificate: &x509.Certificate{NotBefore: published, NotAfter: published.Add(plan.Root)}}, Published: published}
	}
	first, second, third := root(start), root(start.Add(100*day)), root(start.Add(102*day))
	tests := map[string]struct {
		roots   []Root
		now     time.Time
		publish bool
		keep    []Root
		signer  Root
	}{
		"nothing yet":                       {now: start, publish: true},
		"the first signs at once":           {roots: []Root{first}, now: start, keep: []Root{first}, signer: first},
		"a second waits":                    {roots: []Root{first, second}, now: start.Add(107*day - 1), keep: []Root{first, second}, signer: first},
		"until bundles are there":           {roots: []Root{second, first}, now: start.Add(107 * day), keep: []Root{first, second}, signer: second},
		"the first stays to the last":       {roots: []Root{first, second}, now: start.Add(117*day - 1), keep: []Root{first, second}, signer: second},
		"and goes":                          {roots: []Root{first, second}, now: start.Add(117 * day), keep: []Root{second}, signer: second},
		"the newest of several signs":       {roots: []Root{first, second, third}, now: start.Add(109 * day), keep: []Root{first, second, third}, signer: third},
		"a year before its end a new one":   {roots: []Root{first}, now: start.Add(plan.Root - 365*day), publish: true, keep: []Root{first}, signer: first},
		"just before that none":             {roots: []Root{first}, now: start.Add(plan.Root - 365*day - 1), keep: []Root{first}, signer: first},
		"expired, within the grace":         {roots: []Root{first}, now: start.Add(plan.Root), publish: true, keep: []Root{first}},
		"expired, and the next had no time": {roots: []Root{first, root(start.Add(plan.Root))}, now: start.Add(plan.Root), keep: []Root{first, root(start.Add(plan.Root))}, signer: root(start.Add(plan.Root))},
		"all of them expired":               {roots: []Root{first, second}, now: start.Add(2 * plan.Root), publish: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := plan.Decide(test.now, test.roots)
			if got.Publish != test.publish || got.Signer.Published != test.signer.Published || len(got.Keep) != len(test.keep) {
				t.Fatalf("got publish %t, %d kept, signer of %s", got.Publish, len(got.Keep), got.Signer.Published)
			}
			for i := range test.keep {
				if got.Keep[i].Published != test.keep[i].Published {
					t.Errorf("kept as number %d is that of %s", i, got.Keep[i].Published)
				}
			}
		})
	}
}

func TestARootIsDueInTime(t *testing.T) {
	const day = 24 * time.Hour
	tests := map[string]struct{ lifetime, before time.Duration }{
		"ours, a year before":                     {3653 * day, 365 * day},
		"one of a year, in its last third":        {360 * day, 120 * day},
		"one of a month, as early as it must be":  {30 * day, 17 * day},
		"one of a week, from its first moment on": {7 * day, 17 * day},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			root := &x509.Certificate{NotBefore: start, NotAfter: start.Add(test.lifetime)}
			due := root.NotAfter.Add(-test.before)
			if plan := DefaultPlan(); plan.Due(due.Add(-1), root) || !plan.Due(due, root) {
				t.Errorf("it is not due at %s", due)
			}
		})
	}
}

func TestPlansWithAGapAreRefused(t *testing.T) {
	tests := map[string]func(*Plan){
		"a leaf of seconds":                        func(p *Plan) { p.Leaf = time.Second },
		"an intermediate as short as a leaf":       func(p *Plan) { p.Intermediate = p.Leaf },
		"a negative grace":                         func(p *Plan) { p.Grace = -1 },
		"bundles that would be older":              func(p *Plan) { p.Distribution = p.Leaf + p.Grace - 1 },
		"a renewal too late":                       func(p *Plan) { p.Renewal = p.Distribution + p.Intermediate + p.Grace - 1 },
		"a root that is renewed before it is made": func(p *Plan) { p.Root = p.Renewal },
	}
	if err := DefaultPlan().Check(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			plan := DefaultPlan()
			spoil(&plan)
			if plan.Check() == nil {
				t.Error("it is accepted")
			}
		})
	}
}
