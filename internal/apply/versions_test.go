package apply_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/apply"
)

func TestAStatusOfBeforeTheLastOneIsNotTakenForTheLast(t *testing.T) {
	at := func(name, version string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: name, ResourceVersion: version}}
	}
	var versions apply.Versions
	if err := versions.Caught(at("api", "7")); err != nil {
		t.Errorf("where nothing was written: %v", err)
	}
	versions.Wrote(at("api", "7"), "10")
	if err := versions.Caught(at("api", "9")); !apierrors.IsConflict(err) {
		t.Errorf("an older version: %v, want a conflict", err)
	}
	if err := versions.Caught(at("other", "9")); err != nil {
		t.Errorf("another object: %v", err)
	}
	if err := versions.Caught(at("api", "10")); err != nil {
		t.Errorf("the version itself: %v", err)
	}
	if err := versions.Caught(at("api", "9")); err != nil {
		t.Errorf("after it has been seen: %v; nothing is kept for ever", err)
	}
	versions.Wrote(at("api", "10"), "11")
	versions.Forget(at("api", "11"))
	if err := versions.Caught(at("api", "10")); err != nil {
		t.Errorf("after it has gone: %v", err)
	}
	versions.Wrote(at("api", "10"), "12")
	if err := versions.Caught(at("api", "not a number")); err != nil {
		t.Errorf("what cannot be compared: %v", err)
	}
}
