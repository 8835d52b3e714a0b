package control_test

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestOriginsOfClaims(t *testing.T) {
	here := func(name string) types.NamespacedName {
		return types.NamespacedName{Namespace: phitest.DefaultNamespace, Name: name}
	}
	for name, tc := range map[string]struct {
		give func(*corev1.PersistentVolumeClaim)
		want control.DataSource
		none bool
	}{
		"that start empty": {give: func(*corev1.PersistentVolumeClaim) {}, none: true},
		"that are cloned": {
			give: func(c *corev1.PersistentVolumeClaim) {
				c.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "data"}
			},
			want: control.DataSource{Kind: "PersistentVolumeClaim", NamespacedName: here("data")},
		},
		"that are cloned from another namespace": {
			give: func(c *corev1.PersistentVolumeClaim) {
				c.Spec.DataSourceRef = &corev1.TypedObjectReference{Kind: "PersistentVolumeClaim", Name: "data", Namespace: ptr.To("prod")}
			},
			want: control.DataSource{Kind: "PersistentVolumeClaim", NamespacedName: types.NamespacedName{Namespace: "prod", Name: "data"}},
		},
		"that are made from a snapshot": {
			give: func(c *corev1.PersistentVolumeClaim) {
				c.Spec.DataSourceRef = &corev1.TypedObjectReference{APIGroup: ptr.To("snapshot.storage.k8s.io"), Kind: "VolumeSnapshot", Name: "nightly"}
			},
			want: control.DataSource{Kind: "VolumeSnapshot", Group: "snapshot.storage.k8s.io", NamespacedName: here("nightly")},
		},
		"that Velero restored": {
			give: func(c *corev1.PersistentVolumeClaim) {
				c.Labels = map[string]string{"velero.io/restore-name": "monday"}
			},
			want: control.DataSource{Kind: control.Backup, NamespacedName: here("monday")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			claim := phitest.Claim("copy").With(tc.give).Obj()
			got, has := control.DataSourceOf(claim)
			if got != tc.want || has == tc.none {
				t.Errorf("origin = %v, %t, want %v", got, has, tc.want)
			}
		})
	}
}
