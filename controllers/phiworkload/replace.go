package phiworkload

import (
	"context"
	"fmt"

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
	s.progress = replaced
	return nil
}
