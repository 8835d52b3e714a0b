package egress_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"

	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "phi-egress") }

const (
	patience = controllerstest.Patience
	interval = controllerstest.Interval
	awhile   = controllerstest.Awhile
)

var (
	cluster *controllerstest.Cluster
	signer  *controllerstest.Signer
)

var _ = BeforeSuite(func() {
	cluster = controllerstest.StartSuite()
	signer = controllerstest.NewSigner()
	cluster.StartOperator(catalog.All(), controllers.Dependencies{
		Sealer: signer, Proxy: func() (*control.Proxy, error) { return phitest.Proxy(), nil },
	})
})
