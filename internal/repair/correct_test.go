package repair

import (
	"testing"

	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	testclock "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// wrapped is a client whose values cannot be compared, as that of a struct with a
// function or a list in it.
type wrapped struct {
	client.Client
	_ []string
}

func TestClientsAreNotCompared(t *testing.T) {
	one := wrapped{Client: fake.NewClientBuilder().WithScheme(clientgoscheme.Scheme).Build()}
	c := &Corrector{Client: one, Live: one, Clock: testclock.NewFakePassiveClock(phitest.Epoch)}
	found, err := c.Correct(t.Context(), Order{
		Namespace: "ehr", Workload: "api", Settled: map[string]bool{"isolation": true},
		Owned: []engine.Owned{{ControlID: "isolation", Object: phitest.Policy("hipaa-api").Obj()}},
	})
	if err != nil || len(found) != 1 || found[0].Want != present {
		t.Errorf("Correct: drift %+v, error %v; want a policy that has been taken away", found, err)
	}
}
