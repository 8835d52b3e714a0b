// Package inject writes into templates what admission would write into their pods.
// Its promise: the engine decides, the manifests keep everything else, and what was
// injected once is injected the same again.
package inject

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/manifest"
	"github.com/hipaa-operator/hipaa-operator/internal/podtemplate"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// Injector injects with one catalogue of controls.
type Injector struct {
	Engine *engine.Engine
	// Scheme knows the kinds of Kubernetes and of this project.
	Scheme *runtime.Scheme
	Clock  clock.PassiveClock
	// Profiles count beside those that the manifests bring.
	Profiles []*hipaav1.ComplianceProfile
	// Namespace is that of objects which name none.
	Namespace string
	// Cluster is asked for what the manifests do not have. Optional.
	Cluster client.Reader
}

// Report says what became of the templates, each by its place and name.
type Report struct {
	// Changed were written to.
	Changed []string
	// AsWanted had everything already.
	AsWanted []string
	// Unclaimed are those of PHI namespaces that no PHIWorkload selects.
	Unclaimed []string
}

// Inject writes into the templates and pods of streams, each judged by what all of
// them bring.
func (i *Injector) Inject(ctx context.Context, streams ...*manifest.Stream) (*Report, error) {
	manifests, err := i.read(streams)
	if err != nil {
		return nil, err
	}
	loader, err := i.loader(manifests)
	if err != nil {
		return nil, err
	}
	report := &Report{}
	for _, m := range manifests {
		if !makesPods(m.object) {
			continue
		}
		scene, err := i.scene(ctx, loader, m.object.GetNamespace())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name(), err)
		}
		if scene == nil {
			continue
		}
		if err := i.write(ctx, &place{loader: loader, scene: scene}, m, report); err != nil {
			return nil, fmt.Errorf("%s: %w", m.name(), err)
		}
	}
	return report, nil
}

func makesPods(object client.Object) bool {
	if _, is := object.(*corev1.Pod); is {
		return true
	}
	_, makes := podtemplate.Of(object)
	return makes
}

// scene is that of a namespace; nil where nothing says that it holds PHI.
func (i *Injector) scene(ctx context.Context, loader *subject.Loader, namespace string) (*subject.Scene, error) {
	scene, err := loader.Scene(ctx, namespace)
	if client.IgnoreNotFound(err) != nil {
		return nil, err
	}
	if err != nil || !engine.IsPHI(scene.Namespace) {
		return nil, nil //nolint:nilnil,nilerr // a namespace without PHI has no scene
	}
	return scene, nil
}

// place is where an object is judged.
type place struct {
	loader *subject.Loader
	scene  *subject.Scene
}

// write writes into one object.
func (i *Injector) write(ctx context.Context, at *place, m *read, report *Report) error {
	var steps []string
	var before, after any
	var claimed bool
	var err error
	switch template, makes := podtemplate.Of(m.object); {
	case makes:
		pod := template.Pod()
		unchanged := template.Making(pod)
		claimed, err = i.mutate(ctx, at, pod)
		changed := template.Making(pod)
		steps, before, after = template.Steps(), &unchanged, &changed
	default:
		pod, _ := m.object.DeepCopyObject().(*corev1.Pod)
		claimed, err = i.mutate(ctx, at, pod)
		before, after = m.object, pod
	}
	if err != nil {
		return err
	}
	if !claimed {
		report.Unclaimed = append(report.Unclaimed, m.name())
		return nil
	}
	changed, err := m.change(steps, before, after)
	if err != nil {
		return err
	}
	if changed {
		report.Changed = append(report.Changed, m.name())
	} else {
		report.AsWanted = append(report.AsWanted, m.name())
	}
	return nil
}

// mutate adds to a pod, in place, what enforced controls add for each workload that
// claims it, in the order of their names. It reports whether one does. A template
// outlives the stage of its workload: what Enforce adds is added while it previews,
// when admission neither asks for it nor minds.
func (i *Injector) mutate(ctx context.Context, at *place, pod *corev1.Pod) (claimed bool, err error) {
	claiming := at.scene.Claiming(pod.Labels)
	for _, w := range claiming {
		now := i.Clock.Now()
		effective, err := i.Engine.Resolve(at.scene.Profiles, at.scene.Namespace, w, now)
		if errors.Is(err, engine.ErrNoProfile) {
			return true, fmt.Errorf("%w; add its profile to the input, or name a shipped one with --profile", err)
		}
		if err != nil {
			return true, err
		}
		s := at.loader.AtAdmission(ctx, at.scene, w, pod, i.Engine.MutationEvidence(control.Pods))
		s.Profile = effective.Parameters
		i.Engine.Mutate(s, engine.Ruling{Effective: effective, Stage: hipaav1.StageEnforced, Exceptions: at.scene.Exceptions, Now: now})
	}
	return len(claiming) > 0, nil
}
