package vendor_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"

	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "Vendors") }

const (
	patience = controllerstest.Patience
	interval = controllerstest.Interval
)

var cluster *controllerstest.Cluster

var _ = BeforeSuite(func() {
	cluster = controllerstest.StartSuite()
	cluster.StartOperator(catalog.All(), controllers.Dependencies{})
})
