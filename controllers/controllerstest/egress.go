package controllerstest

import (
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// EgressService is the Service by which the operator knows that phi-egress is installed,
// where phitest.Proxy has the issuer.
func EgressService() *corev1.Service {
	service := phitest.Service(control.EgressName).Namespace(phitest.Proxy().IssuerNamespace).
		Port("egress", control.EgressPort, intstr.FromString("egress")).Obj()
	service.Spec.Selector = control.EgressLabels()
	return service
}
