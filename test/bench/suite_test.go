// Package bench measures the operator beside yardsticks in the same run. Its
// promise: every figure is a ratio to what the same API server does without the
// operator, on the same machine, in the same minute.
package bench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/app"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// world is the cluster that the benchmarks share.
type world struct {
	cluster  *cluster.Cluster
	operator *cluster.Operator
	// null is the process of the yardsticks, once a benchmark has asked for them.
	null   *cluster.Process
	config *rest.Config
	admin  client.WithWatch
}

var shared *world

func TestMain(m *testing.M) {
	if address := os.Getenv(nullWebhookAddress); address != "" {
		serveNothing(address)
		return
	}
	code := m.Run()
	shared.close()
	os.Exit(code)
}

// bench starts the cluster for the first benchmark that asks.
func bench(b *testing.B) *world {
	b.Helper()
	if shared != nil {
		return shared
	}
	w, err := newWorld(b.Context())
	if err != nil {
		w.close()
		b.Fatalf("starting the cluster: %v", err)
	}
	shared = w
	return w
}

func newWorld(ctx context.Context) (*world, error) {
	w := &world{}
	var err error
	if w.cluster, err = cluster.Start(ctx, cluster.Options{Root: "../..", Progress: os.Stderr}); err != nil {
		return w, err
	}
	if w.config, err = clientcmd.BuildConfigFromFlags("", w.cluster.Kubeconfig); err != nil {
		return w, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	w.config.QPS, w.config.Burst = 1000, 2000
	scheme, err := app.Scheme()
	if err != nil {
		return w, err
	}
	if w.admin, err = client.NewWithWatch(w.config, client.Options{Scheme: scheme}); err != nil {
		return w, fmt.Errorf("making a client: %w", err)
	}
	if w.operator, err = w.cluster.NewOperator(ctx); err != nil {
		return w, err
	}
	if err := w.operator.Install(ctx); err != nil {
		return w, err
	}
	if err := w.operator.Start(ctx); err != nil {
		return w, err
	}
	if out, err := w.cluster.Run(ctx, "apply", "--server-side", "-k", "config/profiles"); err != nil {
		return w, fmt.Errorf("applying the profiles: %w\n%s", err, out)
	}
	return w, nil
}

func (w *world) close() {
	if w == nil {
		return
	}
	if w.null != nil {
		w.null.Stop()
	}
	if w.operator != nil {
		w.operator.Stop()
	}
	if w.cluster != nil {
		w.cluster.Close()
	}
}

// account makes the ServiceAccount that a pod names.
func (w *world) account(ctx context.Context, namespace, name string) error {
	return client.IgnoreAlreadyExists(w.admin.Create(ctx, &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}))
}

// namespace makes a namespace with labels.
func (w *world) namespace(ctx context.Context, name string, phi bool, labels map[string]string) error {
	all := map[string]string{}
	maps.Copy(all, labels)
	if phi {
		all[hipaav1.LabelPHI] = hipaav1.LabelPHIValue
	}
	err := w.admin.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name, Labels: all}})
	return client.IgnoreAlreadyExists(err)
}
