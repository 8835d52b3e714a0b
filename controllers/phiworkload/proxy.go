package phiworkload

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
	"github.com/hipaa-operator/hipaa-operator/internal/sealing"
)

// +kubebuilder:rbac:groups="",resources=configmaps,verbs=create;patch;delete

// Sealer seals what proxies are configured by.
type Sealer interface {
	Seal(draft sealing.Draft) (sealing.Sealed, error)
}

// unsealedRecheck is when to seal again that could not be, if nobody tells before that
// it can.
const unsealedRecheck = 10 * time.Minute

// signed is what becomes of what the operator owns once it is signed.
type signed struct {
	owned []engine.Owned
	// whole says that nothing that has to stay as it stands was left out.
	whole bool
	// generation is that of what proxies go by; zero where there is nothing.
	generation int64
	// asks says how proxies that go by it ask for users.
	asks hipaav1.UserAsking
}

// seal has what configures proxies signed before it is written. What nobody can sign now
// is left out, and must stay as it stands. What is only reported configures nobody.
func (r *Reconciler) seal(ctx context.Context, s *scope) (signed, error) {
	result := signed{whole: true}
	var errs []error
	for _, one := range s.owned {
		m, is := one.Object.(*corev1.ConfigMap)
		switch {
		case !is:
			result.owned = append(result.owned, one)
			continue
		case !one.Enforce:
			continue
		case m.Data[injection.FileConfiguration] == "":
			result.whole = false // the reason stands in unresolved
			continue
		}
		sealed, err := r.sealed(ctx, s.workload, m)
		if err != nil {
			result.whole = false
			errs = append(errs, r.unsealed(ctx, s, m, err))
			continue
		}
		s.endsAt(sealed.Again)
		m = m.DeepCopy()
		m.Data = map[string]string{injection.FileConfiguration: string(sealed.Payload), injection.FileSeal: string(sealed.Seal)}
		one.Object = m
		result.owned = append(result.owned, one)
		result.generation, result.asks = sealed.Generation, injection.AskingOf(sealed.Payload)
	}
	return result, errors.Join(errs...)
}

// unsealed says that proxies go on by what they have. That there is no certificate now
// is no error: everybody is told when there is.
func (r *Reconciler) unsealed(ctx context.Context, s *scope, m *corev1.ConfigMap, err error) error {
	if !errors.Is(err, sealing.ErrNoCertificate) {
		return fmt.Errorf("sealing ConfigMap %s: %w", m.Name, err)
	}
	log.FromContext(ctx).Info("Could not seal what proxies go by", "reason", err.Error())
	s.unresolved = append(s.unresolved, "its proxies go on by what they have: "+sealing.ErrNoCertificate.Error()+"; the operator's log says why")
	s.endsAt(s.now.Add(unsealedRecheck))
	return nil
}

// sealed is what is to stand. What the cache has may be old, so before anything is
// written the API server is asked.
func (r *Reconciler) sealed(ctx context.Context, w *hipaav1.PHIWorkload, m *corev1.ConfigMap) (sealing.Sealed, error) {
	if r.Sealer == nil {
		return sealing.Sealed{}, sealing.ErrNoCertificate
	}
	draft := sealing.Draft{
		Workload: string(w.UID),
		Write: func(generation int64) ([]byte, error) {
			return injection.Regenerate([]byte(m.Data[injection.FileConfiguration]), generation)
		},
	}
	if w.Status.Proxy != nil {
		draft.Known = w.Status.Proxy.ConfigurationGeneration
	}
	var sealed sealing.Sealed
	for _, source := range []client.Reader{r.Owned, r.Live} {
		standing := &corev1.ConfigMap{}
		if err := source.Get(ctx, client.ObjectKeyFromObject(m), standing); err != nil && !apierrors.IsNotFound(err) {
			return sealed, fmt.Errorf("reading what stands: %w", err)
		}
		draft.Payload, draft.Seal = []byte(standing.Data[injection.FileConfiguration]), []byte(standing.Data[injection.FileSeal])
		var err error
		if sealed, err = r.Sealer.Seal(draft); err != nil {
			return sealed, err
		}
		if bytes.Equal(sealed.Payload, draft.Payload) && bytes.Equal(sealed.Seal, draft.Seal) {
			return sealed, nil
		}
	}
	return sealed, nil
}

