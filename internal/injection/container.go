package injection

import (
	"net/netip"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Where the proxy finds its files.
const (
	configDirectory = "/etc/phi-proxy/config"
	// TrustDirectory is where the API server mounts the API's token in every container that
	// has nothing there. The proxy has its own there, and so never the API's.
	TrustDirectory = "/var/run/secrets/kubernetes.io/serviceaccount"
	fileToken      = "issuer-token"
	fileRoots      = "issuer-roots.pem"
)

const (
	variableAddress = "POD_ADDRESS"
	flagWorkload    = "--workload-uid="
	flagGeneration  = "--minimum-generation="
)

// container is the proxy's. Everything that the API server would fill in is stated, so
// that what comes back from it is equal.
func (p *Plan) container(names portNames) corev1.Container {
	return corev1.Container{
		Name:  Name,
		Image: p.Image,
		Args:  p.args(),
		Env: []corev1.EnvVar{{Name: variableAddress, ValueFrom: &corev1.EnvVarSource{
			FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "status.podIP"},
		}}},
		Ports:         p.containerPorts(names),
		Resources:     completed(p.Resources),
		RestartPolicy: ptr.To(corev1.ContainerRestartPolicyAlways),
		// What comes after waits until there are a certificate and a configuration: ten
		// minutes, then the kubelet starts the proxy anew.
		StartupProbe: &corev1.Probe{
			ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/readyz", Port: intstr.FromInt32(adminPort), Scheme: corev1.URISchemeHTTP,
			}},
			TimeoutSeconds: 5, PeriodSeconds: 1, SuccessThreshold: 1, FailureThreshold: 600,
		},
		SecurityContext: &corev1.SecurityContext{
			AllowPrivilegeEscalation: ptr.To(false),
			Capabilities:             &corev1.Capabilities{Drop: []corev1.Capability{"ALL"}},
			Privileged:               ptr.To(false),
			ReadOnlyRootFilesystem:   ptr.To(true),
			RunAsNonRoot:             ptr.To(true),
			RunAsUser:                copied(p.user()),
			SeccompProfile:           &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault},
		},
		VolumeMounts: []corev1.VolumeMount{
			{Name: configVolume, MountPath: configDirectory, ReadOnly: true},
			{Name: trustVolume, MountPath: TrustDirectory, ReadOnly: true},
		},
		ImagePullPolicy:          corev1.PullIfNotPresent,
		TerminationMessagePath:   corev1.TerminationMessagePathDefault,
		TerminationMessagePolicy: corev1.TerminationMessageReadFile,
	}
}

// args are the proxy's. The kubelet fills in the pod's address.
func (p *Plan) args() []string {
	args := []string{
		"--config=" + configDirectory,
		flagWorkload + p.UID,
		flagGeneration + strconv.FormatInt(p.Generation, 10),
		"--issuer=" + p.Issuer,
		"--issuer-token=" + TrustDirectory + "/" + fileToken,
		"--issuer-roots=" + TrustDirectory + "/" + fileRoots,
		"--name-servers=" + strings.Join(written(p.NameServers), ","),
		"--pod-address=$(" + variableAddress + ")",
	}
	if p.redirects() {
		args = append(args, "--capture="+string(p.Capture))
	}
	return args
}

// written are addresses as flags and configurations have them.
func written(servers []netip.AddrPort) []string {
	var list []string
	for _, server := range servers {
		list = append(list, server.String())
	}
	return list
}

func copied(user *int64) *int64 {
	if user == nil {
		return nil
	}
	return ptr.To(*user)
}

// completed states the requests that the API server would take from the limits.
func completed(r corev1.ResourceRequirements) corev1.ResourceRequirements {
	r = *r.DeepCopy()
	for name, limit := range r.Limits {
		if _, stated := r.Requests[name]; stated {
			continue
		}
		if r.Requests == nil {
			r.Requests = corev1.ResourceList{}
		}
		r.Requests[name] = limit.DeepCopy()
	}
	return r
}

// volumes are what the proxy reads, and nobody else.
func (p *Plan) volumes() []corev1.Volume {
	const everybodyReads, hour = 0o644, 3600
	return []corev1.Volume{
		{Name: configVolume, VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{
			LocalObjectReference: corev1.LocalObjectReference{Name: p.ConfigMap},
			Items: []corev1.KeyToPath{
				{Key: FileConfiguration, Path: FileConfiguration},
				{Key: FileSeal, Path: FileSeal},
			},
			DefaultMode: ptr.To[int32](everybodyReads),
		}}},
		{Name: trustVolume, VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
			Sources: []corev1.VolumeProjection{
				{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{
					Audience: p.Audience, ExpirationSeconds: ptr.To[int64](hour), Path: fileToken,
				}},
				{DownwardAPI: &corev1.DownwardAPIProjection{Items: []corev1.DownwardAPIVolumeFile{{
					Path:     fileRoots,
					FieldRef: &corev1.ObjectFieldSelector{APIVersion: "v1", FieldPath: "metadata.annotations['" + AnnotationRoots + "']"},
				}}}},
			},
			DefaultMode: ptr.To[int32](everybodyReads),
		}}},
	}
}

