package injection

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy"
)

// The proxy knows what it is told, and its own ports and files are where the pod says.
func TestTheProxyTakesItsArguments(t *testing.T) {
	pod := applied(planFor(api().Obj()), apiPod().With(func(p *corev1.Pod) {
		p.Spec.Containers[0].LivenessProbe = httpGet(intstr.FromString("http"), "/h")
	}).Obj())
	command := proxy.Command(time.Now)
	if err := command.ParseFlags(proxyIn(pod).Args); err != nil {
		t.Fatal(err)
	}
	if err := command.ValidateFlagGroups(); err != nil {
		t.Error(err)
	}
	for flag, want := range map[string]string{
		"probe-port": pod.Spec.Containers[0].LivenessProbe.HTTPGet.Port.String(),
		"admin-port": proxyIn(pod).StartupProbe.HTTPGet.Port.String(),
		"resolver":   pod.Spec.DNSConfig.Nameservers[0] + ":53",
		"unsigned":   "false",
	} {
		if got := command.Flags().Lookup(flag).Value.String(); got != want {
			t.Errorf("--%s is %s by default, the pod says %s", flag, got, want)
		}
	}
	if FileConfiguration != proxy.FileConfiguration || FileSeal != proxy.FileSignature {
		t.Errorf("the ConfigMap has %s and %s, the proxy reads %s and %s", FileConfiguration, FileSeal, proxy.FileConfiguration, proxy.FileSignature)
	}
}
