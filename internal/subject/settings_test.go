package subject_test

import (
	"context"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// counted counts what is read.
type counted struct {
	client.WithWatch
	reads int
}

func (c *counted) Get(ctx context.Context, key client.ObjectKey, into client.Object, options ...client.GetOption) error {
	c.reads++
	return c.WithWatch.Get(ctx, key, into, options...)
}

func TestSettingsAreReadOnceForEachVersion(t *testing.T) {
	m := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: phitest.DefaultNamespace, Name: "db"}, Data: map[string]string{"HOST": "db"}}
	cluster := reader(t, phiNamespace(phitest.DefaultNamespace), m)
	live := &counted{WithWatch: cluster}
	l := &subject.Loader{Cache: cluster, Live: live, ConfigMaps: subject.KeepConfigMaps()}
	sc := &subject.Scene{Namespace: phiNamespace(phitest.DefaultNamespace)}
	p := phitest.Pod("api").With(func(p *corev1.Pod) {
		for _, name := range []string{"db", "gone"} {
			p.Spec.Containers[0].EnvFrom = append(p.Spec.Containers[0].EnvFrom, corev1.EnvFromSource{
				ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}},
			})
		}
	}).Obj()
	look := func() *control.World { return l.AtAdmission(t.Context(), sc, nil, p, control.Settings).World }

	if w := look(); w.ConfigMaps["db"].Data["HOST"] != "db" || len(w.ConfigMaps) != 1 || len(w.Missing) > 0 || live.reads != 2 {
		t.Errorf("first look: %v, missing %v, after %d reads", w.ConfigMaps, w.Missing, live.reads)
	}
	if w := look(); w.ConfigMaps["db"] == nil || live.reads != 3 {
		t.Errorf("second look: %v after %d reads; only what is not there is asked for again", w.ConfigMaps, live.reads)
	}
	m.Data["HOST"] = "other"
	if err := cluster.Update(t.Context(), m); err != nil {
		t.Fatalf("changing the settings: %v", err)
	}
	if w := look(); w.ConfigMaps["db"].Data["HOST"] != "other" {
		t.Errorf("after a change: %v", w.ConfigMaps["db"])
	}
}
