package app

import (
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/internal/isolation"
)

// addIsolation has every replica dial another one, to see whether policies are enforced.
func addIsolation(mgr manager.Manager, o Options, changed bell) (*isolation.Probe, error) {
	p := isolation.New(isolation.Options{
		Namespace: o.Namespace,
		Pod:       o.Pod,
		Live:      mgr.GetAPIReader(),
		Dial:      isolation.Dial,
		Clock:     clock.RealClock{},
		Changed:   changed.ring,
	})
	if err := mgr.Add(p); err != nil {
		return nil, fmt.Errorf("adding the probe of the network plugin: %w", err)
	}
	return p, nil
}
