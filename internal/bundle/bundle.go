// Package bundle tells which roots the issuer has published. Its promise: an answer
// costs nothing, and where there is none it says why.
package bundle

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// Published is the ConfigMap of the issuer as it stands. It is safe for concurrent use.
type Published struct {
	// Cache watches this ConfigMap alone. Who made it has to start it.
	cache.Cache

	held     atomic.Pointer[held]
	watching toolscache.ResourceEventHandlerRegistration
	changed  func()
}

// held is what the ConfigMap holds, or what is wrong with it.
type held struct {
	bundle pki.Bundle
	err    error
}

// Why there is no bundle.
var (
	errUnread = errors.New("ConfigMap " + enrol.BundleName + " has not been read yet")
	errGone   = errors.New("there is no ConfigMap " + enrol.BundleName + ": the issuer writes it; install it (config/issuer)")
)

// Watch watches what the issuer of a namespace publishes. Changed is told that the
// answer is another one.
func Watch(ctx context.Context, config *rest.Config, namespace string, changed func()) (*Published, error) {
	one := cache.ByObject{Namespaces: map[string]cache.Config{namespace: {}}, Field: fields.OneTermEqualSelector("metadata.name", enrol.BundleName)}
	c, err := cache.New(config, cache.Options{ByObject: map[client.Object]cache.ByObject{&corev1.ConfigMap{}: one}})
	if err != nil {
		return nil, fmt.Errorf("watching the published roots: %w", err)
	}
	informer, err := c.GetInformer(ctx, &corev1.ConfigMap{}, cache.BlockUntilSynced(false))
	if err != nil {
		return nil, fmt.Errorf("watching the published roots: %w", err)
	}
	p := &Published{Cache: c, changed: changed}
	p.watching, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    p.take,
		UpdateFunc: func(_, object any) { p.take(object) },
		DeleteFunc: func(any) { p.hold(&held{err: errGone}) },
	})
	if err != nil {
		return nil, fmt.Errorf("watching the published roots: %w", err)
	}
	return p, nil
}

// NeedLeaderElection says that every replica watches: all of them answer admission. A
// cache of several kinds does not say so itself.
func (*Published) NeedLeaderElection() bool { return false }

// Roots are those that are published at this moment.
func (p *Published) Roots() (pki.Bundle, error) {
	switch h := p.held.Load(); {
	case h != nil:
		return h.bundle, h.err
	case p.watching.HasSynced():
		return nil, errGone
	}
	return nil, errUnread
}

func (p *Published) take(object any) {
	found, is := object.(*corev1.ConfigMap)
	if !is {
		return
	}
	bundle, err := pki.ParseBundle([]byte(found.Data[enrol.BundleKey]))
	if err != nil {
		err = fmt.Errorf("reading ConfigMap %s: %w", enrol.BundleName, err)
	}
	p.hold(&held{bundle: bundle, err: err})
}

// hold takes the newest answer. What was good once stays while nothing good comes after
// it: without roots no pod that handles PHI starts, and whoever deletes a ConfigMap must
// not be able to ask for that.
func (p *Published) hold(next *held) {
	if before := p.held.Load(); next.err != nil && before != nil && before.err == nil {
		return
	}
	before := p.held.Swap(next)
	if before == nil || !before.bundle.Equal(next.bundle) || (before.err == nil) != (next.err == nil) {
		p.changed()
	}
}
