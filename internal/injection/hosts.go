package injection

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// hostsFile is what applications ask for names before they ask the resolver.
const hostsFile = "/etc/hosts"

// shadowsNames reports whether a mount replaces where the application finds names.
func shadowsNames(m *corev1.VolumeMount) bool {
	at := path.Clean(m.MountPath)
	return at == control.ResolverFile || at == hostsFile
}

// hosts are entries of the pod's hosts file for names that the proxy stands for: what
// the application calls by them goes past it.
func (p *Plan) hosts(pod *corev1.Pod) []control.Finding {
	var findings []control.Finding
	for i := range pod.Spec.HostAliases {
		for j, name := range pod.Spec.HostAliases[i].Hostnames {
			if p.standsFor(name) {
				findings = append(findings, control.Failed(fmt.Sprintf("spec.hostAliases[%d].hostnames[%d]", i, j), "is a name of the cluster, which the proxy answers for").
					But("remove it: the proxy finds who is declared in spec.egress.to of the PHIWorkload"))
			}
		}
	}
	return findings
}

// standsFor reports whether a name is one of a Service, or becomes that of a declared one
// as the pod completes it.
func (p *Plan) standsFor(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if strings.HasSuffix(name, ".svc") {
		return true
	}
	for _, search := range append([]string{""}, p.Searches...) {
		whole := strings.TrimSuffix(name+"."+search, ".")
		base, ofService := strings.CutSuffix(whole, p.services())
		if ofService && (search == "" || slices.Contains(p.Calls, base)) {
			return true
		}
	}
	return false
}

// services is how the names of all Services end.
func (p *Plan) services() string {
	if len(p.Searches) == 0 {
		return ".svc"
	}
	return ".svc." + p.Searches[len(p.Searches)-1]
}

// callsOf are the names that a workload calls others by, as far as its declaration tells:
// those of Services, and of workloads where their Services are called the same.
func callsOf(w *hipaav1.PHIWorkload) []string {
	if w.Spec.Egress == nil {
		return nil
	}
	var calls []string
	for i := range w.Spec.Egress.To {
		switch to := &w.Spec.Egress.To[i]; {
		case to.PHIWorkload != nil:
			calls = append(calls, to.PHIWorkload.Name+"."+cmp.Or(to.PHIWorkload.Namespace, w.Namespace))
		case to.Service != nil:
			calls = append(calls, to.Service.Name+"."+cmp.Or(to.Service.Namespace, w.Namespace))
		}
	}
	return calls
}
