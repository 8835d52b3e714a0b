package injection

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// untouched is the remedy for what only the operator writes.
const untouched = "leave it as admission writes it: take it out of the template, and whatever else changes it"

// Check says in what a pod differs from what Apply makes of it, and what in it would get
// round the proxy, or pass for it.
func (p *Plan) Check(pod *corev1.Pod) []control.Finding {
	if pod == nil {
		return nil
	}
	if findings := cannot(pod); findings != nil {
		return findings
	}
	if indexOf(pod) < 0 {
		return []control.Finding{control.Failed("spec.initContainers", "has no container %s", Name).
			But("let the operator's admission add it: create the pod anew, and take out what opts it out")}
	}
	want := pod.DeepCopy()
	p.Apply(want)
	proxy := &want.Spec.InitContainers[indexOf(want)]
	return slices.Concat(
		p.checkRules(pod), p.proxy(pod, proxy), surroundings(pod, want), notTurned(pod),
		p.imitations(pod), p.tokens(pod), besides(pod), p.hosts(pod), p.ports(pod, proxy),
	)
}

// CheckUpdate says what of the proxy an update of a running pod changes. The API server
// lets images change, and annotations.
func CheckUpdate(was, now *corev1.Pod) []control.Finding {
	if was == nil || now == nil {
		return nil
	}
	i := indexOf(was)
	if i < 0 {
		return nil
	}
	if j := indexOf(now); j != i {
		return []control.Finding{control.Failed("spec.initContainers", "does not keep the container %s in its place", Name).But(untouched)}
	}
	var findings []control.Finding
	for i := range was.Spec.InitContainers {
		if c := &was.Spec.InitContainers[i]; isOperators(c.Name) && i < len(now.Spec.InitContainers) {
			findings = append(findings, differences(fmt.Sprintf("spec.initContainers[%d]", i), c, &now.Spec.InitContainers[i])...)
		}
	}
	if was.Annotations[AnnotationRoots] != now.Annotations[AnnotationRoots] {
		findings = append(findings, control.Failed(annotationPath, "changes whom the proxy trusts while the pod runs").
			But("leave it: pods that are new get the roots of their time"))
	}
	return findings
}

const annotationPath = "metadata.annotations[" + AnnotationRoots + "]"

// cannot says why a pod cannot have the proxy at all; nil where it can.
func cannot(pod *corev1.Pod) []control.Finding {
	switch {
	case pod.Spec.HostNetwork:
		return []control.Finding{control.Failed("spec.hostNetwork", "is true: nothing can stand before an application on the node's own network").
			But("remove hostNetwork")}
	case pod.Spec.OS != nil && pod.Spec.OS.Name == corev1.Windows, pod.Spec.NodeSelector[corev1.LabelOSStable] == string(corev1.Windows):
		return []control.Finding{control.Failed("spec", "runs on Windows, where the proxy does not").But("run it on Linux")}
	}
	for at, name := range otherNames(pod) {
		if isOperators(name) {
			return []control.Finding{control.Failed(at, "is named %s, as the proxy is", name).But("give it another name")}
		}
	}
	return nil
}

// otherNames are the names of containers that are not init containers, by their place.
func otherNames(pod *corev1.Pod) func(yield func(at, name string) bool) {
	return func(yield func(at, name string) bool) {
		for i := range pod.Spec.Containers {
			if !yield(fmt.Sprintf("spec.containers[%d].name", i), pod.Spec.Containers[i].Name) {
				return
			}
		}
		for i := range pod.Spec.EphemeralContainers {
			if !yield(fmt.Sprintf("spec.ephemeralContainers[%d].name", i), pod.Spec.EphemeralContainers[i].Name) {
				return
			}
		}
	}
}

// proxy says what is wrong with the container itself.
func (p *Plan) proxy(pod *corev1.Pod, want *corev1.Container) []control.Finding {
	i := indexOf(pod)
	at := fmt.Sprintf("spec.initContainers[%d]", i)
	var findings []control.Finding
	if j := slices.IndexFunc(pod.Spec.InitContainers, func(c corev1.Container) bool { return c.Name != RulesName }); j < i {
		findings = append(findings, control.Failed(at, "starts after %q, which so runs without the proxy", pod.Spec.InitContainers[j].Name).
			But("put nothing before the container %s: where another webhook does, exempt the pod from it, or let it put its own behind", Name))
	}
	for j := i + 1; j < len(pod.Spec.InitContainers); j++ {
		if pod.Spec.InitContainers[j].Name == Name {
			findings = append(findings, control.Failed(fmt.Sprintf("spec.initContainers[%d].name", j), "is named %s, as the proxy is", Name).But("give it another name"))
		}
	}
	return append(findings, differences(at, want, settled(&pod.Spec.InitContainers[i], want))...)
}

// differences are the fields in which a container is not what it should be.
func differences(at string, want, got *corev1.Container) []control.Finding {
	var findings []control.Finding
	w, g := reflect.ValueOf(*want), reflect.ValueOf(*got)
	for i := range w.NumField() {
		if equality.Semantic.DeepEqual(w.Field(i).Interface(), g.Field(i).Interface()) {
			continue
		}
		field, _, _ := strings.Cut(w.Type().Field(i).Tag.Get("json"), ",")
		findings = append(findings, control.Failed(at+"."+field, "is not what the operator gives the proxy").But(untouched))
	}
	return findings
}

