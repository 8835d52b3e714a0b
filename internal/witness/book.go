// Package witness remembers who changed what the operator owns or guards. Its
// promise: what any replica saw, every replica can ask about, in bounded space,
// and remembering never stands in the way of the change.
package witness

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

const (
	// ConfigMapName is where changes are kept, in the operator's namespace.
	ConfigMapName = "hipaa-operator-changes"

	// Capacity is how many changes are kept, the newest ones.
	Capacity = 200

	// longestUser bounds a user name; the rest of a longer one is cut off.
	longestUser = 256

	dataKey = "changes.json"
)

// Book keeps changes in memory and in a ConfigMap. It is safe for concurrent use.
type Book struct {
	live      client.Reader
	writer    client.Writer
	namespace string

	mu     sync.Mutex
	recent []Change

	// pen is held by the one who writes the ConfigMap.
	pen chan struct{}
}

// NewBook opens the book that is kept in the operator's namespace. The reader
// asks the API server: a change of a moment ago is what people ask about, and no
// cache has it yet.
func NewBook(live client.Reader, writer client.Writer, operatorNamespace string) *Book {
	return &Book{live: live, writer: writer, namespace: operatorNamespace, pen: make(chan struct{}, 1)}
}

// Record keeps a change. It returns once every replica can know of it, or with
// an error when the context ends before; the change is then in memory, and goes
// along with the next one that is written.
func (b *Book) Record(ctx context.Context, change Change) error {
	if len(change.User) > longestUser {
		change.User = strings.ToValidUTF8(change.User[:longestUser], "")
	}
	b.mu.Lock()
	b.recent = merged(b.recent, []Change{change})
	b.mu.Unlock()

	select {
	case b.pen <- struct{}{}:
		defer func() { <-b.pen }()
	case <-ctx.Done():
		return fmt.Errorf("waiting to write the book of changes: %w", context.Cause(ctx))
	}
	for {
		err := b.write(ctx, change.ID)
		if !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
	}
}

// Who tells the latest change of an object that is not older than an instant,
// whichever replica saw it. Where the ConfigMap cannot be read, what this replica
// saw has to do; the error is returned only if that is nothing.
func (b *Book) Who(ctx context.Context, object Object, notBefore time.Time) (Change, bool, error) {
	_, kept, err := b.read(ctx)
	change, found := latest(merged(b.seen(), kept), object, notBefore)
	if found {
		return change, true, nil
	}
	return Change{}, false, err
}

func (b *Book) seen() []Change {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.recent)
}

func latest(newestFirst []Change, object Object, notBefore time.Time) (Change, bool) {
	for _, change := range newestFirst {
		if change.Object() == object && !change.Time.Time.Before(notBefore) {
			return change, true
		}
	}
	return Change{}, false
}

// write adds what memory holds to what is kept, unless somebody else's write has
// taken the change along.
func (b *Book) write(ctx context.Context, id string) error {
	kept, changes, err := b.read(ctx)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(changes, func(c Change) bool { return c.ID == id }) {
		return nil
	}
	text, err := json.Marshal(merged(changes, b.seen()))
	if err != nil {
		return fmt.Errorf("encoding the book of changes: %w", err)
	}
	isNew := kept.ResourceVersion == ""
	kept.Data = map[string]string{dataKey: string(text)}
	if isNew {
		err = b.writer.Create(ctx, kept, client.FieldOwner(hipaav1.FieldOwner))
	} else {
		err = b.writer.Update(ctx, kept, client.FieldOwner(hipaav1.FieldOwner))
	}
	if err != nil {
		return fmt.Errorf("writing the book of changes: %w", err)
	}
	return nil
}

// read gives the ConfigMap, a new one where there is none, and the changes in
// it. What cannot be read was not written by us, and is replaced.
func (b *Book) read(ctx context.Context) (*corev1.ConfigMap, []Change, error) {
	kept := &corev1.ConfigMap{}
	err := b.live.Get(ctx, types.NamespacedName{Namespace: b.namespace, Name: ConfigMapName}, kept)
	switch {
	case apierrors.IsNotFound(err):
		return &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: ConfigMapName}}, nil, nil
	case err != nil:
		return nil, nil, fmt.Errorf("reading the book of changes: %w", err)
	}
	var changes []Change
	if err := json.Unmarshal([]byte(kept.Data[dataKey]), &changes); err != nil {
		return kept, nil, nil //nolint:nilerr // as the comment says
	}
	return kept, changes, nil
}

// merged puts two lists of changes into one: each change once, the newest first,
// no more than the book holds.
func merged(a, b []Change) []Change {
	all := slices.Concat(a, b)
	slices.SortStableFunc(all, func(x, y Change) int {
		return cmp.Or(y.Time.Compare(x.Time.Time), cmp.Compare(x.ID, y.ID))
	})
	all = slices.CompactFunc(all, func(x, y Change) bool { return x.ID == y.ID })
	return all[:min(len(all), Capacity)]
}