// maxServiceAccounts bounds the list in the status, as in the API.
const maxServiceAccounts = 16

// proxyOf says what the proxies of the workload go by. While a pod has one, it stays on
// record: flows follow from it, also while a pause has the operator report only.
func proxyOf(s *scope) *hipaav1.ProxyStatus {
	pods, before := s.subject.World.Pods, s.workload.Status.Proxy
	if s.sealed == 0 && (before == nil || s.progress >= repaired && !s.proxied() && !s.outlived()) {
		return nil
	}
	next := &hipaav1.ProxyStatus{Plaintext: hipaav1.PlaintextOpen}
	if before != nil {
		next = before.DeepCopy()
	}
	if s.sealed != 0 {
		next.ConfigurationGeneration, next.Users = s.sealed, s.asks
	}
	if p := s.subject.World.Proxy; p != nil {
		next.IssuerNamespace = p.IssuerNamespace
	}
	next.Capture = s.capture(next.Capture)
	if len(pods) == 0 {
		return next
	}
	next.ServiceAccounts = nil
	for _, pod := range pods {
		next.ServiceAccounts = append(next.ServiceAccounts, control.ServiceAccountOf(pod))
	}
	slices.Sort(next.ServiceAccounts)
	next.ServiceAccounts = bound(slices.Compact(next.ServiceAccounts), maxServiceAccounts)
	next.Plaintext, next.PlaintextUntil = s.plaintext()
	return next
}

// capture says whether policies may let callers to the application's own ports, because
// each pod has its rules. Pods that are new have them for as long: so where the workload
// asks for names it ends with a pass that has closed these ports, and not before. Where the
// profile takes its consent back the ports close with the pass after.
func (s *scope) capture(before hipaav1.CaptureMode) hipaav1.CaptureMode {
	pods := s.subject.World.Pods
	switch {
	case slices.ContainsFunc(pods, func(pod *corev1.Pod) bool { return !control.HasRules(pod) }):
		return ""
	case s.progress < repaired:
		return before
	case injection.CaptureOf(&s.subject) != hipaav1.CaptureRedirect:
		return ""
	case len(pods) == 0:
		return before
	default:
		return hipaav1.CaptureRedirect
	}
}

// plaintext says whether plaintext reaches the application, now that there are pods. Once
// it is closed, nothing opens it again but a pod of the workload itself without a proxy:
// not a caller that lost its own.
func (s *scope) plaintext() (hipaav1.PlaintextAccess, *metav1.Time) {
	before, world := s.workload.Status.Proxy, s.subject.World
	bare := slices.ContainsFunc(world.Pods, func(pod *corev1.Pod) bool { return !control.HasProxy(pod) })
	switch {
	case bare:
		return hipaav1.PlaintextOpen, nil
	case before == nil || before.Plaintext == hipaav1.PlaintextClosed:
		return hipaav1.PlaintextClosed, nil
	case len(injection.BareCallers(s.workload, world.Parties)) > 0:
		return hipaav1.PlaintextOpen, nil
	case before.Plaintext == hipaav1.PlaintextOpen && len(before.ServiceAccounts) == 0:
		// These are its first pods: nobody was told to call it by anything else.
		return hipaav1.PlaintextClosed, nil
	}
	until := before.PlaintextUntil
	if until == nil {
		until = ptr.To(metav1.NewTime(s.now.Add(s.settles()).Truncate(time.Second)))
	}
	if !s.now.Before(until.Time) {
		return hipaav1.PlaintextClosed, nil
	}
	return hipaav1.PlaintextSettling, until
}

// settles is how long the proxies of callers may take to hear that all pods have theirs.
func (s *scope) settles() time.Duration {
	if p := s.subject.World.Proxy; p != nil {
		return p.Settles
	}
	return 0
}

// outlived reports whether proxies run that nobody asks for any more: they go on by what
// they have, which has to stay as long as they do.
func (s *scope) outlived() bool {
	return !s.proxied() && s.workload.Status.Proxy != nil && slices.ContainsFunc(s.subject.World.Pods, control.HasProxy)
}

// proxied reports whether the operator is to keep proxies configured, whether or not it
// could now.
func (s *scope) proxied() bool {
	return slices.ContainsFunc(s.owned, func(o engine.Owned) bool {
		_, is := o.Object.(*corev1.ConfigMap)
		return is && o.Enforce
	})
}
