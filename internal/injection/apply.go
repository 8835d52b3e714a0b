package injection

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

const (
	// resolver is where the proxy answers questions for names. Every pod has this
	// address, also where the cluster's pods have those of IPv6 alone.
	resolver = "127.0.0.1"
	// lowPorts lets everybody in the pod listen on ports below 1024, as the resolver and
	// the servers that the proxy stands for do. Pod Security counts it as safe.
	lowPorts     = "net.ipv4.ip_unprivileged_port_start"
	allPorts     = "0"
	maxSearches  = 32
	windowsLabel = "windows"
)

// Apply puts the proxy into a pod, in place. It leaves a pod alone that cannot have one;
// Check says why.
func (p *Plan) Apply(pod *corev1.Pod) {
	if pod == nil || cannot(pod) != nil {
		return
	}
	for _, q := range questions(pod) {
		q.ask()
	}
	names := p.names(pod)
	p.unname(pod, names)
	inits := slices.DeleteFunc(slices.Clone(pod.Spec.InitContainers), func(c corev1.Container) bool { return isOperators(c.Name) })
	pod.Spec.InitContainers = slices.Insert(inits, 0, p.before(names)...)
	for _, volume := range p.volumes() {
		pod.Spec.Volumes = withVolume(pod.Spec.Volumes, volume)
	}
	p.resolve(pod)
	openLowPorts(pod)
	if pod.Annotations == nil {
		pod.Annotations = map[string]string{}
	}
	pod.Annotations[AnnotationRoots] = p.Roots
}

// withVolume sets a volume where one of its name stands, or adds it.
func withVolume(volumes []corev1.Volume, volume corev1.Volume) []corev1.Volume {
	i := slices.IndexFunc(volumes, func(v corev1.Volume) bool { return v.Name == volume.Name })
	if i < 0 {
		return append(slices.Clip(volumes), volume)
	}
	volumes[i] = volume
	return volumes
}

// resolve has the pod ask the proxy for names, and complete them as the cluster's pods
// do. What the pod states for itself comes behind, and its own options count.
func (p *Plan) resolve(pod *corev1.Pod) {
	had := pod.Spec.DNSConfig
	if had == nil {
		had = &corev1.PodDNSConfig{}
	}
	config := &corev1.PodDNSConfig{Nameservers: []string{resolver}}
	for _, search := range slices.Concat(p.Searches, had.Searches) {
		if !slices.Contains(config.Searches, search) && len(config.Searches) < maxSearches {
			config.Searches = append(config.Searches, search)
		}
	}
	config.Options = slices.Clone(had.Options)
	for _, option := range p.Options {
		if !slices.ContainsFunc(config.Options, func(o corev1.PodDNSConfigOption) bool { return o.Name == option.Name }) {
			config.Options = append(config.Options, *option.DeepCopy())
		}
	}
	pod.Spec.DNSPolicy, pod.Spec.DNSConfig = corev1.DNSNone, config
}

func openLowPorts(pod *corev1.Pod) {
	if pod.Spec.SecurityContext == nil {
		pod.Spec.SecurityContext = &corev1.PodSecurityContext{}
	}
	s := pod.Spec.SecurityContext
	for i := range s.Sysctls {
		if s.Sysctls[i].Name == lowPorts {
			s.Sysctls[i].Value = allPorts
			return
		}
	}
	s.Sysctls = append(slices.Clip(s.Sysctls), corev1.Sysctl{Name: lowPorts, Value: allPorts})
}
