package complianceprofile

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=phiworkloads,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch

// observe reads the other profiles and counts whom this one governs.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	var profiles hipaav1.ComplianceProfileList
	if err := r.Client.List(ctx, &profiles); err != nil {
		return fmt.Errorf("listing profiles: %w", err)
	}
	s.profiles = make(map[string]*hipaav1.ComplianceProfile, len(profiles.Items))
	for i := range profiles.Items {
		s.profiles[profiles.Items[i].Name] = &profiles.Items[i]
	}
	var namespaces corev1.NamespaceList
	if err := r.Client.List(ctx, &namespaces, client.MatchingLabels{hipaav1.LabelPHI: hipaav1.LabelPHIValue}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing PHI namespaces: %w", err)
	}
	for i := range namespaces.Items {
		if engine.Governs(s.profile, &namespaces.Items[i]) {
			s.namespaces++
			r.addUndeclared(s, namespaces.Items[i].Name)
		}
	}
	var workloads hipaav1.PHIWorkloadList
	if err := r.Client.List(ctx, &workloads, client.MatchingFields{byGovernor: s.profile.Name}, client.UnsafeDisableDeepCopy); err != nil {
		return fmt.Errorf("listing workloads: %w", err)
	}
	s.previews = make(map[types.NamespacedName]string, len(workloads.Items))
	for i := range workloads.Items {
		w := &workloads.Items[i]
		s.workloads++
		if w.Status.Stage == hipaav1.StagePreviewing {
			s.previewing++
		}
		s.previews[client.ObjectKeyFromObject(w)] = previewOf(w)
	}
	s.guarded = outcome.Condition{Status: metav1.ConditionUnknown, Reason: hipaav1.ReasonEvidenceMissing, Message: "this process does not look at the operator's own admission configuration"}
	if r.Guard != nil {
		c := r.Guard.Condition(s.now)
		s.guarded = outcome.Condition{Status: c.Status, Reason: c.Reason, Message: c.Message}
	}
	return nil
}

// addUndeclared takes in what is counted in a namespace. Until somebody has looked,
// what was counted before stands.
func (r *Reconciler) addUndeclared(s *scope, namespace string) {
	in, looked := r.Census.Undeclared(namespace)
	if recorded := s.profile.Status.Undeclared; !looked && recorded != nil {
		for i := range recorded.In {
			if recorded.In[i].Namespace == namespace {
				in = recorded.In[i]
			}
		}
	}
	if in.Pods > 0 {
		s.undeclared = append(s.undeclared, in)
	}
}
