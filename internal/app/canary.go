package app

import (
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/internal/canary"
)

// addCanary has the leader ask API servers how they store Secrets.
func addCanary(mgr manager.Manager, o Options, changed bell) (*canary.Canary, error) {
	c := canary.New(canary.Options{
		Config:    mgr.GetConfig(),
		Namespace: o.Namespace,
		Live:      mgr.GetAPIReader(),
		Clock:     clock.RealClock{},
		Changed:   changed.ring,
	})
	if err := mgr.Add(c); err != nil {
		return nil, fmt.Errorf("adding the canary of Secrets: %w", err)
	}
	return c, nil
}
