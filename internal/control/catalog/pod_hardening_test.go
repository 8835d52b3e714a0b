package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/policy"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestEveryCheckOfPodSecurityHasWords(t *testing.T) {
	known := map[policy.CheckID]bool{}
	for _, check := range policy.DefaultChecks() {
		known[check.ID] = true
		if w, has := wordings[check.ID]; !has || w.remedy == "" {
			t.Errorf("check %q has no words or no remedy", check.ID)
		}
	}
	for id := range wordings {
		if !known[id] {
			t.Errorf("words for %q, which Pod Security does not have", id)
		}
	}
}

func TestPodHardeningNamesTheField(t *testing.T) {
	privileged := corev1.EphemeralContainer{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
		Name: "debug", SecurityContext: &corev1.SecurityContext{Privileged: ptr.To(true)},
	}}
	for name, tc := range map[string]struct {
		give *phitest.PodBuilder
		want []string
	}{
		"a restricted pod passes with a word": {
			give: phitest.Pod("app"),
			want: []string{"Pass: Pod Security restricted holds, and no processes are shared"},
		},
		"a bare pod is told everything, container by container": {
			give: phitest.Pod("app").Unhardened(),
			want: []string{
				"spec.containers[0].securityContext.allowPrivilegeEscalation is not false",
				"spec.containers[0].securityContext.capabilities do not drop ALL, or add more than NET_BIND_SERVICE",
				"spec.containers[0].securityContext.runAsNonRoot is not true",
				"spec.containers[0].securityContext.seccompProfile.type is neither RuntimeDefault nor Localhost",
			},
		},
		"only the second container is at fault": {
			give: phitest.Pod("app").Container("second").With(func(p *corev1.Pod) {
				p.Spec.Containers[1].SecurityContext.RunAsNonRoot = ptr.To(false)
			}),
			want: []string{"spec.containers[1].securityContext.runAsNonRoot is not true"},
		},
		"a native sidecar counts": {
			give: phitest.Pod("app").Sidecar("proxy").With(func(p *corev1.Pod) {
				p.Spec.InitContainers[0].SecurityContext.Capabilities.Add = []corev1.Capability{"NET_ADMIN"}
			}),
			want: []string{"spec.initContainers[0].securityContext.capabilities do not drop ALL, or add more than NET_BIND_SERVICE"},
		},
		"an ephemeral container counts": {
			give: phitest.Pod("app").With(func(p *corev1.Pod) {
				p.Spec.EphemeralContainers = []corev1.EphemeralContainer{privileged}
			}),
			want: []string{
				"spec.ephemeralContainers[0].securityContext.allowPrivilegeEscalation is not false",
				"spec.ephemeralContainers[0].securityContext.capabilities do not drop ALL, or add more than NET_BIND_SERVICE",
				"spec.ephemeralContainers[0].securityContext.privileged is true",
			},
		},
		"a fault of the pod is told once, and not for each container": {
			give: phitest.Pod("app").Container("second").With(func(p *corev1.Pod) {
				p.Spec.SecurityContext.SeccompProfile.Type = corev1.SeccompProfileTypeUnconfined
				p.Spec.Containers[0].SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
				p.Spec.Containers[1].SecurityContext.SeccompProfile = &corev1.SeccompProfile{Type: corev1.SeccompProfileTypeRuntimeDefault}
			}),
			want: []string{"spec.securityContext.seccompProfile.type is neither RuntimeDefault nor Localhost"},
		},
		"all namespaces of the node, each by its field": {
			give: phitest.Pod("app").With(func(p *corev1.Pod) {
				p.Spec.HostNetwork, p.Spec.HostPID, p.Spec.HostIPC = true, true, true
			}),
			want: []string{"spec.hostNetwork is true", "spec.hostPID is true", "spec.hostIPC is true"},
		},
		"volumes by their index": {
			give: phitest.Pod("app").
				Volume("fine", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}).
				Volume("node", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}).
				Volume("share", corev1.VolumeSource{NFS: &corev1.NFSVolumeSource{Server: "nfs", Path: "/"}}),
			want: []string{
				`spec.volumes[1] volume "node" uses restricted volume type "hostPath"`,
				`spec.volumes[2] volume "share" uses restricted volume type "nfs"`,
			},
		},
		"the annotation from before the field": {
			give: phitest.Pod("app").With(func(p *corev1.Pod) {
				p.Annotations = map[string]string{"container.apparmor.security.beta.kubernetes.io/app": "unconfined"}
			}),
			want: []string{`spec.securityContext.appArmorProfile annotation must not set AppArmor profile type to "container.apparmor.security.beta.kubernetes.io/app="unconfined""`},
		},
		"sysctls": {
			give: phitest.Pod("app").With(func(p *corev1.Pod) {
				p.Spec.SecurityContext.Sysctls = []corev1.Sysctl{{Name: "kernel.msgmax", Value: "1"}}
			}),
			want: []string{`spec.securityContext.sysctls kernel.msgmax`},
		},
		"a probe that names a host": {
			give: phitest.Pod("app").With(func(p *corev1.Pod) {
				p.Spec.Containers[0].LivenessProbe = &corev1.Probe{ProbeHandler: corev1.ProbeHandler{
					TCPSocket: &corev1.TCPSocketAction{Host: "169.254.169.254"},
				}}
			}),
			want: []string{"spec.containers[0] has a probe or a lifecycle hook that names a host"},
		},
		"processes shared between containers": {
			give: phitest.Pod("app").With(func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = ptr.To(true) }),
			want: []string{"spec.shareProcessNamespace is true"},
		},
		"root in a user namespace of its own is no root, as Pod Security says": {
			give: phitest.Pod("app").With(func(p *corev1.Pod) {
				p.Spec.HostUsers, p.Spec.SecurityContext.RunAsNonRoot = ptr.To(false), nil
			}),
			want: []string{"Pass: Pod Security restricted holds, and no processes are shared"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := sentences(checkHardening(control.Subject{Pod: tc.give.Obj()}))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// Whatever Pod Security refuses is refused here: taking a pod apart must not
// lose a finding.
func TestPodHardeningRefusesWhatPodSecurityRefuses(t *testing.T) {
	for name := range wordings {
		pod := phitest.Pod("app").Obj()
		whole := violated{name: "said of the whole pod only"}
		if got := restricted.place(pod, whole); len(got) != 1 || got[0].Path == "" {
			t.Errorf("%s: a fault that no part has comes to %v", name, sentences(got))
		}
	}
}
