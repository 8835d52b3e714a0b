package phiworkload_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "PHIWorkloads") }

const (
	patience = controllerstest.Patience
	interval = controllerstest.Interval
	awhile   = controllerstest.Awhile
)

var (
	cluster  *controllerstest.Cluster
	operator *controllerstest.Operator
	seen     = &memory{}
	signer   *controllerstest.Signer
	// unpublished keeps the operator from having roots.
	unpublished atomic.Bool
)

var _ = BeforeSuite(func() {
	cluster = controllerstest.StartSuite("replicaset", "statefulset", "disruption", "namespace", "job")
	signer = controllerstest.NewSigner()
	startOperator()
})

func startOperator() {
	GinkgoHelper()
	operator = cluster.StartOperator(catalog.All(), controllers.Dependencies{
		Witness: seen, Sealer: signer, ProxyImages: phitest.ProxyImages(), Proxy: func() (*control.Proxy, error) {
			if unpublished.Load() {
				return nil, errors.New("there are no roots yet")
			}
			return phitest.Proxy(), nil
		},
	})
}

// memory is a witness that specs tell what admission would have seen.
type memory struct {
	change atomic.Pointer[witness.Change]
}

func (m *memory) saw(operation, user, kind, namespace, name string) {
	m.change.Store(&witness.Change{Operation: operation, User: user, Kind: kind, Namespace: namespace, Name: name, Time: metav1.NowMicro()})
}

func (m *memory) Who(_ context.Context, object witness.Object, notBefore time.Time) (witness.Change, bool, error) {
	change := m.change.Load()
	if change == nil || change.Object() != object || change.Time.Time.Before(notBefore) {
		return witness.Change{}, false, nil
	}
	return *change, true, nil
}
