package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestALimitIsAddedOnlyWhereNothingMightSayOne(t *testing.T) {
	const grafana = "GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION"
	secret := corev1.EnvFromSource{SecretRef: &corev1.SecretEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "s"}}}
	missing := corev1.EnvFromSource{ConfigMapRef: &corev1.ConfigMapEnvSource{LocalObjectReference: corev1.LocalObjectReference{Name: "gone"}}}
	reference := corev1.EnvVar{Name: grafana, ValueFrom: &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{}}}
	care := func(b *phitest.WorkloadBuilder) { b.Continuity(hipaav1.ContinuityPatientCare) }
	data := func(b *phitest.WorkloadBuilder) { b.Role(hipaav1.RoleDataStore) }
	stream := func(b *phitest.WorkloadBuilder) {
		b.Session(hipaav1.WorkloadSession{Serves: hipaav1.SessionPrincipalsMonitoringStream})
	}
	for name, tc := range map[string]struct {
		give     corev1.Container
		workload func(*phitest.WorkloadBuilder)
		declared bool
		want     []corev1.EnvVar
	}{
		"an image that is known":               {give: corev1.Container{Image: "grafana/grafana:12.1.0"}, want: []corev1.EnvVar{{Name: grafana, Value: "10m"}}},
		"from another registry, by its digest": {give: corev1.Container{Image: "registry.example.org:5000/mirror/grafana/grafana@sha256:7f3"}, want: []corev1.EnvVar{{Name: grafana, Value: "10m"}}},
		"one that counts minutes":              {give: corev1.Container{Image: "guacamole/guacamole"}, want: []corev1.EnvVar{{Name: "API_SESSION_TIMEOUT", Value: "10"}}},
		"one that counts seconds":              {give: corev1.Container{Image: "dpage/pgadmin4:9"}, want: []corev1.EnvVar{{Name: "PGADMIN_CONFIG_USER_INACTIVITY_TIMEOUT", Value: "600"}}},
		"Kibana":                               {give: corev1.Container{Image: "docker.elastic.co/kibana/kibana:9.1.0"}, want: []corev1.EnvVar{{Name: "XPACK_SECURITY_SESSION_IDLETIMEOUT", Value: "10m"}}},
		"one whose options say it":             {give: corev1.Container{Image: "hapiproject/hapi", Env: env("JAVA_OPTS", "-Dserver.servlet.session.timeout=5m")}, want: env("JAVA_OPTS", "-Dserver.servlet.session.timeout=5m")},
		"one of Spring":                        {give: corev1.Container{Image: "docker.io/hapiproject/hapi:v8"}, want: []corev1.EnvVar{{Name: "SERVER_SERVLET_SESSION_TIMEOUT", Value: "10m"}}},
		"an image of a similar name":           {give: corev1.Container{Image: "evil-grafana/grafana-like"}},
		"an image that nobody knows":           {give: corev1.Container{Image: "registry.example.org/patient-api:1"}},
		"one that says its limit":              {give: corev1.Container{Image: "grafana/grafana", Env: []corev1.EnvVar{{Name: grafana, Value: "8h"}}}, want: []corev1.EnvVar{{Name: grafana, Value: "8h"}}},
		"one whose limit is in a Secret":       {give: corev1.Container{Image: "grafana/grafana", Env: []corev1.EnvVar{reference}}, want: []corev1.EnvVar{reference}},
		"one with a whole Secret":              {give: corev1.Container{Image: "grafana/grafana", EnvFrom: []corev1.EnvFromSource{secret}}},
		"one with what could not be read":      {give: corev1.Container{Image: "grafana/grafana", EnvFrom: []corev1.EnvFromSource{missing}}},
		"where care depends on it":             {give: corev1.Container{Image: "grafana/grafana"}, workload: care},
		"where people have no sessions":        {give: corev1.Container{Image: "grafana/grafana"}, workload: data},
		"where a team states monitors":         {give: corev1.Container{Image: "grafana/grafana"}, workload: stream},
		"where no profile asks for it":         {give: corev1.Container{Image: "grafana/grafana"}, declared: true},
	} {
		t.Run(name, func(t *testing.T) {
			builder := phitest.Workload("api").Port("http", 8080).From(phitest.FromGateway("ingress-nginx"))
			if tc.workload != nil {
				tc.workload(builder)
			}
			s := control.Subject{Profile: &control.Profile{}, Workload: builder.Obj(), World: &control.World{}}
			s.Profile.Session = control.SessionParameters{IdleTimeout: 10 * time.Minute, Settings: hipaav1.SessionSettingsComplete}
			if tc.declared {
				s.Profile.Session.Settings = hipaav1.SessionSettingsAsDeclared
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "api"}, Spec: corev1.PodSpec{Containers: []corev1.Container{tc.give}}}
			for range 2 { // the second time changes nothing
				controlOf("automatic-logoff").Mutate(s, pod)
				if diff := cmp.Diff(tc.want, pod.Spec.Containers[0].Env); diff != "" {
					t.Errorf("environment (-want +got):\n%s", diff)
				}
			}
			if s.Pod = pod; len(tc.want) == 1 && tc.want[0].Value != "" && tc.want[0].Value != "8h" {
				for _, finding := range checkSessions(&s) {
					if finding.Verdict != hipaav1.VerdictPass {
						t.Errorf("what was added is judged %+v", finding)
					}
				}
			}
		})
	}
}
