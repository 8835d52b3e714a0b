package issuer

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// +kubebuilder:rbac:groups="",resources=pods;namespaces,verbs=get
// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads,verbs=list

// Registrar says which identity a caller has. It reads live: nothing that a cache
// has not heard of yet decides who somebody is.
type Registrar struct {
	// Client reads.
	Client client.Client
	// Namespace is the operator's, and Manager the ServiceAccount there that signs
	// configurations.
	Namespace, Manager string
	// TrustDomain is that of every identity.
	TrustDomain string
	// Proxied says whether a pod has its proxy, and what is missing if not. Where it
	// is nil a pod needs none.
	Proxied func(*corev1.Pod) error
}

// admit says who the caller is, or why nobody.
func (r *Registrar) admit(ctx context.Context, c caller, source netip.Addr) (pki.ID, *refusal) {
	var pod corev1.Pod
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: c.pod}, &pod); err != nil {
		if apierrors.IsNotFound(err) {
			return pki.ID{}, refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s is gone", c.namespace, c.pod)
		}
		return pki.ID{}, r.failed(ctx, err)
	}
	if no := checkPod(c, &pod, source); no != nil {
		return pki.ID{}, no
	}
	if c.namespace == r.Namespace {
		return r.signer(c)
	}
	if no := r.checkNamespace(ctx, c); no != nil {
		return pki.ID{}, no
	}
	if no := r.checkWorkload(ctx, c, &pod); no != nil {
		return pki.ID{}, no
	}
	if r.Proxied != nil {
		if err := r.Proxied(&pod); err != nil {
			return pki.ID{}, refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s: %v", c.namespace, c.pod, err)
		}
	}
	id, err := pki.WorkloadID(r.TrustDomain, c.namespace, c.account)
	if err != nil {
		return pki.ID{}, refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s: %v", c.namespace, c.pod, err)
	}
	return id, nil
}

// checkPod holds the pod against the token and the connection.
func checkPod(c caller, pod *corev1.Pod, source netip.Addr) *refusal {
	no := func(why string) *refusal {
		return refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s %s", c.namespace, c.pod, why)
	}
	switch {
	case string(pod.UID) != c.uid:
		return no("is another one than that of the token")
	case pod.Spec.ServiceAccountName != c.account:
		return no("runs under another ServiceAccount")
	case !pod.DeletionTimestamp.IsZero():
		return no("is being deleted")
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		return no("has ended")
	case pod.Spec.NodeName == "":
		return no("runs on no node")
	case pod.Spec.HostNetwork:
		return no("has the addresses of its node, so that its own cannot be told")
	case len(pod.Status.PodIPs) == 0:
		return retry(no("has no address in its status yet"), http.StatusServiceUnavailable)
	}
	from := func(ip corev1.PodIP) bool {
		address, err := netip.ParseAddr(ip.IP)
		return err == nil && address.Unmap() == source
	}
	if !slices.ContainsFunc(pod.Status.PodIPs, from) {
		return refuse(http.StatusForbidden, metrics.IssuerAddress, "the request for pod %s/%s does not come from its address: connect without a proxy or address translation in between", c.namespace, c.pod)
	}
	return nil
}

// signer is who asks from the operator's own namespace.
func (r *Registrar) signer(c caller) (pki.ID, *refusal) {
	if c.account != r.Manager {
		return pki.ID{}, refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s is none of the manager's", c.namespace, c.pod)
	}
	id, err := pki.ConfigurationSigner(r.TrustDomain)
	if err != nil {
		return pki.ID{}, refuse(http.StatusInternalServerError, metrics.IssuerError, "the trust domain cannot stand in an identity")
	}
	return id, nil
}

func (r *Registrar) checkNamespace(ctx context.Context, c caller) *refusal {
	var namespace corev1.Namespace
	if err := r.Client.Get(ctx, client.ObjectKey{Name: c.namespace}, &namespace); err != nil {
		return r.failed(ctx, err)
	}
	if namespace.Labels[hipaav1.LabelPHI] != hipaav1.LabelPHIValue {
		return refuse(http.StatusForbidden, metrics.IssuerPod, "namespace %s is not declared to hold PHI: label it %s: %q", c.namespace, hipaav1.LabelPHI, hipaav1.LabelPHIValue)
	}
	return nil
}

// checkWorkload wants one PHIWorkload: with two, whose peer is it?
func (r *Registrar) checkWorkload(ctx context.Context, c caller, pod *corev1.Pod) *refusal {
	var workloads hipaav1.PHIWorkloadList
	if err := r.Client.List(ctx, &workloads, client.InNamespace(c.namespace)); err != nil {
		return r.failed(ctx, err)
	}
	claiming := 0
	for i := range workloads.Items {
		if w := &workloads.Items[i]; !subject.Released(w) && subject.Selects(w, pod.Labels) {
			claiming++
		}
	}
	if claiming != 1 {
		return refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s is selected by %d PHIWorkloads instead of one", c.namespace, c.pod, claiming)
	}
	return nil
}

// failed is a read that did not succeed: no reason to refuse, and none to grant.
func (*Registrar) failed(ctx context.Context, err error) *refusal {
	log.FromContext(ctx).Error(err, "Could not read about a caller")
	return unavailable("the API server could not be asked about the pod")
}
