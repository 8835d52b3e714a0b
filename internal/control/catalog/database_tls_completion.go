package catalog

import (
	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// completeLibpq adds PGSSLMODE to containers that name a server by PGHOST and say
// nothing about TLS. Where a Secret or what cannot be read might say it, nothing is
// added: that could weaken it. Ephemeral containers are not changed.
func completeLibpq(pod *corev1.Pod, known map[string]*corev1.ConfigMap) {
	for _, c := range control.Containers(&pod.Spec) {
		if mode := missingMode(control.SettingsOf(c, known)); mode != "" && isKept(&pod.Spec, c) {
			c.Env = append(c.Env, corev1.EnvVar{Name: "PGSSLMODE", Value: mode})
		}
	}
}

// isKept tells a container of the pod from the copy of an ephemeral one.
func isKept(spec *corev1.PodSpec, c control.Container) bool {
	for _, list := range [][]corev1.Container{spec.InitContainers, spec.Containers} {
		for i := range list {
			if &list[i] == c.Container {
				return true
			}
		}
	}
	return false
}

// missingMode is the PGSSLMODE that an environment lacks; empty where it lacks none.
func missingMode(environment []control.Setting) string {
	remote, mode := false, "require"
	for _, s := range environment {
		open := s.Origin == control.Literal || s.Origin == control.FromConfigMap
		switch s.Name {
		case "PGSSLMODE", "PGREQUIRESSL", "PGSERVICE", "PGSERVICEFILE":
			return ""
		case "":
			return ""
		case "PGHOST":
			remote = open && s.Value != "" && !isLoopback(expanded(s.Value, environment))
		case "PGSSLROOTCERT":
			if open && s.Value != "" {
				mode = "verify-full"
			}
		}
	}
	if !remote {
		return ""
	}
	return mode
}
