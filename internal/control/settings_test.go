package control_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

func from(source corev1.EnvVarSource) *corev1.EnvVarSource { return &source }

func configKey(name, key string) *corev1.EnvVarSource {
	return from(corev1.EnvVarSource{ConfigMapKeyRef: &corev1.ConfigMapKeySelector{
		LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key,
	}})
}

func wholeMap(name, prefix string) corev1.EnvFromSource {
	return corev1.EnvFromSource{Prefix: prefix, ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: name}}}
}

func TestSettingsOfAContainer(t *testing.T) {
	known := map[string]*corev1.ConfigMap{"db": {ObjectMeta: metav1.ObjectMeta{Name: "db"}, Data: map[string]string{"HOST": "db", "PORT": "5432"}}}
	for name, tt := range map[string]struct {
		give corev1.Container
		want []control.Setting
	}{
		"nothing": {},
		"a literal": {
			give: corev1.Container{Env: []corev1.EnvVar{{Name: "A", Value: "1"}}},
			want: []control.Setting{{Name: "A", Value: "1", Path: "spec.containers[0].env[0]"}},
		},
		"a field of the pod": {
			give: corev1.Container{Env: []corev1.EnvVar{{Name: "IP", ValueFrom: from(corev1.EnvVarSource{FieldRef: &corev1.ObjectFieldSelector{FieldPath: "status.podIP"}})}}},
			want: []control.Setting{{Name: "IP", Path: "spec.containers[0].env[0]", Origin: control.FromPod}},
		},
		"a key of a Secret": {
			give: corev1.Container{Env: []corev1.EnvVar{{Name: "P", ValueFrom: from(corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{Key: "p"}})}}},
			want: []control.Setting{{Name: "P", Path: "spec.containers[0].env[0]", Origin: control.FromSecret}},
		},
		"a whole Secret": {
			give: corev1.Container{EnvFrom: []corev1.EnvFromSource{{SecretRef: &corev1.SecretEnvSource{}}}},
			want: []control.Setting{{Path: "spec.containers[0].envFrom[0]", Origin: control.FromSecret}},
		},
		"a key of a ConfigMap": {
			give: corev1.Container{Env: []corev1.EnvVar{{Name: "H", ValueFrom: configKey("db", "HOST")}}},
			want: []control.Setting{{Name: "H", Value: "db", Path: "ConfigMap/db data.HOST", Origin: control.FromConfigMap}},
		},
		"a key that is not there": {
			give: corev1.Container{Env: []corev1.EnvVar{{Name: "U", ValueFrom: configKey("db", "USER")}}},
			want: []control.Setting{{Name: "U", Path: "spec.containers[0].env[0]", Origin: control.Unread}},
		},
		"a ConfigMap that is not there": {
			give: corev1.Container{
				EnvFrom: []corev1.EnvFromSource{wholeMap("gone", "")},
				Env:     []corev1.EnvVar{{Name: "U", ValueFrom: configKey("gone", "USER")}},
			},
			want: []control.Setting{
				{Path: "spec.containers[0].envFrom[0]", Origin: control.Unread},
				{Name: "U", Path: "spec.containers[0].env[0]", Origin: control.Unread},
			},
		},
		"a whole ConfigMap, and what overrides it": {
			give: corev1.Container{
				EnvFrom: []corev1.EnvFromSource{wholeMap("db", "DB_")},
				Env:     []corev1.EnvVar{{Name: "DB_PORT", Value: "6432"}},
			},
			want: []control.Setting{
				{Name: "DB_HOST", Value: "db", Path: "ConfigMap/db data.HOST", Origin: control.FromConfigMap},
				{Name: "DB_PORT", Value: "6432", Path: "spec.containers[0].env[0]"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := control.Containers(&corev1.PodSpec{Containers: []corev1.Container{tt.give}})[0]
			if diff := cmp.Diff(tt.want, control.SettingsOf(c, known)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestConfigMapsOfAPod(t *testing.T) {
	spec := corev1.PodSpec{
		InitContainers: []corev1.Container{{EnvFrom: []corev1.EnvFromSource{wholeMap("c", "")}}},
		Containers:     []corev1.Container{{Env: []corev1.EnvVar{{Name: "X", ValueFrom: configKey("a", "x")}, {Name: "Y", Value: "y"}}}},
		EphemeralContainers: []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			EnvFrom: []corev1.EnvFromSource{wholeMap("e", ""), {}},
		}}},
		Volumes: []corev1.Volume{
			{VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "b"}}}},
			{VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
				{ConfigMap: &corev1.ConfigMapProjection{LocalObjectReference: corev1.LocalObjectReference{Name: "d"}}}, {},
			}}}},
		},
	}
	if diff := cmp.Diff([]string{"a", "b", "c", "d", "e"}, control.ConfigMapsOf(&spec)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
