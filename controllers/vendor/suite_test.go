package vendor_test

import (
	"testing"

	. "github.com/onsi/ginkgo/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "Vendors") }

const (
	patience = controllerstest.Patience
	interval = controllerstest.Interval
)

var cluster *controllerstest.Cluster

var _ = BeforeSuite(func(ctx SpecContext) {
	cluster = controllerstest.StartSuite()
	egress := controllerstest.EgressService()
	controllerstest.Create(ctx, cluster, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: egress.Namespace}})
	controllerstest.Create(ctx, cluster, phitest.Service("kube-dns").Namespace(metav1.NamespaceSystem).Port("dns", 53, intstr.FromInt32(53)).Obj())
	controllerstest.Create(ctx, cluster, egress)
	cluster.StartOperator(catalog.All(), controllers.Dependencies{
		Sealer: controllerstest.NewSigner(), Proxy: func() (*control.Proxy, error) { return phitest.Proxy(), nil },
	})
})
