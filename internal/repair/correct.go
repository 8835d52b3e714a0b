package repair

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// +kubebuilder:rbac:groups=networking.k8s.io,resources=networkpolicies,verbs=get;list;watch;create;patch;delete

// OwnedKinds are the kinds that controls may own objects of. Orphans are looked
// for among them; a control that owns another kind adds it here.
func OwnedKinds() []client.ObjectList {
	return []client.ObjectList{&networkingv1.NetworkPolicyList{}, &corev1.ConfigMapList{}}
}

// Corrector holds owned objects to what controls want. It is safe for
// concurrent use.
type Corrector struct {
	// Client reads from the cache and writes.
	Client client.Client
	// Live asks the API server.
	Live client.Reader
	// Witness tells who it was. Optional.
	Witness Witness
	Clock   clock.PassiveClock

	memory memory
}

// Order is what one workload, or one namespace, wants.
type Order struct {
	Namespace string
	// Workload is empty for what the namespace wants.
	Workload string
	Owned    []engine.Owned
	// Settled are the controls whose objects an earlier pass, perhaps of another
	// process, had in place: what of them is missing has been taken away.
	Settled map[string]bool
	// Prune says that Owned is complete, and that what is left over may go.
	Prune bool
}

// Correct compares what is owned with what is there and puts right what may be
// put right. It goes on after an error and returns what it found all the same.
func (c *Corrector) Correct(ctx context.Context, o Order) ([]Drift, error) {
	var found []Drift
	var errs []error
	wanted := map[memoryKey]bool{}
	for _, owned := range o.Owned {
		one, err := c.prepare(o, owned)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		wanted[one.key] = true
		drift, err := one.run(ctx)
		found = append(found, drift...)
		if err != nil {
			errs = append(errs, fmt.Errorf("correcting %s: %w", one.key, err))
		}
	}
	if o.Prune && len(errs) == 0 {
		drift, err := c.prune(ctx, o, wanted)
		found = append(found, drift...)
		errs = append(errs, err)
	}
	return found, errors.Join(errs...)
}

// correction is the work on one owned object.
type correction struct {
	*Corrector
	key     memoryKey
	owned   engine.Owned
	settled bool
	desired *unstructured.Unstructured
	encoded string
	started time.Time
}

func (c *Corrector) prepare(o Order, owned engine.Owned) (*correction, error) {
	object, ok := owned.Object.DeepCopyObject().(client.Object)
	if !ok {
		return nil, fmt.Errorf("preparing an object of control %s: %T is no object", owned.ControlID, owned.Object)
	}
	stamp(object, o.Workload)
	desired, err := apply.Untyped(object, c.Client.Scheme())
	if err != nil {
		return nil, fmt.Errorf("preparing an object of control %s: %w", owned.ControlID, err)
	}
	owned.Object = object
	encoded, err := desired.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("preparing an object of control %s: encoding: %w", owned.ControlID, err)
	}
	return &correction{
		Corrector: c,
		key:       memoryKey{kind: desired.GetKind(), NamespacedName: client.ObjectKeyFromObject(object)},
		owned:     owned, settled: o.Settled[owned.ControlID], desired: desired, encoded: string(encoded), started: c.Clock.Now(),
	}, nil
}

// stamp sets the labels by which owned objects are known.
func stamp(object client.Object, workload string) {
	labels := object.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[hipaav1.LabelManagedBy] = hipaav1.ManagedByValue
	if workload != "" {
		labels[hipaav1.LabelWorkload] = workload
	}
	object.SetLabels(labels)
}

// run compares with the cache, and where that differs with the API server:
// what the cache says may be old.
func (c *correction) run(ctx context.Context) ([]Drift, error) {
	live, differing, err := c.compare(ctx, c.Client)
	if err == nil && (live == nil || len(differing) > 0) {
		live, differing, err = c.compare(ctx, c.Live)
	}
	switch {
	case err != nil:
		return nil, err
	case live == nil:
		return c.missing(ctx)
	case len(differing) > 0:
		return c.changed(ctx, live, differing)
	}
	c.memory.saw(c.key, c.encoded, c.Clock.Now())
	return nil, nil
}

// compare reads the object, nil where it is not there, and tells what differs.
func (c *correction) compare(ctx context.Context, source client.Reader) (client.Object, []difference, error) {
	live, err := c.read(ctx, source)
	if err != nil || live == nil {
		return nil, nil, err
	}
	differing, err := c.differences(live)
	return live, differing, err
}

func (c *correction) read(ctx context.Context, source client.Reader) (client.Object, error) {
	into, err := fresh(c.owned.Object)
	if err != nil {
		return nil, err
	}
	err = source.Get(ctx, c.key.NamespacedName, into)
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil //nolint:nilnil // not there is an answer
	case err != nil:
		return nil, fmt.Errorf("reading: %w", err)
	}
	return into, nil
}

