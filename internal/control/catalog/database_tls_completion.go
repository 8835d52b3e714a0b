package catalog

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// tlsVariables are the variables by which a client is told to ask its database for TLS.
type tlsVariables struct {
	// image is the only one that reads them; empty are libpq, in whatever image, and
	// the drivers that follow it.
	image string
	to    *database
	// host names the server, in one of these variables.
	host []string
	// kind is a variable that must have this value, where others would mean another
	// driver; empty is none.
	kind, is string
	// mode takes on, or full where authority names the file of the authority.
	mode, on, full, authority string
	// instead are others that say it, or lead elsewhere.
	instead []string
}

// tlsVariablesKnown are those that the documentation of a client or an image names.
// The drivers of MySQL, MongoDB, Redis, AMQP, Kafka and SQL Server read none: they are
// told in the address, or by their application, in words of its own.
var tlsVariablesKnown = []*tlsVariables{
	{
		to: postgreSQL, host: []string{"PGHOST"}, mode: "PGSSLMODE", on: "require", full: "verify-full", authority: "PGSSLROOTCERT",
		instead: []string{"PGREQUIRESSL", "PGSERVICE", "PGSERVICEFILE"},
	},
	{
		image: "grafana/grafana", to: postgreSQL, host: []string{"GF_DATABASE_HOST"}, kind: "GF_DATABASE_TYPE", is: "postgres",
		mode: "GF_DATABASE_SSL_MODE", on: "require", full: "verify-full", authority: "GF_DATABASE_CA_CERT_PATH", instead: []string{"GF_DATABASE_URL"},
	},
	{
		image: "guacamole/guacamole", to: postgreSQL, host: []string{"POSTGRESQL_HOSTNAME", "POSTGRES_HOSTNAME"},
		mode: "POSTGRESQL_SSL_MODE", on: "require", full: "verify-full", authority: "POSTGRESQL_SSL_ROOT_CERT_FILE",
	},
	{
		image: "guacamole/guacamole", to: mySQL, host: []string{"MYSQL_HOSTNAME"},
		mode: "MYSQL_SSL_MODE", on: "required", full: "verify-identity", authority: "MYSQL_SSL_TRUST_STORE",
	},
}

// completeTLS tells containers that name a server, and say nothing about TLS, to ask
// for it. Where a Secret or what cannot be read might say it, nothing is added: that
// could weaken it. Nor is it where the certificate of the authority is named and not
// surely mounted: the container would connect to nobody. Ephemeral containers are not
// changed.
func completeTLS(pod *corev1.Pod, known map[string]*corev1.ConfigMap) {
	for _, c := range control.Containers(&pod.Spec) {
		if !isKept(&pod.Spec, c) {
			continue
		}
		in := &mounts{&pod.Spec, c.Container, known}
		environment := control.SettingsOf(c, known)
		for _, v := range tlsVariablesKnown {
			if mode, _ := v.missing(environment, in); mode != "" {
				c.Env = append(c.Env, corev1.EnvVar{Name: v.mode, Value: mode})
			}
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

// gap is what keeps a container from being told to ask for TLS, though the profile
// opts in.
type gap struct {
	variables *tlsVariables
	why       string
}

// missing is the mode that an environment lacks, empty where it lacks none; or what
// else it lacks before it can be told.
func (v *tlsVariables) missing(environment []control.Setting, in *mounts) (mode string, lacks *gap) {
	if v.image != "" && v.image != repositoryOf(in.container.Image) || !v.leftOpen(environment) {
		return "", nil
	}
	named, why := v.authorityIn(environment, in)
	switch {
	case why != "":
		return "", &gap{v, why}
	case named:
		return v.full, nil
	case v.image != "" && (in.mightHoldSettings() || besideIt(v.to, in.settingsIn()) != tlsUnsaid):
		return "", nil // a file may ask for more
	default:
		return v.on, nil
	}
}

// authorityIn reports whether an environment names the authority of the server, and why
// nothing shows that its certificate will be there.
func (v *tlsVariables) authorityIn(environment []control.Setting, in *mounts) (named bool, why string) {
	for _, s := range environment {
		switch {
		case s.Name == v.authority && !inTheOpen(s):
			return true, v.authority + " cannot be read here"
		case s.Name == v.authority && s.Value != "":
			named = true
			if lacks := in.lacks(expanded(s.Value, environment)); lacks != "" && s.Value != systemRoots {
				return true, v.authority + " " + lacks
			}
		case v.image == "" && in.strands(s, environment):
			return named, "the sslrootcert of an address beside it names a file that no volume shows"
		}
	}
	return named, ""
}

// strands reports whether an address that follows PGSSLMODE names an authority of its
// own which is not surely mounted.
func (m *mounts) strands(s control.Setting, environment []control.Setting) bool {
	if s.Value == "" {
		return false
	}
	c, is := connectionIn(expanded(s.Value, environment))
	return is && c.inherits && !c.local && c.grade == tlsUnsaid && c.authority != "" && c.authority != systemRoots && m.lacks(c.authority) != ""
}

// leftOpen reports whether an environment names a server outside the pod and leaves TLS
// open, for certain.
func (v *tlsVariables) leftOpen(environment []control.Setting) bool {
	remote, kind := false, v.kind == ""
	for _, s := range environment {
		switch {
		case s.Name == "", s.Name == v.mode, slices.Contains(v.instead, s.Name):
			return false
		case s.Name == v.kind:
			kind = s.Value == v.is
		case slices.Contains(v.host, s.Name):
			remote = remote || inTheOpen(s) && s.Value != "" && !isLoopback(expanded(s.Value, environment))
		}
	}
	return remote && kind
}

func inTheOpen(s control.Setting) bool {
	return s.Origin == control.Literal || s.Origin == control.FromConfigMap
}

// gapsOf are what keeps a container from being told to ask for TLS.
func gapsOf(environment []control.Setting, in *mounts) []*gap {
	var gaps []*gap
	for _, v := range tlsVariablesKnown {
		if _, lacks := v.missing(environment, in); lacks != nil {
			gaps = append(gaps, lacks)
		}
	}
	return gaps
}

// gapAt is what keeps a container from being told, about the server that a setting
// names; nil where nothing does, or the profile does not opt in.
func (told *container) gapAt(setting string) *gap {
	i := slices.IndexFunc(told.gaps, func(g *gap) bool { return slices.Contains(g.variables.host, setting) })
	if i < 0 {
		return nil
	}
	return told.gaps[i]
}

// widened says in a finding what keeps the container from being told, and what to mount.
func (g *gap) widened(f control.Finding) control.Finding {
	if g == nil {
		return f
	}
	v := g.variables
	f.Message += ", and " + v.mode + " is not added: " + g.why
	return f.But("mount the certificate of the server's authority as the file that %s names, from a ConfigMap, a Secret, a projected or a CSI volume that has it; "+
		"%s=%s is then added to new pods", v.authority, v.mode, v.full)
}
