package egress

import (
	"bytes"
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/gate"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
)

// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch;create;patch

// seal has what phi-egress goes by sealed. What the cache has may be old, so before
// anything is written the API server is asked.
func (r *Reconciler) seal(ctx context.Context, s *scope) error {
	if s.service == nil {
		return nil
	}
	if r.Sealer == nil {
		return sealing.ErrNoCertificate
	}
	owned := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: s.service.Namespace, Name: control.EgressName, Labels: control.EgressLabels()}}
	var sealed sealing.Sealed
	for _, source := range []client.Reader{r.Owned, r.Corrector.Live} {
		standing := &corev1.ConfigMap{}
		if err := source.Get(ctx, client.ObjectKeyFromObject(owned), standing); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("reading what phi-egress goes by: %w", err)
		}
		draft := sealing.Draft{
			Workload: gate.UID,
			Payload:  []byte(standing.Data[injection.FileConfiguration]), Seal: []byte(standing.Data[injection.FileSeal]),
			Write: s.write,
		}
		var err error
		if sealed, err = r.sealed(draft, s); err != nil {
			return fmt.Errorf("sealing what phi-egress goes by: %w", err)
		}
		if bytes.Equal(sealed.Payload, draft.Payload) && bytes.Equal(sealed.Seal, draft.Seal) {
			break
		}
	}
	var err error
	if s.configuration, err = parsed(sealed.Payload); err != nil {
		return err
	}
	owned.Data = map[string]string{injection.FileConfiguration: string(sealed.Payload), injection.FileSeal: string(sealed.Seal)}
	s.sealed, s.again, r.given = owned, sealed.Again, sealed.Generation
	return nil
}

func (s *scope) write(generation int64) ([]byte, error) {
	c, err := gate.Configuration(s.world, generation)
	if err != nil {
		return nil, err
	}
	return injection.Encode(c)
}

// sealed is what is to stand. No status tells the last generation, and what stands does not
// either: somebody may have put an older one back, which pods of phi-egress do not take even
// where it says the same. A process knows what it gave itself. Its first is new, and not
// below the milliseconds since 1970, which grow faster than generations do.
func (r *Reconciler) sealed(draft sealing.Draft, s *scope) (sealing.Sealed, error) {
	draft.Known = r.given
	if draft.Known == 0 {
		draft.Known = s.now.UnixMilli()
	}
	return r.Sealer.Seal(draft)
}
