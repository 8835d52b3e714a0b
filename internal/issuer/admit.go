package issuer

import (
	"context"
	"net/http"
	"net/netip"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/ptr"
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
	// Namespace is the operator's.
	Namespace string
	// TrustDomain is that of every identity.
	TrustDomain string
}

// find reads the pod of a caller, and holds it against the token and the connection.
func (r *Registrar) find(ctx context.Context, c caller, source netip.Addr) (*corev1.Pod, *refusal) {
	var pod corev1.Pod
	if err := r.Client.Get(ctx, client.ObjectKey{Namespace: c.namespace, Name: c.pod}, &pod); err != nil {
		if apierrors.IsNotFound(err) {
			return nil, refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s is gone", c.namespace, c.pod)
		}
		return nil, r.failed(ctx, err)
	}
	return &pod, checkPod(c, &pod, source)
}

// name says who a pod is that was found, or why nobody.
func (r *Registrar) name(ctx context.Context, c caller, pod *corev1.Pod) (pki.ID, *refusal) {
	if c.namespace == r.Namespace {
		return r.own(c)
	}
	if no := r.checkNamespace(ctx, c); no != nil {
		return pki.ID{}, no
	}
	workload, no := r.workload(ctx, c, pod)
	if no != nil {
		return pki.ID{}, no
	}
	if no := checkProxy(c, pod, string(workload.UID)); no != nil {
		return pki.ID{}, no
	}
	return r.account(c)
}

// account is the identity of a ServiceAccount.
func (r *Registrar) account(c caller) (pki.ID, *refusal) {
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

// own is who asks from the operator's own namespace: the manager, which signs
// configurations and is nobody's peer, and the gate through which calls leave.
func (r *Registrar) own(c caller) (pki.ID, *refusal) {
	switch c.account {
	case managerAccount:
		id, err := pki.ConfigurationSigner(r.TrustDomain)
		if err != nil {
			return pki.ID{}, refuse(http.StatusInternalServerError, metrics.IssuerError, "the trust domain cannot stand in an identity")
		}
		return id, nil
	case egressAccount:
		return r.account(c)
	}
	return pki.ID{}, refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s is neither the manager nor the gate of calls to vendors", c.namespace, c.pod)
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

// workload is the one PHIWorkload of a pod: with two, whose peer is it?
func (r *Registrar) workload(ctx context.Context, c caller, pod *corev1.Pod) (*hipaav1.PHIWorkload, *refusal) {
	var workloads hipaav1.PHIWorkloadList
	if err := r.Client.List(ctx, &workloads, client.InNamespace(c.namespace)); err != nil {
		return nil, r.failed(ctx, err)
	}
	var claiming []*hipaav1.PHIWorkload
	for i := range workloads.Items {
		if w := &workloads.Items[i]; !subject.Released(w) && subject.Selects(w, pod.Labels) {
			claiming = append(claiming, w)
		}
	}
	if len(claiming) != 1 {
		return nil, refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s is selected by %d PHIWorkloads instead of one", c.namespace, c.pod, len(claiming))
	}
	return claiming[0], nil
}

// checkProxy wants the proxy that admission put into the pod for its workload.
// Admission holds all of it against what it should be, and a pod's containers never
// change: here it is enough to find it, and nothing else of the pod has to be read.
func checkProxy(c caller, pod *corev1.Pod, uid string) *refusal {
	for i := range pod.Spec.InitContainers {
		proxy := &pod.Spec.InitContainers[i]
		if proxy.Name != proxyContainer || ptr.Deref(proxy.RestartPolicy, "") != corev1.ContainerRestartPolicyAlways {
			continue
		}
		if !slices.Contains(proxy.Args, proxyWorkload+uid) {
			return refuse(http.StatusForbidden, metrics.IssuerPod, "the proxy of pod %s/%s is that of another PHIWorkload than the one that selects it now: replace the pod", c.namespace, c.pod)
		}
		return nil
	}
	return refuse(http.StatusForbidden, metrics.IssuerPod, "pod %s/%s was admitted without the proxy: replace it", c.namespace, c.pod)
}

// failed is a read that did not succeed: no reason to refuse, and none to grant.
func (*Registrar) failed(ctx context.Context, err error) *refusal {
	log.FromContext(ctx).Error(err, "Could not read about a caller")
	return unavailable("the API server could not be asked about the pod")
}
