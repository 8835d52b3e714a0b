package app

import (
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// cacheOptions keep the cache small: pods without what no control judges,
// everything without managed fields - but network policies, whose managers tell
// who changed them.
func cacheOptions() cache.Options {
	keep := func(object any) (any, error) { return object, nil }
	return cache.Options{
		DefaultTransform: subject.Trim,
		ByObject: map[client.Object]cache.ByObject{
			&corev1.Pod{}:                 {Transform: subject.TrimPod},
			&networkingv1.NetworkPolicy{}: {Transform: keep},
		},
	}
}
