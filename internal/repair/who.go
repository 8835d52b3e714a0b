package repair

import (
	"context"
	"slices"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/structured-merge-diff/v6/fieldpath"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// Witness tells who changed or deleted what the operator owns, where admission
// saw it; a witness.Book is one.
type Witness interface {
	Who(ctx context.Context, object witness.Object, notBefore time.Time) (witness.Change, bool, error)
}

// unknownWho stands where nothing tells who it was.
const unknownWho = "unknown"

// managers are the field managers of a live object.
type managers struct {
	ours   *fieldpath.Set
	others []manager
}

type manager struct {
	name  string
	since time.Time
	set   *fieldpath.Set
}

func managersOf(live client.Object) managers {
	ms := managers{ours: fieldpath.NewSet()}
	for _, entry := range live.GetManagedFields() {
		set := fieldpath.NewSet()
		if entry.Subresource != "" || entry.FieldsV1 == nil {
			continue
		}
		if err := set.FromJSON(entry.FieldsV1.GetRawReader()); err != nil {
			continue // an entry that does not parse proves nothing for us
		}
		if entry.Manager == hipaav1.FieldOwner && entry.Operation == metav1.ManagedFieldsOperationApply {
			ms.ours = ms.ours.Union(set)
			continue
		}
		m := manager{name: entry.Manager, set: set}
		if entry.Time != nil {
			m.since = entry.Time.Time
		}
		ms.others = append(ms.others, m)
	}
	slices.SortStableFunc(ms.others, func(a, b manager) int { return b.since.Compare(a.since) })
	return ms
}

// neverApplied reports that the operator has never applied the object.
func (ms managers) neverApplied() bool { return ms.ours.Empty() }

// unchanged reports whether a field is still as the operator applied it: it
// loses a field that anybody else changes or removes.
func (ms managers) unchanged(fields []string) bool { return holds(ms.ours, fields) }

// shown is what people read of a manager: any client chooses that name as it likes,
// and it must not pass for a user.
func (m manager) shown() string {
	if m.name == unknownWho {
		return unknownWho
	}
	return "field manager " + m.name + ", user unknown"
}

// who is the manager that changed a field last, or the last to change anything
// where the field is gone.
func (ms managers) who(fields []string) manager {
	for _, m := range ms.others {
		if holds(m.set, fields) || len(fields) > 0 && !below(m.set, fields).Empty() {
			return m
		}
	}
	if len(ms.others) > 0 {
		return ms.others[0]
	}
	return manager{name: unknownWho}
}

// skew is how far the clocks of two replicas may be apart, and the second that
// times of field managers are cut down to.
const skew = 2 * time.Second

// user asks the witness who did it, not before an instant; zero is any time. It
// answers with the fallback where nobody saw it.
func (c *Corrector) user(ctx context.Context, key memoryKey, notBefore time.Time, fallback string) string {
	if !notBefore.IsZero() {
		notBefore = notBefore.Add(-skew)
	}
	if change, saw := c.lastChange(ctx, key, notBefore); saw {
		return shorten(change.User)
	}
	return shorten(fallback)
}

// lastChange is the last that admission saw of an object since an instant.
func (c *Corrector) lastChange(ctx context.Context, key memoryKey, notBefore time.Time) (witness.Change, bool) {
	if c.Witness == nil {
		return witness.Change{}, false
	}
	change, saw, err := c.Witness.Who(ctx, witness.Object{Kind: key.kind, Namespace: key.Namespace, Name: key.Name}, notBefore)
	if err != nil {
		log.FromContext(ctx).V(1).Info("Could not ask who changed an object", "object", key.NamespacedName, "error", err.Error())
	}
	return change, saw && err == nil
}

// Resolver tells who deleted an object that departed from what is wanted; empty
// where nobody saw it, or where it was only changed.
func (c *Corrector) Resolver(ctx context.Context, kind string, name types.NamespacedName, since time.Time) string {
	change, saw := c.lastChange(ctx, memoryKey{kind: kind, NamespacedName: name}, since.Add(-skew))
	if !saw || change.Operation != string(admissionv1.Delete) {
		return ""
	}
	return shorten(change.User)
}

// holds reports whether a set owns the field, or one that it is an inseparable
// part of. A map whose entries have owners of their own is not inseparable.
func holds(set *fieldpath.Set, fields []string) bool {
	for i := range fields {
		whole := fields[:i+1]
		if set.Has(pathTo(whole)) && (i == len(fields)-1 || below(set, whole).Empty()) {
			return true
		}
	}
	return false
}

// below is what a set owns under a field.
func below(set *fieldpath.Set, fields []string) *fieldpath.Set {
	for _, name := range fields {
		set = set.WithPrefix(fieldpath.PathElement{FieldName: &name})
	}
	return set
}

func pathTo(fields []string) fieldpath.Path {
	path := make(fieldpath.Path, len(fields))
	for i := range fields {
		path[i] = fieldpath.PathElement{FieldName: &fields[i]}
	}
	return path
}
