package phiworkload

import (
	"context"
	"errors"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// +kubebuilder:rbac:groups=hipaa-operator.io,resources=complianceprofiles;controlexceptions,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces;services;persistentvolumeclaims;persistentvolumes,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=configmaps;nodes,verbs=get;list;watch
// +kubebuilder:rbac:groups=networking.k8s.io,resources=ingresses,verbs=get;list;watch
// +kubebuilder:rbac:groups=rbac.authorization.k8s.io,resources=roles;rolebindings;clusterroles;clusterrolebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups=storage.k8s.io,resources=storageclasses,verbs=get;list;watch
// +kubebuilder:rbac:groups=discovery.k8s.io,resources=endpointslices,verbs=get;list;watch

// observe reads the workload's world.
func (r *Reconciler) observe(ctx context.Context, s *scope) error {
	var err error
	if s.scene, err = r.Loader.Scene(ctx, s.workload.Namespace); err != nil {
		return fmt.Errorf("reading the scene: %w", err)
	}
	if !engine.IsPHI(s.scene.Namespace) {
		return outcome.Blocked(hipaav1.ReasonNamespaceNotPHI, fmt.Errorf("namespace %q lacks the label %s: %q; set it in the manifest of the namespace",
			s.workload.Namespace, hipaav1.LabelPHI, hipaav1.LabelPHIValue))
	}
	if err := r.resolve(s); err != nil {
		return err
	}
	evidence := r.Engine.LiveEvidence()
	if s.subject, err = r.Loader.Subject(ctx, s.scene, s.workload, evidence); err != nil {
		return fmt.Errorf("reading the subject: %w", err)
	}
	s.subject = s.subject.Under(s.effective.Parameters)
	r.dial(s)
	if s.goal.Enforces() {
		if s.occupied, err = r.Loader.Occupied(ctx, s.scene, s.workload, s.goal.Undeclared); err != nil {
			return fmt.Errorf("looking for pods that ran before the workload: %w", err)
		}
	}
	s.raised = raised(s, func(id string) bool { return r.Engine.Idle(id, s.subject.World) })
	if s.previewDue() {
		if s.rest, err = r.Loader.Subject(ctx, s.scene, nil, evidence); err != nil {
			return fmt.Errorf("reading the namespace's subject: %w", err)
		}
		s.rest = s.rest.Under(s.effective.Parameters)
		if err := r.readTemplates(ctx, s); err != nil {
			return err
		}
	}
	s.progress = observed
	return nil
}

// resolve finds what the profiles come to, with and without pauses.
func (r *Reconciler) resolve(s *scope) error {
	var err error
	s.effective, err = r.Engine.Resolve(s.scene.Profiles, s.scene.Namespace, s.workload, s.now)
	if errors.Is(err, engine.ErrNoProfile) {
		return outcome.Blocked(hipaav1.ReasonNoProfile, fmt.Errorf("no ComplianceProfile governs namespace %q: its pods are refused until the spec.namespaceSelector of one does; a profileRef can only tighten", s.workload.Namespace))
	}
	if err != nil {
		return fmt.Errorf("resolving the profiles: %w", err)
	}
	s.goal = s.effective
	if len(s.effective.Paused) > 0 {
		if s.goal, err = r.Engine.Resolve(withoutPauses(s.scene.Profiles), s.scene.Namespace, s.workload, s.now); err != nil {
			return fmt.Errorf("resolving the profiles without pauses: %w", err)
		}
	}
	s.endsAt(s.effective.ValidUntil)
	s.endsAt(s.goal.ValidUntil)
	for _, x := range s.scene.Exceptions {
		if x.Spec.WorkloadRef.Name == s.workload.Name {
			s.endsAt(x.Spec.Expires.Time)
		}
	}
	return nil
}

func profileRef(w *hipaav1.PHIWorkload) string {
	if w.Spec.ProfileRef == nil {
		return ""
	}
	return w.Spec.ProfileRef.Name
}

// withoutPauses are the profiles as they will be: a pause ends by itself, and
// must not send a workload back to the start of its adoption.
func withoutPauses(profiles []*hipaav1.ComplianceProfile) []*hipaav1.ComplianceProfile {
	running := slices.Clone(profiles)
	for i, p := range running {
		if p.Spec.Pause != nil {
			unpaused := *p
			unpaused.Spec.Pause = nil
			running[i] = &unpaused
		}
	}
	return running
}

// draft is a template with the evidence that admission would have about its pods;
// the profile comes with the ruling.
type draft struct {
	repair.Template
	pod    control.Subject
	claims []control.Subject
}

// readTemplates reads what makes the workload's pods, and the pods that nothing
// makes.
func (r *Reconciler) readTemplates(ctx context.Context, s *scope) error {
	selector, err := metav1.LabelSelectorAsSelector(&s.workload.Spec.Selector)
	if err != nil {
		return fmt.Errorf("reading the selector: %w", err)
	}
	templates, err := repair.Templates(ctx, r.Live, s.workload.Namespace, selector)
	if err != nil {
		return fmt.Errorf("reading the templates: %w", err)
	}
	for _, pod := range s.subject.World.Pods {
		if metav1.GetControllerOf(pod) == nil {
			templates = append(templates, repair.Template{Object: "Pod/" + pod.Name, Pod: pod})
		}
	}
	evidence := r.Engine.AdmissionEvidence(control.Pods)
	for _, t := range templates {
		d := draft{Template: t, pod: r.Loader.AtAdmission(ctx, s.scene, s.workload, t.Pod, evidence)}
		for _, claim := range t.Claims {
			d.claims = append(d.claims, r.Loader.AtAdmission(ctx, s.scene, s.workload, claim, evidence|r.Engine.AdmissionEvidence(control.Claims)))
		}
		s.drafts = append(s.drafts, d)
	}
	return nil
}
