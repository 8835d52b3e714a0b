package admission

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// validateTemplate gives people the answer early that the pods of a controller
// would get. It refuses what fails; what only the moment of the pod can decide,
// such as a claim or a PHIWorkload that is still to come, is a warning.
func (g *Gate) validateTemplate(ctx context.Context, req admission.Request) (answer, error) {
	switch kind := gvk(&req); kind {
	case appsv1.SchemeGroupVersion.WithKind("Deployment"):
		return validate(ctx, g, &req, kind, judgeTemplate(func(o *appsv1.Deployment) template {
			return template{object: o, kind: kind.Kind, path: "spec.template", pod: &o.Spec.Template}
		}))
	case appsv1.SchemeGroupVersion.WithKind("StatefulSet"):
		return validate(ctx, g, &req, kind, judgeTemplate(func(o *appsv1.StatefulSet) template {
			return template{object: o, kind: kind.Kind, path: "spec.template", pod: &o.Spec.Template, claims: o.Spec.VolumeClaimTemplates}
		}))
	case appsv1.SchemeGroupVersion.WithKind("DaemonSet"):
		return validate(ctx, g, &req, kind, judgeTemplate(func(o *appsv1.DaemonSet) template {
			return template{object: o, kind: kind.Kind, path: "spec.template", pod: &o.Spec.Template}
		}))
	case appsv1.SchemeGroupVersion.WithKind("ReplicaSet"):
		return validate(ctx, g, &req, kind, judgeTemplate(func(o *appsv1.ReplicaSet) template {
			return template{object: o, kind: kind.Kind, path: "spec.template", pod: &o.Spec.Template}
		}))
	case batchv1.SchemeGroupVersion.WithKind("Job"):
		return validate(ctx, g, &req, kind, judgeTemplate(func(o *batchv1.Job) template {
			return template{object: o, kind: kind.Kind, path: "spec.template", pod: &o.Spec.Template}
		}))
	case batchv1.SchemeGroupVersion.WithKind("CronJob"):
		return validate(ctx, g, &req, kind, judgeTemplate(func(o *batchv1.CronJob) template {
			return template{object: o, kind: kind.Kind, path: "spec.jobTemplate.spec.template", pod: &o.Spec.JobTemplate.Spec.Template}
		}))
	default:
		return answer{}, expect(&req)
	}
}

// template is a pod template where it stands.
type template struct {
	object metav1.Object
	kind   string
	// path leads to the template in the object.
	path string
	pod  *corev1.PodTemplateSpec
	// claims are the volumeClaimTemplates of a StatefulSet.
	claims []corev1.PersistentVolumeClaim
}

func judgeTemplate[P any](of func(P) template) judgement[P] {
	return func(ctx context.Context, h *hearing, object P) (engine.Decision, error) {
		t := of(object)
		d, err := h.judgeTemplate(ctx, &t)
		return advised(d, func(v engine.Violation) bool { return v.Verdict == hipaav1.VerdictUnknown }), err
	}
}

