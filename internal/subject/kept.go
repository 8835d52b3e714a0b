package subject

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Informers are a cache that tells of changes; a cache.Cache is one.
type Informers interface {
	client.Reader
	GetInformer(ctx context.Context, object client.Object, options ...cache.InformerGetOption) (cache.Informer, error)
}

// Keeping is a Loader that keeps the scene of a namespace until the cache tells
// that something it is made of has changed. It is for who looks afresh at every
// request. A controller needs one that keeps nothing: the event that wakes it may
// come before the one that drops the scene, and nothing would wake it again.
func Keeping(ctx context.Context, informers Informers, live client.Reader) (*Loader, error) {
	kept := &keptScenes{byNamespace: map[string]*Scene{}}
	for _, watched := range []struct {
		object  client.Object
		changed func(toolscache.ObjectName)
	}{
		{&corev1.Namespace{}, func(name toolscache.ObjectName) { kept.drop(name.Name) }},
		{&hipaav1.PHIWorkload{}, func(name toolscache.ObjectName) { kept.drop(name.Namespace) }},
		{&hipaav1.ControlException{}, func(name toolscache.ObjectName) { kept.drop(name.Namespace) }},
		{&hipaav1.ComplianceProfile{}, func(toolscache.ObjectName) { kept.dropAll() }},
	} {
		informer, err := informers.GetInformer(ctx, watched.object)
		if err != nil {
			return nil, fmt.Errorf("watching %T: %w", watched.object, err)
		}
		if _, err := informer.AddEventHandler(whenever(watched.changed, kept.dropAll)); err != nil {
			return nil, fmt.Errorf("watching %T: %w", watched.object, err)
		}
	}
	return &Loader{Cache: informers, Live: live, ConfigMaps: KeepConfigMaps(), kept: kept}, nil
}

// whenever handles every event alike. An event that names nothing may be about
// anything.
func whenever(changed func(toolscache.ObjectName), unknown func()) toolscache.ResourceEventHandler {
	about := func(object any) {
		name, err := toolscache.DeletionHandlingObjectToName(object)
		if err != nil {
			unknown()
			return
		}
		changed(name)
	}
	return toolscache.ResourceEventHandlerFuncs{
		AddFunc:    about,
		UpdateFunc: func(_, updated any) { about(updated) },
		DeleteFunc: about,
	}
}

// keptScenes are the scenes of namespaces that the cache knows to hold PHI, so
// there are never more of them than of such namespaces.
type keptScenes struct {
	mu          sync.Mutex
	changes     uint64
	byNamespace map[string]*Scene
}

// of gives a kept scene, or what has changed so far: the cache changes before
// its events come, so what is read after one event and before the next is good
// until the next.
func (k *keptScenes) of(namespace string) (sc *Scene, changes uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.byNamespace[namespace], k.changes
}

// keep keeps a scene, unless something has changed since its reading began.
func (k *keptScenes) keep(namespace string, sc *Scene, changes uint64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.changes == changes {
		k.byNamespace[namespace] = sc
	}
}

func (k *keptScenes) drop(namespace string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	delete(k.byNamespace, namespace)
}

func (k *keptScenes) dropAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.changes++
	clear(k.byNamespace)
}
