package backstop

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/backstop"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// The name bounds creation as well, because who applies writes to the name's own URL.
// +kubebuilder:rbac:groups="",resources=configmaps,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps,resourceNames=hipaa-operator-backstop,verbs=create;patch;update;delete

// repair writes the parameters where the API server has others.
func (r *Reconciler) repair(ctx context.Context, s *scope) error {
	want := s.parameters.ConfigMap(s.namespace.Name)
	key := client.ObjectKeyFromObject(want)
	if same, err := r.known(ctx, key, want); same || err != nil {
		return err
	}
	live := &corev1.ConfigMap{}
	err := r.Live.Get(ctx, key, live)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading the backstop's parameters: %w", err)
	}
	if err != nil || !asWanted(live, want) {
		if live, err = r.write(ctx, want); err != nil {
			return err
		}
		log.FromContext(ctx).Info("Wrote the backstop's parameters", "namespace", klog.KObj(s.namespace))
	}
	r.written[s.namespace.Name] = written{uid: live.UID, version: live.ResourceVersion, wanted: want}
	return nil
}

// known reports whether the version that the cache has is the one that was written
// or read last, and says what is wanted.
func (r *Reconciler) known(ctx context.Context, key types.NamespacedName, want *corev1.ConfigMap) (bool, error) {
	last, looked := r.written[key.Namespace]
	if !looked || !asWanted(last.wanted, want) {
		return false, nil
	}
	cached := subject.ConfigMapMetadata()
	if err := r.Client.Get(ctx, key, cached); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return cached.UID == last.uid && cached.ResourceVersion == last.version, nil
}

func asWanted(live, want *corev1.ConfigMap) bool {
	return hipaav1.IsOwned(live) && maps.Equal(live.Data, want.Data) && len(live.BinaryData) == 0 &&
		live.Annotations[backstop.AnnotationReflects] == want.Annotations[backstop.AnnotationReflects]
}

// write applies the parameters. What somebody has added beside them apply leaves
// alone; then the whole is replaced.
func (r *Reconciler) write(ctx context.Context, want *corev1.ConfigMap) (*corev1.ConfigMap, error) {
	untyped, err := apply.Untyped(want, r.Client.Scheme())
	if err != nil {
		return nil, err
	}
	applied, err := apply.Object(ctx, r.Client, untyped)
	if err != nil {
		return nil, err
	}
	live := &corev1.ConfigMap{}
	if err := apply.Convert(applied.Object, live); err != nil {
		return nil, err
	}
	if asWanted(live, want) {
		return live, nil
	}
	live.Data, live.BinaryData = want.Data, nil
	if err := r.Client.Update(ctx, live, client.FieldOwner(hipaav1.FieldOwner)); err != nil {
		return nil, fmt.Errorf("replacing the backstop's parameters: %w", err)
	}
	return live, nil
}

// leave takes the parameters away from a namespace that people no longer declare to
// hold PHI: the policy does not look there.
func (r *Reconciler) leave(ctx context.Context, s *scope) error {
	delete(r.written, s.namespace.Name)
	cached := subject.ConfigMapMetadata()
	err := r.Client.Get(ctx, types.NamespacedName{Namespace: s.namespace.Name, Name: backstop.ParametersName}, cached)
	if err != nil || !hipaav1.IsOwned(cached) {
		return client.IgnoreNotFound(err)
	}
	if err := r.Client.Delete(ctx, cached); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("removing the backstop's parameters: %w", err)
	}
	return nil
}
