package app

import (
	"fmt"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/manager"

	"github.com/hipaa-operator/hipaa-operator/internal/canary"
	"github.com/hipaa-operator/hipaa-operator/internal/isolation"
)

// evidence is what the operator tries for itself of its cluster.
type evidence struct {
	secrets  *canary.Canary
	policies *isolation.Probe
	changed  bell
}

// addEvidence has the leader ask API servers how they store Secrets, and every replica
// dial another one, to see whether policies are enforced.
func addEvidence(mgr manager.Manager, o Options) (*evidence, error) {
	changed := newBell()
	e := &evidence{
		secrets: canary.New(canary.Options{
			Config:    mgr.GetConfig(),
			Namespace: o.Namespace,
			Live:      mgr.GetAPIReader(),
			Clock:     clock.RealClock{},
			Changed:   changed.ring,
		}),
		policies: isolation.New(isolation.Options{
			Namespace: o.Namespace,
			Pod:       o.Pod,
			Live:      mgr.GetAPIReader(),
			Dial:      isolation.Dial,
			Clock:     clock.RealClock{},
			Changed:   changed.ring,
		}),
		changed: changed,
	}
	if err := mgr.Add(e.secrets); err != nil {
		return nil, fmt.Errorf("adding the canary of Secrets: %w", err)
	}
	if err := mgr.Add(e.policies); err != nil {
		return nil, fmt.Errorf("adding the probe of the network plugin: %w", err)
	}
	return e, nil
}
