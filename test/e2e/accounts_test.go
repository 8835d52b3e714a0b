package e2e_test

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// provident is a client that creates the ServiceAccount that a pod runs under before
// the pod: without it the API server lets no pod in, and what a spec is about would
// not be asked.
type provident struct{ client.Client }

func (c provident) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	name := ""
	switch o := object.(type) {
	case *corev1.Pod:
		name = o.Spec.ServiceAccountName
	case *appsv1.Deployment:
		name = o.Spec.Template.Spec.ServiceAccountName
	case *appsv1.ReplicaSet:
		name = o.Spec.Template.Spec.ServiceAccountName
	}
	if name != "" {
		account := &corev1.ServiceAccount{ObjectMeta: metav1.ObjectMeta{Namespace: object.GetNamespace(), Name: name}}
		if err := client.IgnoreAlreadyExists(everybody.Create(ctx, account)); err != nil {
			return err
		}
	}
	return c.Client.Create(ctx, object, options...)
}
