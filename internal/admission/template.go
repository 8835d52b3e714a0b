package admission

import (
	"context"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
)

// validateTemplate gives people the answer early that the pods of a controller
// would get. It refuses what fails; what only the moment of the pod can decide,
// such as a claim or a PHIWorkload that is still to come, is a warning.
func (g *Gate) validateTemplate(ctx context.Context, req admission.Request) (answer, error) {
	switch kind := gvk(&req); kind {
	case appsv1.SchemeGroupVersion.WithKind("Deployment"):
		return validate(ctx, g, &req, kind, judgeTemplate[*appsv1.Deployment])
	case appsv1.SchemeGroupVersion.WithKind("StatefulSet"):
		return validate(ctx, g, &req, kind, judgeTemplate[*appsv1.StatefulSet])
	case appsv1.SchemeGroupVersion.WithKind("DaemonSet"):
		return validate(ctx, g, &req, kind, judgeTemplate[*appsv1.DaemonSet])
	case appsv1.SchemeGroupVersion.WithKind("ReplicaSet"):
		return validate(ctx, g, &req, kind, judgeTemplate[*appsv1.ReplicaSet])
	case batchv1.SchemeGroupVersion.WithKind("Job"):
		return validate(ctx, g, &req, kind, judgeTemplate[*batchv1.Job])
	case batchv1.SchemeGroupVersion.WithKind("CronJob"):
		return validate(ctx, g, &req, kind, judgeTemplate[*batchv1.CronJob])
	case corev1.SchemeGroupVersion.WithKind("ReplicationController"):
		return validate(ctx, g, &req, kind, judgeTemplate[*corev1.ReplicationController])
	default:
		return answer{}, expect(&req)
	}
}

func judgeTemplate[P podtemplate.Object](ctx context.Context, h *hearing, object P) (engine.Decision, error) {
	t, is := podtemplate.Of(object)
	if !is {
		return engine.Decision{}, nil
	}
	d, err := h.judgeTemplate(ctx, t)
	return advised(d, func(v engine.Violation) bool { return v.Verdict == hipaav1.VerdictUnknown }), err
}

func (h *hearing) judgeTemplate(ctx context.Context, t podtemplate.Template) (engine.Decision, error) {
	pod := t.Pod()
	claiming, err := h.claiming(ctx, pod)
	if err != nil {
		return engine.Decision{}, err
	}
	if len(claiming) == 0 {
		d, err := h.undeclared(ctx, pod)
		return advised(placed(d, t), func(engine.Violation) bool { return true }), err
	}
	var d engine.Decision
	for _, w := range claiming {
		one, err := h.judgeTemplateUnder(ctx, w, t)
		if err != nil {
			return d, err
		}
		d = join(d, one)
	}
	return d, nil
}

// judgeTemplateUnder asks about the first pod that a template will make, after
// the mutation that awaits it, and about the claims that come with it.
func (h *hearing) judgeTemplateUnder(ctx context.Context, w *hipaav1.PHIWorkload, t podtemplate.Template) (engine.Decision, error) {
	m, err := h.matter(ctx, w, t.Pod(), h.gate.Engine.AdmissionEvidence(control.Pods))
	if err != nil {
		return engine.Decision{}, err
	}
	claims, err := h.judgeClaims(ctx, w, t, m.subject)
	if err != nil {
		return engine.Decision{}, err
	}
	h.gate.Engine.Mutate(m.subject, m.ruling)
	pods := placed(h.gate.Engine.Admit(m.subject, m.ruling), t.As(m.subject.Pod))
	return join(claims, saidOnce(pods, claims)), nil
}

// saidOnce is what was found about pods, less what the same controls found about
// the claims that the pods mount.
func saidOnce(pods, claims engine.Decision) engine.Decision {
	told := map[string]bool{}
	of := func(v *engine.Violation) string {
		claim, _, _ := strings.Cut(v.Path, "]")
		return v.ControlID + " " + claim
	}
	each(claims, func(v *engine.Violation) { told[of(v)] = true })
	again := func(v engine.Violation) bool { return told[of(&v)] }
	return engine.Decision{
		Denied:  slices.DeleteFunc(pods.Denied, again),
		Warned:  slices.DeleteFunc(pods.Warned, again),
		Audited: slices.DeleteFunc(pods.Audited, again),

		Workloads: pods.Workloads,
	}
}

// judgeClaims asks about each claim template, and adds the claim that it will
// become to the world of the pod that will mount it.
func (h *hearing) judgeClaims(ctx context.Context, w *hipaav1.PHIWorkload, t podtemplate.Template, pod control.Subject) (engine.Decision, error) {
	var d engine.Decision
	for i, claim := range t.Claims() {
		if err := h.fillUnder(ctx, w, claim); err != nil {
			return d, err
		}
		m, err := h.matter(ctx, w, claim, h.gate.Engine.AdmissionEvidence(control.Claims)|h.gate.Engine.AdmissionEvidence(control.Pods))
		if err != nil {
			return d, err
		}
		d = join(d, each(h.gate.Engine.Admit(m.subject, m.ruling), func(v *engine.Violation) {
			v.Object, v.Path = t.String(), t.ClaimPath(i, v.Path)
		}))
		pod.World.Claims[claim.Name] = claim
		maps.Copy(pod.World.Classes, m.subject.World.Classes)
	}
	return d, nil
}

// placed tells where in the object the findings about its pod are.
func placed(d engine.Decision, t podtemplate.Template) engine.Decision {
	return each(d, func(v *engine.Violation) { v.Object, v.Path = t.String(), t.Path(v.Path) })
}
