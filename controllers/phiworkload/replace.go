package phiworkload

import (
	"context"
	"fmt"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// replace takes away pods that run without their safeguards, as far as profiles
// and continuity let it.
func (r *Reconciler) replace(ctx context.Context, s *scope) error {
	if s.leaving() {
		s.progress = replaced
		return nil
	}
	var err error
	s.protection, err = r.Replacer.Replace(ctx, repair.Case{Workload: s.workload, Subject: s.subject, Ruling: s.ruling})
	s.endsAt(s.protection.LookAgain)
	if err != nil {
		return fmt.Errorf("replacing pods: %w", err)
	}
	if s.deserted() {
		if err := r.bar(ctx, s); err != nil {
			return err
		}
	}
	s.progress = replaced
	return nil
}

// barredRecheck is when templates are looked at again that admission lets make no
// pod: they are not watched, and somebody mends them.
const barredRecheck = 5 * time.Minute

// bar lists the templates of which a pod is wanted and would be refused now. It
// comes last: reading them takes a while, and nothing may wait for that.
func (r *Reconciler) bar(ctx context.Context, s *scope) error {
	if !s.previewDue() { // else they have been read
		if err := r.readTemplates(ctx, s); err != nil {
			return err
		}
	}
	for i := range s.drafts {
		d := &s.drafts[i]
		if d.Idle {
			continue
		}
		if denied, _ := d.ask(r.Engine, s.ruling); len(denied) > 0 {
			s.barred = append(s.barred, entryFor(d.Object, denied))
		}
	}
	if len(s.barred) > 0 {
		s.endsAt(s.now.Add(barredRecheck))
	}
	return nil
}
