package pki

import (
	"crypto/x509"
	"errors"
	"slices"
	"time"
)

// Root is an authority that bundles hold, or held.
type Root struct {
	Authority
	// Published is since when bundles hold it.
	Published time.Time
}

// Plan is how long everything lasts. From it and from when roots were published
// everybody computes the same rotation, so that nobody has to lead it.
type Plan struct {
	// Root, Intermediate and Leaf are the lifetimes of certificates.
	Root, Intermediate, Leaf time.Duration
	// Renewal is how long before its end a root gets a successor.
	Renewal time.Duration
	// Distribution is how old a bundle may be that somebody still goes by. A new
	// root signs only after that.
	Distribution time.Duration
	// Grace is for how long after its end a leaf may still be accepted.
	Grace time.Duration
}

// DefaultPlan is what the issuer goes by unless told otherwise. A proxy asks every
// half lifetime of its leaf; one that could not ask goes on with the bundle that it
// has until its leaf and the grace have ended, which is before Distribution.
func DefaultPlan() Plan {
	const day = 24 * time.Hour
	return Plan{
		Root:         3653 * day,
		Intermediate: 7 * day,
		Leaf:         day,
		Renewal:      365 * day,
		Distribution: 7 * day,
		Grace:        3 * day,
	}
}

// Check says whether a plan leaves no gap.
func (p Plan) Check() error {
	switch {
	case p.Leaf < time.Minute:
		return errors.New("planning rotation: a leaf lasts a minute at least")
	case p.Intermediate < 2*p.Leaf:
		return errors.New("planning rotation: an intermediate lasts two lifetimes of a leaf at least, because it is renewed at half")
	case p.Grace < 0:
		return errors.New("planning rotation: the grace is negative")
	case p.Distribution < p.Leaf+p.Grace:
		return errors.New("planning rotation: the distribution of bundles takes the lifetime of a leaf and the grace at least, because so old may be what a proxy goes by")
	case p.Renewal < p.shortest():
		return errors.New("planning rotation: a root is renewed before distribution, the lifetime of an intermediate and the grace together at least")
	case p.Root <= p.Renewal:
		return errors.New("planning rotation: a root lasts longer than the time before its end in which it is renewed")
	}
	return nil
}

// Decision is what holds at one instant.
type Decision struct {
	// Publish says that a new root is due.
	Publish bool
	// Keep are the roots that bundles hold, the oldest first. Others are retired:
	// nothing that they signed is accepted any more.
	Keep []Root
	// Signer is what signs intermediates; the zero Root where there is none.
	Signer Root
}

// Bundle is what everybody should trust.
func (d Decision) Bundle() Bundle {
	var bundle Bundle
	for _, root := range d.Keep {
		bundle = append(bundle, root.Certificate)
	}
	return bundle
}

// Decide says which roots are published, which of them signs, and whether a new one
// is due: it is published, signs once every bundle in use holds it, and the old one
// goes after the last that it signed.
func (p Plan) Decide(now time.Time, roots []Root) Decision {
	ordered := slices.SortedStableFunc(slices.Values(roots), func(a, b Root) int { return a.Published.Compare(b.Published) })
	var decision Decision
	for i, root := range ordered {
		if now.Before(p.retirement(root, ordered[i+1:])) {
			decision.Keep = append(decision.Keep, root)
		}
	}
	decision.Signer = p.signer(now, decision.Keep)
	newest := len(decision.Keep) - 1
	decision.Publish = newest < 0 || p.Due(now, decision.Keep[newest].Certificate)
	return decision
}

// Due says whether a root needs a successor. One that people bring may last less
// than ours: it gets one in the last third of its own lifetime, or as early as a
// rotation takes.
func (p Plan) Due(now time.Time, root *x509.Certificate) bool {
	third := root.NotAfter.Sub(root.NotBefore) / 3
	return !now.Before(root.NotAfter.Add(-min(p.Renewal, max(third, p.shortest()))))
}

// shortest is how long a rotation takes: bundles go out, and what the old root
// signed ends.
func (p Plan) shortest() time.Duration { return p.Distribution + p.Intermediate + p.Grace }

// retirement is when nothing counts any more that a root signed: it signs until the
// first of its successors does, by intermediates that last as long as they last.
func (p Plan) retirement(root Root, successors []Root) time.Time {
	end := root.Certificate.NotAfter
	for _, successor := range successors {
		if last := successor.Published.Add(p.Distribution + p.Intermediate); last.Before(end) {
			end = last
		}
	}
	return end.Add(p.Grace)
}

// signer is the newest root that every bundle holds. Where there is none, the oldest
// that is left: the first of all, or one whose predecessors have expired.
func (p Plan) signer(now time.Time, kept []Root) Root {
	var signer Root
	for _, root := range kept {
		if !now.Before(root.Certificate.NotAfter) {
			continue
		}
		if signer.Certificate == nil || !now.Before(root.Published.Add(p.Distribution)) {
			signer = root
		}
	}
	return signer
}
