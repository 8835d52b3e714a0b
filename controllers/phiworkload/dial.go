package phiworkload

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/edge"
	"github.com/hipaa-operator/hipaa-operator/internal/prober"
)

// Prober dials the endpoints that workloads want.
type Prober interface {
	Want(workload types.NamespacedName, every time.Duration, endpoints []prober.Wanted)
}

// maxDialled bounds what one workload lets the operator dial.
const maxDialled = 256

// dial tells the prober which ways lead to the workload from outside the cluster.
func (r *Reconciler) dial(s *scope) {
	if r.Prober == nil {
		return
	}
	var wanted []prober.Wanted
	add := func(version string, ways []edge.Way) {
		for i := range ways {
			wanted = append(wanted, prober.Wanted{Endpoint: ways[i].Endpoint, Version: version})
		}
	}
	for _, ask := range []control.Ask{control.AskTLS, control.AskPlaintext} {
		for _, ingress := range s.subject.World.Ingresses {
			add(ingress.ResourceVersion, edge.IngressWays(ingress, ask))
		}
		for _, service := range s.subject.World.Exposing {
			add(service.ResourceVersion, edge.BalancerWays(service, ask))
		}
	}
	r.Prober.Want(client.ObjectKeyFromObject(s.workload), s.effective.Parameters.DialInterval(), wanted[:min(len(wanted), maxDialled)])
}

// dialNothing ends what the prober does for a workload that is gone.
func (r *Reconciler) dialNothing(w *hipaav1.PHIWorkload) {
	if r.Prober != nil {
		r.Prober.Want(client.ObjectKeyFromObject(w), 0, nil)
	}
}
