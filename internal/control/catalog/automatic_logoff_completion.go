package catalog

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// limitVariable is the variable by which an image is told its idle limit.
type limitVariable struct {
	name string
	// unit of the number that it takes; zero where it takes 15m.
	unit time.Duration
}

// limitVariables are images whose own documentation names the variable. Other
// applications keep their limit in files, in a database, or in a variable of which
// nothing shows that the image reads it.
var limitVariables = map[string]limitVariable{
	"grafana/grafana":     {"GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION", 0},
	"hapiproject/hapi":    {"SERVER_SERVLET_SESSION_TIMEOUT", 0},
	"guacamole/guacamole": {"API_SESSION_TIMEOUT", time.Minute},
	"kibana/kibana":       {"XPACK_SECURITY_SESSION_IDLETIMEOUT", 0},
	"dpage/pgadmin4":      {"PGADMIN_CONFIG_USER_INACTIVITY_TIMEOUT", time.Second},
}

// completeLimits tells containers of known images the profile's idle limit where the pod
// says nothing of one. Where a Secret or what cannot be read might say it, nothing is
// added: that could loosen it. Who cares for patients is logged off by people's decision
// alone, so pods of such workloads are left as they are; and so are those whose team
// says that no people are served, since a limit could end a stream that must go on.
func completeLimits(s *control.Subject, pod *corev1.Pod) {
	if s.Workload == nil || s.Workload.Spec.Continuity == hipaav1.ContinuityPatientCare || withoutPeople(s) != nil ||
		principalsOf(s.Workload) != hipaav1.SessionPrincipalsPeople {
		return
	}
	for i := range pod.Spec.Containers {
		c := &pod.Spec.Containers[i]
		variable, known := limitVariables[repositoryOf(c.Image)]
		if known && leavesOpen(s, pod, control.Container{Container: c}) {
			c.Env = append(c.Env, corev1.EnvVar{Name: variable.name, Value: variable.value(s.Profile.Session.Idle())})
		}
	}
}

// value is a limit as the variable takes it; what is less than its unit is one.
func (v limitVariable) value(limit time.Duration) string {
	if v.unit == 0 {
		return spoken(limit)
	}
	return strconv.FormatInt(max(1, int64(limit/v.unit)), 10)
}

// repositoryOf is the last two parts of an image's name, without tag and digest.
func repositoryOf(image string) string {
	image, _, _ = strings.Cut(image, "@")
	parts := strings.Split(image, "/")
	last := len(parts) - 1
	parts[last], _, _ = strings.Cut(parts[last], ":")
	return strings.Join(parts[max(0, last-1):], "/")
}

// leavesOpen reports whether nothing tells a container when unused sessions end, and
// nothing might that is not seen.
func leavesOpen(s *control.Subject, pod *corev1.Pod, c control.Container) bool {
	settings := control.SettingsOf(c, s.World.ConfigMaps)
	for _, setting := range settings {
		if setting.Name == "" || setting.Origin == control.Unread {
			return false
		}
		settings = append(settings, optionsIn(setting)...)
	}
	if len(c.Command)+len(c.Args) > 0 {
		settings = append(settings, control.ArgumentsOf(control.CommandsOf(c))...)
	}
	for _, named := range mountedConfigMaps(&pod.Spec, s.World.ConfigMaps) {
		settings = append(settings, control.EntriesOf(named)...)
	}
	for _, setting := range settings {
		if known := sessionSettingOf(setting.Name); known != nil && known.kind == idleLimit {
			return false
		}
	}
	return true
}