// Equal reports whether a container is the one that this plan makes, up to the names of
// its ports, which come from the pod, and what the cluster's own admission may add.
func (p *Plan) Equal(c *corev1.Container) bool {
	want := p.container(namesIn(c))
	return equality.Semantic.DeepEqual(*settled(c, &want), want)
}

// settled is a container without what the cluster's own admission adds to that which is
// wanted: that the image is looked up each time (AlwaysPullImages), limits of a
// LimitRange for resources that nobody stated, and a user where the plan leaves it to
// the cluster.
func settled(c, want *corev1.Container) *corev1.Container {
	c = c.DeepCopy()
	if c.ImagePullPolicy == corev1.PullAlways {
		c.ImagePullPolicy = want.ImagePullPolicy
	}
	c.Resources.Limits = only(c.Resources.Limits, want.Resources.Limits)
	c.Resources.Requests = only(c.Resources.Requests, want.Resources.Requests)
	if s := c.SecurityContext; s != nil {
		if want.SecurityContext.RunAsUser == nil && ptr.Deref(s.RunAsUser, 0) > 0 {
			s.RunAsUser = nil
		}
		if ptr.Deref(s.ProcMount, "") == corev1.DefaultProcMount {
			s.ProcMount = nil
		}
	}
	return c
}

// only keeps the resources that are wanted.
func only(list, want corev1.ResourceList) corev1.ResourceList {
	kept := corev1.ResourceList{}
	for name, quantity := range list {
		if _, stated := want[name]; stated {
			kept[name] = quantity
		}
	}
	return kept
}

// Running is the plan that a pod was admitted by, as far as time may have changed it
// since: its image, among those that are in order, its generation, no later than this
// one, its resources, its roots, and whether its traffic is redirected. That none of it
// changes while the pod runs is what CheckUpdate is for.
func (p Plan) Running(pod *corev1.Pod) Plan {
	i := indexOf(pod)
	if i < 0 {
		return p
	}
	c := &pod.Spec.InitContainers[i]
	for _, image := range p.Former {
		if c.Image == image {
			p.Image = image
		}
	}
	if n := generationOf(pod); n > 0 && n < p.Generation {
		p.Generation = n
	}
	p.Resources = *c.Resources.DeepCopy()
	p.Capture = hipaav1.CaptureNames
	if control.HasRules(pod) {
		p.Capture = hipaav1.CaptureRedirect
	}
	if roots, pinned := pod.Annotations[AnnotationRoots]; pinned {
		p.Roots = roots
	}
	return p
}

// WorkloadOf is the uid of the PHIWorkload that a pod's proxy serves; empty where it has
// none.
func WorkloadOf(pod *corev1.Pod) string { return argumentOf(pod, flagWorkload) }

// nearby is how many generations two replicas of the manager may be apart.
const nearby = 8

// Beside is the plan as another replica may have had it a moment ago, or will have it in
// one: with the generation of a pod, where that is near.
func (p Plan) Beside(pod *corev1.Pod) Plan {
	if n := generationOf(pod); n > p.Generation-nearby && n < p.Generation+nearby && n > 0 {
		p.Generation = n
	}
	return p
}

// generationOf is the least generation that a pod's proxy takes; zero where it has none.
func generationOf(pod *corev1.Pod) int64 {
	digits := argumentOf(pod, flagGeneration)
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// argumentOf is what a pod's proxy is told by a flag; empty where it is told nothing.
func argumentOf(pod *corev1.Pod, flag string) string {
	i := indexOf(pod)
	if i < 0 {
		return ""
	}
	for _, arg := range pod.Spec.InitContainers[i].Args {
		if value, is := strings.CutPrefix(arg, flag); is {
			return value
		}
	}
	return ""
}

// indexOf is where a pod has the proxy among its init containers, -1 where it has none.
func indexOf(pod *corev1.Pod) int {
	for i := range pod.Spec.InitContainers {
		if pod.Spec.InitContainers[i].Name == Name {
			return i
		}
	}
	return -1
}