func (h *hearing) judgeTemplate(ctx context.Context, t *template) (engine.Decision, error) {
	pod := t.firstPod()
	claiming, err := h.claiming(ctx, pod)
	if err != nil {
		return engine.Decision{}, err
	}
	if len(claiming) == 0 {
		d, err := h.undeclared(ctx, pod)
		return advised(t.named(d), func(engine.Violation) bool { return true }), err
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
func (h *hearing) judgeTemplateUnder(ctx context.Context, w *hipaav1.PHIWorkload, t *template) (engine.Decision, error) {
	pod := t.firstPod()
	m, err := h.matter(ctx, w, pod, h.gate.Engine.AdmissionEvidence(control.Pods))
	if err != nil {
		return engine.Decision{}, err
	}
	claims, err := h.judgeClaims(ctx, w, t, m.subject)
	if err != nil {
		return engine.Decision{}, err
	}
	t.mount(pod)
	h.gate.Engine.Mutate(m.subject, m.ruling)
	pods := t.named(h.gate.Engine.Admit(m.subject, m.ruling))
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
	}
}

// judgeClaims asks about each claim template, and adds the claim that it will
// become to the world of the pod that will mount it.
func (h *hearing) judgeClaims(ctx context.Context, w *hipaav1.PHIWorkload, t *template, pod control.Subject) (engine.Decision, error) {
	var d engine.Decision
	for i := range t.claims {
		claim := t.firstClaim(i)
		if err := h.fillUnder(ctx, w, claim); err != nil {
			return d, err
		}
		m, err := h.matter(ctx, w, claim, h.gate.Engine.AdmissionEvidence(control.Claims)|h.gate.Engine.AdmissionEvidence(control.Pods))
		if err != nil {
			return d, err
		}
		one := h.gate.Engine.Admit(m.subject, m.ruling)
		d = join(d, each(one, func(v *engine.Violation) {
			v.Object = t.name()
			v.Path = joinPath(fmt.Sprintf("spec.volumeClaimTemplates[%d]", i), v.Path)
		}))
		pod.World.Claims[claim.Name] = claim
		maps.Copy(pod.World.Classes, m.subject.World.Classes)
	}
	return d, nil
}

// firstPod is the pod that the template makes, less the volumes that its claim
// templates bring.
func (t *template) firstPod() *corev1.Pod {
	pod := &corev1.Pod{ObjectMeta: *t.pod.ObjectMeta.DeepCopy(), Spec: *t.pod.Spec.DeepCopy()}
	pod.Namespace, pod.Name, pod.GenerateName = t.object.GetNamespace(), "", nameOf(t.object)+"-"
	kept := pod.Spec.Volumes[:0]
	for _, volume := range pod.Spec.Volumes {
		if !t.brings(volume.Name) {
			kept = append(kept, volume)
		}
	}
	pod.Spec.Volumes = kept
	return pod
}

func (t *template) brings(volume string) bool {
	for i := range t.claims {
		if t.claims[i].Name == volume {
			return true
		}
	}
	return false
}

// firstClaim is the claim of the first pod, by the name that StatefulSets give.
func (t *template) firstClaim(i int) *corev1.PersistentVolumeClaim {
	claim := t.claims[i].DeepCopy()
	claim.Namespace = t.object.GetNamespace()
	claim.Name = fmt.Sprintf("%s-%s-0", claim.Name, t.object.GetName())
	return claim
}

// mount adds the volumes that claim templates bring, after all others.
func (t *template) mount(pod *corev1.Pod) {
	for i := range t.claims {
		source := &corev1.PersistentVolumeClaimVolumeSource{ClaimName: t.firstClaim(i).Name}
		pod.Spec.Volumes = append(pod.Spec.Volumes, corev1.Volume{
			Name:         t.claims[i].Name,
			VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: source},
		})
	}
}

// named tells where in the object the findings about its pod are. What is found
// in a volume that a claim template brings is found in that template.
func (t *template) named(d engine.Decision) engine.Decision {
	before := len(t.firstPod().Spec.Volumes)
	return each(d, func(v *engine.Violation) {
		v.Object = t.name()
		for i := range t.claims {
			if rest, ok := strings.CutPrefix(v.Path, fmt.Sprintf("spec.volumes[%d]", before+i)); ok {
				v.Path = fmt.Sprintf("spec.volumeClaimTemplates[%d]%s", i, rest)
				return
			}
		}
		v.Path = joinPath(t.path, v.Path)
	})
}

func (t *template) name() string { return t.kind + "/" + nameOf(t.object) }

func joinPath(parent, path string) string {
	if path == "" {
		return parent
	}
	return parent + "." + path
}

func nameOf(object metav1.Object) string {
	if name := object.GetName(); name != "" {
		return name
	}
	return object.GetGenerateName()
}
