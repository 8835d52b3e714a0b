package namespace

import (
	"errors"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

func TestAPodThatIsTooYoungIsLookedAtAgain(t *testing.T) {
	ungoverned := outcome.Blocked(hipaav1.ReasonNoProfile, errors.New("no ComplianceProfile governs it"))
	for name, tc := range map[string]struct {
		give    scope
		err     error
		want    time.Duration
		refused bool
	}{
		"where a profile governs":         {give: scope{pending: true}, want: settleFor},
		"where none does":                 {give: scope{pending: true}, err: ungoverned, want: settleFor},
		"not where there is none":         {err: ungoverned, refused: true},
		"by the retry of what went wrong": {give: scope{pending: true}, err: errors.New("the API server is away"), refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			result, err := tc.give.outcome(tc.err)
			if result != (reconcile.Result{RequeueAfter: tc.want}) || (err != nil) != tc.refused {
				t.Errorf("got %v, %v", result, err)
			}
		})
	}
}
