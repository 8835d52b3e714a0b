package witness_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

const system = "hipaa-operator-system"

var object = witness.Object{Kind: "NetworkPolicy", Namespace: "ehr", Name: "hipaa-api"}

func change(id, user string, after time.Duration) witness.Change {
	return witness.Change{
		ID: id, Kind: object.Kind, Namespace: object.Namespace, Name: object.Name,
		Operation: "UPDATE", User: user, Time: metav1.NewMicroTime(phitest.Epoch.Add(after)),
	}
}

func record(t *testing.T, b *witness.Book, changes ...witness.Change) {
	t.Helper()
	for _, c := range changes {
		if err := b.Record(t.Context(), c); err != nil {
			t.Fatalf("recording %s: %v", c.ID, err)
		}
	}
}

func TestEveryReplicaKnowsTheLatestChange(t *testing.T) {
	server := fake.NewClientBuilder().Build()
	here, there := witness.NewBook(server, server, system), witness.NewBook(server, server, system)
	record(t, here, change("1", "rob", 0))
	record(t, there, change("2", "tess", time.Minute))
	tests := map[string]struct {
		object    witness.Object
		notBefore time.Duration
		want      string
	}{
		"the latest":                  {object, 0, "tess"},
		"nothing since":               {object, 2 * time.Minute, ""},
		"exactly then":                {object, time.Minute, "tess"},
		"another object of that name": {witness.Object{Kind: "PHIWorkload", Namespace: "ehr", Name: "hipaa-api"}, 0, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			third := witness.NewBook(server, server, system)
			got, found, err := third.Who(t.Context(), test.object, phitest.Epoch.Add(test.notBefore))
			if err != nil || found != (test.want != "") || got.User != test.want {
				t.Errorf("got %q, %v, %v, want %q", got.User, found, err, test.want)
			}
		})
	}
	if got, _, _ := here.Who(t.Context(), object, phitest.Epoch); got.User != "tess" {
		t.Errorf("got %q, want the later one that another replica saw", got.User)
	}
}

func TestTheBookIsBounded(t *testing.T) {
	server := fake.NewClientBuilder().Build()
	book := witness.NewBook(server, server, system)
	for i := range witness.Capacity + 20 {
		record(t, book, change(fmt.Sprint(i), strings.Repeat("ü", 300), time.Duration(i)*time.Second))
	}
	var kept corev1.ConfigMap
	if err := server.Get(t.Context(), client.ObjectKey{Namespace: system, Name: witness.ConfigMapName}, &kept); err != nil {
		t.Fatal(err)
	}
	text := kept.Data["changes.json"]
	if n := strings.Count(text, `"id"`); n != witness.Capacity || !strings.Contains(text, `"id":"219"`) || strings.Contains(text, `"id":"19"`) {
		t.Errorf("keeps %d changes, want the newest %d", n, witness.Capacity)
	}
	if len(text) > 200<<10 {
		t.Errorf("takes %d bytes", len(text))
	}
}

func TestWritersAtOnceLoseNothing(t *testing.T) {
	server := fake.NewClientBuilder().Build()
	var wait sync.WaitGroup
	for replica := range 4 {
		book := witness.NewBook(server, server, system)
		wait.Go(func() {
			for i := range 10 {
				if err := book.Record(context.Background(), change(fmt.Sprintf("%d-%d", replica, i), "tess", time.Duration(i)*time.Second)); err != nil {
					t.Errorf("recording: %v", err)
				}
			}
		})
	}
	wait.Wait()
	var kept corev1.ConfigMap
	if err := server.Get(t.Context(), client.ObjectKey{Namespace: system, Name: witness.ConfigMapName}, &kept); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(kept.Data["changes.json"], `"id"`); n != 40 {
		t.Errorf("keeps %d of 40 changes", n)
	}
}

func TestWhatCouldNotBeWrittenGoesAlongLater(t *testing.T) {
	down := true
	server := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
			if down {
				return apierrors.NewServiceUnavailable("down")
			}
			return c.Get(ctx, key, into, options...)
		},
	})
	book := witness.NewBook(server, server, system)
	if err := book.Record(t.Context(), change("1", "rob", 0)); err == nil {
		t.Fatal("want an error while the API server is down")
	}
	if got, found, err := book.Who(t.Context(), object, phitest.Epoch); err != nil || !found || got.User != "rob" {
		t.Errorf("memory forgot: %v, %v, %v", got, found, err)
	}
	down = false
	record(t, book, change("2", "tess", time.Second))
	other := witness.NewBook(server, server, system)
	kept, found, err := other.Who(t.Context(), object, phitest.Epoch)
	if err != nil || !found || kept.User != "tess" {
		t.Errorf("got %v, %v, %v", kept, found, err)
	}
	var stored corev1.ConfigMap
	if err := server.Get(t.Context(), client.ObjectKey{Namespace: system, Name: witness.ConfigMapName}, &stored); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(stored.Data["changes.json"], `"user":"rob"`) {
		t.Error("the change that could not be written did not go along")
	}
}

func TestRecordingEndsWithItsContext(t *testing.T) {
	always := schema.GroupResource{Resource: "configmaps"}
	server := interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Create: func(ctx context.Context, _ client.WithWatch, _ client.Object, _ ...client.CreateOption) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return apierrors.NewConflict(always, witness.ConfigMapName, nil)
		},
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := witness.NewBook(server, server, system).Record(ctx, change("1", "rob", 0)); err == nil {
		t.Error("want an error")
	}
}

func TestWhatSomebodyScribbledIsReplaced(t *testing.T) {
	server := fake.NewClientBuilder().WithObjects(&corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: system, Name: witness.ConfigMapName},
		Data:       map[string]string{"changes.json": "[{", "other": "x"},
	}).Build()
	record(t, witness.NewBook(server, server, system), change("1", "rob", 0))
	got, found, err := witness.NewBook(server, server, system).Who(t.Context(), object, phitest.Epoch)
	if err != nil || !found {
		t.Fatalf("got %v, %v", found, err)
	}
	if diff := cmp.Diff(change("1", "rob", 0), got); diff != "" {
		t.Errorf("kept (-want +got):\n%s", diff)
	}
}
