package controlexception_test

import (
	"context"
	"testing"
	"time"

	. "github.com/onsi/ginkgo/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/controllers"
	"github.com/hipaa-operator/hipaa-operator/controllers/controllerstest"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestController(t *testing.T) { controllerstest.RunSuite(t, "ControlExceptions") }

const (
	patience  = controllerstest.Patience
	interval  = controllerstest.Interval
	namespace = phitest.DefaultNamespace
)

var cluster *controllerstest.Cluster

var _ = BeforeSuite(func(ctx context.Context) {
	cluster = controllerstest.StartSuite()
	controllerstest.Create(ctx, cluster, phitest.Namespace(namespace).Obj())
	cluster.StartOperator(catalog.All(), controllers.Dependencies{})
})

func exception(name, workload string, left time.Duration) *hipaav1.ControlException {
	return phitest.Exception(name, workload, "pod-hardening").Expires(metav1.NewTime(time.Now().Add(left))).Obj()
}

func keyOf(object client.Object) client.ObjectKey { return client.ObjectKeyFromObject(object) }