// surroundings says what around the container is not as it has to be.
func surroundings(pod, want *corev1.Pod) []control.Finding {
	var findings []control.Finding
	differs := func(at string, what string, got, wanted any) {
		if !equality.Semantic.DeepEqual(got, wanted) {
			findings = append(findings, control.Failed(at, "%s", what).But(untouched))
		}
	}
	for i := range want.Spec.Volumes {
		if name := want.Spec.Volumes[i].Name; name == configVolume || name == trustVolume {
			at, got := fmt.Sprintf("spec.volumes[%d]", i), corev1.Volume{}
			if i < len(pod.Spec.Volumes) {
				got = pod.Spec.Volumes[i]
			} else {
				at = "spec.volumes"
			}
			differs(at, fmt.Sprintf("has not the volume %s that the proxy reads", name), got, want.Spec.Volumes[i])
		}
	}
	differs(annotationPath, "is not the roots that the proxy trusts first", pod.Annotations[AnnotationRoots], want.Annotations[AnnotationRoots])
	differs("spec.dnsPolicy", "lets the application resolve names past the proxy", pod.Spec.DNSPolicy, want.Spec.DNSPolicy)
	differs("spec.dnsConfig", "is not how names are asked of the proxy", pod.Spec.DNSConfig, want.Spec.DNSConfig)
	var sysctls []corev1.Sysctl
	if pod.Spec.SecurityContext != nil {
		sysctls = pod.Spec.SecurityContext.Sysctls
	}
	differs("spec.securityContext.sysctls", "does not let the proxy listen on low ports", sysctls, want.Spec.SecurityContext.Sysctls)
	return findings
}

// notTurned are questions of the kubelet that do not go by the proxy.
func notTurned(pod *corev1.Pod) []control.Finding {
	var findings []control.Finding
	for _, q := range questions(pod.DeepCopy()) {
		if get := q.handler.HTTPGet; q.handler.Exec != nil || get != nil && isAsked(get) {
			continue
		}
		if why := q.ask(); why != "" {
			findings = append(findings, control.Failed(q.path, "%s, so that the proxy cannot pass it on", why).
				But("ask a port of its own container, without host, at a plain path; or use exec"))
		} else if q.handler.HTTPGet != nil {
			findings = append(findings, control.Failed(q.path, "asks the application past the proxy").But(untouched))
		}
	}
	return findings
}

// imitations are containers that pass for the proxy, or reach into it.
func (p *Plan) imitations(pod *corev1.Pod) []control.Finding {
	var findings []control.Finding
	each := func(at string, c *corev1.Container) {
		if c.Image == p.Image && p.Image != "" {
			findings = append(findings, control.Failed(at+".image", "is the image of the proxy").But("take the container out: admission adds the proxy"))
		}
		findings = append(findings, p.outlaws(at, c, userOf(pod, c))...)
		if user := p.user(); user != nil && userOf(pod, c) == *user {
			findings = append(findings, control.Failed(at+".securityContext.runAsUser", "is %d, which only the proxy runs under", *user).But("give it another user id"))
		}
		for i := range c.VolumeMounts {
			if shadowsNames(&c.VolumeMounts[i]) {
				findings = append(findings, control.Failed(fmt.Sprintf("%s.volumeMounts[%d]", at, i), "replaces what has the application ask the proxy for names").But("mount nothing there"))
			}
		}
	}
	for _, c := range application(pod) {
		each(c.path, c.Container)
	}
	for i := range pod.Spec.EphemeralContainers {
		c, at := &pod.Spec.EphemeralContainers[i], fmt.Sprintf("spec.ephemeralContainers[%d]", i)
		each(at, ptr.To(corev1.Container(c.EphemeralContainerCommon)))
		if c.TargetContainerName == Name {
			findings = append(findings, control.Failed(at+".targetContainerName", "shares the proxy's processes, and so its memory").But("name another container"))
		}
	}
	return findings
}

// userOf is the id that a container runs under as far as the pod says; -1 where it does
// not.
func userOf(pod *corev1.Pod, c *corev1.Container) int64 {
	if c.SecurityContext != nil && c.SecurityContext.RunAsUser != nil {
		return *c.SecurityContext.RunAsUser
	}
	if s := pod.Spec.SecurityContext; s != nil {
		return ptr.Deref(s.RunAsUser, -1)
	}
	return -1
}

// tokens are ways by which others get the proxy's token.
func (p *Plan) tokens(pod *corev1.Pod) []control.Finding {
	var findings []control.Finding
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.Projected == nil || v.Name == trustVolume {
			continue
		}
		for j := range v.Projected.Sources {
			if t := v.Projected.Sources[j].ServiceAccountToken; t != nil && t.Audience == p.Audience {
				findings = append(findings, control.Failed(fmt.Sprintf("spec.volumes[%d].projected.sources[%d].serviceAccountToken", i, j),
					"is a token by which certificates are given").But("remove it: the proxy alone has one"))
			}
		}
	}
	mounts := func(at string, list []corev1.VolumeMount) {
		for i := range list {
			if list[i].Name == trustVolume {
				findings = append(findings, control.Failed(fmt.Sprintf("%s.volumeMounts[%d]", at, i), "mounts the proxy's token").But("remove the mount"))
			}
		}
	}
	for _, c := range application(pod) {
		mounts(c.path, c.VolumeMounts)
	}
	for i := range pod.Spec.EphemeralContainers {
		mounts(fmt.Sprintf("spec.ephemeralContainers[%d]", i), pod.Spec.EphemeralContainers[i].VolumeMounts)
	}
	return findings
}

// besides is what lets other containers of the pod into the proxy's.
func besides(pod *corev1.Pod) []control.Finding {
	if ptr.Deref(pod.Spec.ShareProcessNamespace, false) {
		return []control.Finding{control.Failed("spec.shareProcessNamespace", "is true, so that every container reads the proxy's keys").But("remove it")}
	}
	return nil
}
