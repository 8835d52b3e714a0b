package subject

import (
	"context"
	"fmt"
	"maps"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/lru"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// ConfigMaps keeps the settings that pods of PHI namespaces have been judged by. The
// cache knows of every ConfigMap of the cluster no more than that it is there and in
// which version: what stands in it is read for those alone that such a pod names.
type ConfigMaps struct{ kept *lru.Cache }

// configMapsKept bounds memory: a ConfigMap holds up to 1 MiB, and few kB as a rule.
const configMapsKept = 256

// KeepConfigMaps keeps none yet. Loaders may share it.
func KeepConfigMaps() *ConfigMaps { return &ConfigMaps{lru.New(configMapsKept)} }

// ConfigMapMetadata is the form in which the cache holds ConfigMaps.
func ConfigMapMetadata() *metav1.PartialObjectMetadata {
	m := &metav1.PartialObjectMetadata{}
	m.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("ConfigMap"))
	return m
}

// settings reads the ConfigMaps that pods take settings from. One that is not there
// stays absent: the pod does not start without it.
func (l *Loader) settings(ctx context.Context, w *world, namespace string, pods ...*corev1.Pod) error {
	for _, pod := range pods {
		for _, name := range control.ConfigMapsOf(&pod.Spec) {
			if w.ConfigMaps[name] != nil {
				continue
			}
			m, err := l.configMap(ctx, types.NamespacedName{Namespace: namespace, Name: name})
			if err != nil {
				return err
			}
			if m != nil {
				w.ConfigMaps[name] = m
			}
		}
	}
	return nil
}

// configMap reads a ConfigMap, live unless the version that the cache knows is kept;
// nil where there is none.
func (l *Loader) configMap(ctx context.Context, key types.NamespacedName) (*corev1.ConfigMap, error) {
	if m := l.keptConfigMap(ctx, key); m != nil {
		return m, nil
	}
	m := &corev1.ConfigMap{}
	if err := l.Live.Get(ctx, key, m); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, nil //nolint:nilnil // absence is an answer
		}
		return nil, fmt.Errorf("reading ConfigMap %s: %w", key, err)
	}
	if l.ConfigMaps != nil {
		m.ManagedFields = nil
		maps.DeleteFunc(m.BinaryData, func(_ string, data []byte) bool { return !control.IsText(data) })
		l.ConfigMaps.kept.Add(key, m)
	}
	return m, nil
}

func (l *Loader) keptConfigMap(ctx context.Context, key types.NamespacedName) *corev1.ConfigMap {
	if l.ConfigMaps == nil {
		return nil
	}
	entry, found := l.ConfigMaps.kept.Get(key)
	if !found {
		return nil
	}
	kept, is := entry.(*corev1.ConfigMap)
	known := ConfigMapMetadata()
	if !is || l.Cache.Get(ctx, key, known, client.UnsafeDisableDeepCopy) != nil || known.ResourceVersion != kept.ResourceVersion {
		return nil
	}
	return kept
}