func (c *correction) differences(live client.Object) ([]difference, error) {
	untyped, err := apply.Untyped(live, c.Client.Scheme())
	if err != nil {
		return nil, err
	}
	return differences(c.desired, untyped), nil
}

// missing makes what is not there. It is drift if it has been there before.
func (c *correction) missing(ctx context.Context) ([]Drift, error) {
	var found []Drift
	if c.memory.knows(c.key) || c.settled && !c.memory.tried(c.key) {
		found = []Drift{c.drift(difference{path: wholeObject, want: present}, c.user(ctx, c.key, c.memory.lastSeen(c.key), unknownWho))}
	}
	return c.write(ctx, c.desired, found)
}

// changed puts right what differs. What the operator itself put in place and now
// wants otherwise is no drift: somebody changed what it follows from.
func (c *correction) changed(ctx context.Context, live client.Object, differing []difference) ([]Drift, error) {
	ms := managersOf(live)
	departures, err := c.departures(live, ms, differing)
	if err != nil {
		return nil, err
	}
	var found []Drift
	for _, d := range departures[:min(len(departures), maxDifferences)] {
		m := ms.who(d.fields)
		found = append(found, c.drift(d, c.user(ctx, c.key, m.since, m.shown())))
	}
	return c.write(ctx, closing(c.desired, differing), found)
}

// departures are the differences from what was in place. Where this process does
// not know that, field managers tell: what the operator applied and nobody
// touched, and what nobody ever set, is as it was.
func (c *correction) departures(live client.Object, ms managers, differing []difference) ([]difference, error) {
	if before := c.memory.before(c.key); before != nil {
		untyped, err := apply.Untyped(live, c.Client.Scheme())
		if err != nil {
			return nil, err
		}
		return differences(before, untyped), nil
	}
	return slices.DeleteFunc(slices.Clone(differing), func(d difference) bool {
		return ms.unchanged(d.fields) || d.found == nil && len(ms.others) == 0
	}), nil
}

func (c *correction) drift(d difference, who string) Drift {
	return Drift{
		ControlID: c.owned.ControlID, Kind: c.key.kind, Namespace: c.key.Namespace, Name: c.key.Name,
		Path: d.path, Was: shown(c.key.kind, d.fields, d.found), Want: shown(c.key.kind, d.fields, d.want),
		Who: who, Noticed: c.started,
	}
}

// write applies where it may, and makes sure that the API server took it.
func (c *correction) write(ctx context.Context, desired *unstructured.Unstructured, found []Drift) ([]Drift, error) {
	if !c.owned.Enforce {
		return found, nil
	}
	c.memory.try(c.key)
	applied, err := apply.Object(ctx, c.Client, desired)
	if err != nil {
		return found, err
	}
	if desired != c.desired && len(differences(c.desired, applied)) > 0 {
		// What was said to be empty is the operator's now, and goes.
		if applied, err = apply.Object(ctx, c.Client, c.desired); err != nil {
			return found, err
		}
	}
	if left := differences(c.desired, applied); len(left) > 0 {
		return found, fmt.Errorf("applying had no effect on %s", left[0].path)
	}
	c.memory.saw(c.key, c.encoded, c.Clock.Now())
	log.FromContext(ctx).Info("Repaired owned object", "control", c.owned.ControlID, "kind", c.key.kind, "object", c.key.NamespacedName, "departures", len(found))
	took := c.Clock.Since(c.started)
	for i := range found {
		found[i].Corrected, found[i].Took = true, took
		metrics.DriftCorrected(found[i].Kind, took)
	}
	return found, nil
}

// fresh is an empty object of the same type: reading into a used one would keep
// what has since been removed.
func fresh(object client.Object) (client.Object, error) {
	empty, ok := reflect.TypeAssert[client.Object](reflect.New(reflect.TypeOf(object).Elem()))
	if !ok {
		return nil, fmt.Errorf("reading: %T is no object", object)
	}
	return empty, nil
}

// memoryKey names an object.
type memoryKey struct {
	kind string
	types.NamespacedName
}

func (k memoryKey) String() string { return k.kind + " " + k.NamespacedName.String() }

// Lacking lists, as the cache has it, which owned objects are not there and
// which are otherwise, whatever the mode: what enforcing would do.
func (c *Corrector) Lacking(ctx context.Context, o Order) (appear, change []engine.Owned, err error) {
	for _, owned := range o.Owned {
		one, err := c.prepare(o, owned)
		if err != nil {
			return nil, nil, err
		}
		live, differing, err := one.compare(ctx, c.Client)
		switch {
		case err != nil:
			return nil, nil, err
		case live == nil:
			appear = append(appear, owned)
		case len(differing) > 0:
			change = append(change, owned)
		}
	}
	return appear, change, nil
}
