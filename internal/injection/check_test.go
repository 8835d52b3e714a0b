package injection

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func proxyIn(p *corev1.Pod) *corev1.Container { return &p.Spec.InitContainers[0] }

func TestCheckFindsWhatIsNotAsItWasMade(t *testing.T) {
	const at = "spec.initContainers[0]."
	different := func(field string) []string { return []string{at + field + " is not what the operator gives the proxy"} }
	tests := map[string]struct {
		change func(*corev1.Pod)
		want   []string
	}{
		"nothing":             {func(*corev1.Pod) {}, nil},
		"removed":             {func(p *corev1.Pod) { p.Spec.InitContainers = nil }, []string{"spec.initContainers has no container phi-proxy"}},
		"an image":            {func(p *corev1.Pod) { proxyIn(p).Image = "registry.example.org/other:1" }, different("image")},
		"an older generation": {func(p *corev1.Pod) { proxyIn(p).Args[2] = "--minimum-generation=6" }, different("args")},
		"another workload":    {func(p *corev1.Pod) { proxyIn(p).Args[1] = "--workload-uid=other" }, different("args")},
		"one argument more":   {func(p *corev1.Pod) { proxyIn(p).Args = append(proxyIn(p).Args, "--certificates=/tmp") }, different("args")},
		"a command":           {func(p *corev1.Pod) { proxyIn(p).Command = []string{"sh"} }, different("command")},
		"a variable": {func(p *corev1.Pod) {
			proxyIn(p).Env = append(proxyIn(p).Env, corev1.EnvVar{Name: "GODEBUG", Value: "x"})
		}, different("env")},
		"variables of a Secret":      {func(p *corev1.Pod) { proxyIn(p).EnvFrom = []corev1.EnvFromSource{{Prefix: "x"}} }, different("envFrom")},
		"a privilege":                {func(p *corev1.Pod) { proxyIn(p).SecurityContext.Privileged = ptr.To(true) }, different("securityContext")},
		"the user":                   {func(p *corev1.Pod) { proxyIn(p).SecurityContext.RunAsUser = ptr.To[int64](1000) }, different("securityContext")},
		"no start-up probe":          {func(p *corev1.Pod) { proxyIn(p).StartupProbe = nil }, different("startupProbe")},
		"a hook":                     {func(p *corev1.Pod) { proxyIn(p).Lifecycle = &corev1.Lifecycle{} }, different("lifecycle")},
		"an ordinary init container": {func(p *corev1.Pod) { proxyIn(p).RestartPolicy = nil }, different("restartPolicy")},
		"less memory": {func(p *corev1.Pod) {
			proxyIn(p).Resources.Limits = corev1.ResourceList{corev1.ResourceMemory: resource.MustParse("1Mi")}
		}, different("resources")},
		"no resources":       {func(p *corev1.Pod) { proxyIn(p).Resources = corev1.ResourceRequirements{} }, different("resources")},
		"another port":       {func(p *corev1.Pod) { proxyIn(p).Ports[0].ContainerPort = 8080 }, different("ports")},
		"a port less":        {func(p *corev1.Pod) { proxyIn(p).Ports = nil }, different("ports")},
		"the API's token":    {func(p *corev1.Pod) { proxyIn(p).VolumeMounts = proxyIn(p).VolumeMounts[:1] }, different("volumeMounts")},
		"the name of a port": {func(p *corev1.Pod) { proxyIn(p).Ports[0].Name = "web" }, nil},
		"a second proxy": {func(p *corev1.Pod) { p.Spec.InitContainers = append(p.Spec.InitContainers, *proxyIn(p)) }, []string{
			"spec.initContainers[1].name is named phi-proxy, as the proxy is",
		}},
		"another ConfigMap":      {func(p *corev1.Pod) { p.Spec.Volumes[0].ConfigMap.Name = "mine" }, []string{"spec.volumes[0] has not the volume phi-proxy-config that the proxy reads"}},
		"a token for another":    {func(p *corev1.Pod) { p.Spec.Volumes[1].Projected.Sources[0].ServiceAccountToken.Audience = "x" }, []string{"spec.volumes[1] has not the volume phi-proxy-trust that the proxy reads"}},
		"no volume":              {func(p *corev1.Pod) { p.Spec.Volumes = p.Spec.Volumes[:1] }, []string{"spec.volumes has not the volume phi-proxy-trust that the proxy reads"}},
		"other roots":            {func(p *corev1.Pod) { p.Annotations[AnnotationRoots] = "mine" }, []string{annotationPath + " is not the roots that the proxy trusts first"}},
		"no annotations":         {func(p *corev1.Pod) { p.Annotations = nil }, []string{annotationPath + " is not the roots that the proxy trusts first"}},
		"the cluster's resolver": {func(p *corev1.Pod) { p.Spec.DNSPolicy = corev1.DNSClusterFirst }, []string{"spec.dnsPolicy lets the application resolve names past the proxy"}},
		"a second name server":   {func(p *corev1.Pod) { p.Spec.DNSConfig.Nameservers = append(p.Spec.DNSConfig.Nameservers, "10.96.0.10") }, []string{"spec.dnsConfig is not how names are asked of the proxy"}},
		"no sysctl":              {func(p *corev1.Pod) { p.Spec.SecurityContext = nil }, []string{"spec.securityContext.sysctls does not let the proxy listen on low ports"}},
		"a probe past it":        {func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe = httpGet(intstr.FromInt32(8080), "/h") }, []string{"spec.containers[0].livenessProbe asks the application past the proxy"}},
		"a probe that cannot be turned": {func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe = httpGet(intstr.FromString("admin"), "/h") }, []string{
			"spec.containers[0].livenessProbe names a port that its container does not have, so that the proxy cannot pass it on",
		}},
		"the name of the application's port": {func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].Name = "web" }, []string{
			`spec.containers[0].ports[0].name is "web", which leads Services to the application past the proxy`,
		}},
		"the name at another port": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{Name: "http", ContainerPort: 9090})
		}, []string{`spec.containers[0].ports[1].name is "http", as another port of the workload is, so that Services find this one instead`}},
		"a port of the node": {func(p *corev1.Pod) { p.Spec.Containers[0].Ports[0].HostPort = 8080 }, []string{`spec.containers[0].ports[0].hostPort leads to port "http" past the proxy`}},
		"the proxy's port": {func(p *corev1.Pod) {
			p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{ContainerPort: 18080}, corev1.ContainerPort{ContainerPort: 53})
		}, []string{"spec.containers[0].ports[1].containerPort is 18080, where the proxy listens", "spec.containers[0].ports[2].containerPort is 53, where the proxy listens"}},
		"shared processes":  {func(p *corev1.Pod) { p.Spec.ShareProcessNamespace = ptr.To(true) }, []string{"spec.shareProcessNamespace is true, so that every container reads the proxy's keys"}},
		"the proxy's image": {func(p *corev1.Pod) { p.Spec.Containers[0].Image = proxyIn(p).Image }, []string{"spec.containers[0].image is the image of the proxy"}},
		"the proxy's user":  {func(p *corev1.Pod) { p.Spec.Containers[0].SecurityContext.RunAsUser = ptr.To[int64](15443) }, []string{"spec.containers[0].securityContext.runAsUser is 15443, which only the proxy runs under"}},
		"the pod's user":    {func(p *corev1.Pod) { p.Spec.SecurityContext.RunAsUser = ptr.To[int64](15443) }, []string{"spec.containers[0].securityContext.runAsUser is 15443, which only the proxy runs under"}},
		"the proxy's token": {func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: trustVolume, MountPath: "/x"}}
		}, []string{"spec.containers[0].volumeMounts[0] mounts the proxy's token"}},
		"a resolver of its own": {func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "mine", MountPath: "/etc/./resolv.conf"}}
		}, []string{"spec.containers[0].volumeMounts[0] replaces what has the application ask the proxy for names"}},
		"a hosts file of its own": {func(p *corev1.Pod) {
			p.Spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "mine", MountPath: "/etc/hosts"}}
		}, []string{"spec.containers[0].volumeMounts[0] replaces what has the application ask the proxy for names"}},
		"names of the cluster in the hosts file": {func(p *corev1.Pod) {
			p.Spec.HostAliases = []corev1.HostAlias{
				{IP: "192.0.2.1", Hostnames: []string{"pacs", "pacs.hospital.example.", "lab", "db.other", "svc"}},
				{IP: "192.0.2.2", Hostnames: []string{"DB", "db.ehr.", "db.ehr.svc", "web.ehr.svc.cluster.local", "lab.lis"}},
			}
		}, []string{
			"spec.hostAliases[1].hostnames[0] is a name of the cluster, which the proxy answers for",
			"spec.hostAliases[1].hostnames[1] is a name of the cluster, which the proxy answers for",
			"spec.hostAliases[1].hostnames[2] is a name of the cluster, which the proxy answers for",
			"spec.hostAliases[1].hostnames[3] is a name of the cluster, which the proxy answers for",
			"spec.hostAliases[1].hostnames[4] is a name of the cluster, which the proxy answers for",
		}},
		"another token for the issuer": {func(p *corev1.Pod) {
			p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "mine", VolumeSource: corev1.VolumeSource{Projected: &corev1.ProjectedVolumeSource{
				Sources: []corev1.VolumeProjection{{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "vault", Path: "t"}}, {ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Audience: "issuer.hipaa-operator.io", Path: "u"}}},
			}}})
		}, []string{"spec.volumes[2].projected.sources[1].serviceAccountToken is a token by which certificates are given"}},
		"a debugger with the token": {func(p *corev1.Pod) {
			p.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
				Name: "debug", VolumeMounts: []corev1.VolumeMount{{Name: trustVolume, MountPath: "/x"}}, SecurityContext: &corev1.SecurityContext{RunAsUser: ptr.To[int64](15443)},
			}, TargetContainerName: Name}}
		}, []string{
			"spec.ephemeralContainers[0].securityContext.runAsUser is 15443, which only the proxy runs under",
			"spec.ephemeralContainers[0].targetContainerName shares the proxy's processes, and so its memory",
			"spec.ephemeralContainers[0].volumeMounts[0] mounts the proxy's token",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plan := planFor(api().To(phitest.ToWorkload("db"), phitest.ToService("lis", "lab")).Obj())
			pod := applied(plan, apiPod().Obj())
			tt.change(pod)
			expectFindings(t, tt.want, plan.Check(pod))
			if equal := len(tt.want) == 0 || tt.want[0][:min(len(at), len(tt.want[0]))] != at; len(pod.Spec.InitContainers) > 0 && equal != plan.Equal(proxyIn(pod)) {
				t.Errorf("Equal is %v, want %v", !equal, equal)
			}
		})
	}
	if findings := planFor(api().Obj()).Check(nil); findings != nil {
		t.Errorf("no pod: %v", findings)
	}
}

// What the cluster's own admission adds is no change.
func TestWhatTheClusterAddsIsInOrder(t *testing.T) {
	tests := map[string]struct {
		plan func(*Plan)
		give func(*corev1.Container)
	}{
		"AlwaysPullImages": {func(*Plan) {}, func(c *corev1.Container) { c.ImagePullPolicy = corev1.PullAlways }},
		"a LimitRange": {func(*Plan) {}, func(c *corev1.Container) {
			c.Resources.Limits[corev1.ResourceCPU], c.Resources.Requests[corev1.ResourceEphemeralStorage] = resource.MustParse("1"), resource.MustParse("1Gi")
		}},
		"a LimitRange where nothing is stated": {func(p *Plan) { p.Resources = corev1.ResourceRequirements{} }, func(c *corev1.Container) {
			c.Resources.Limits = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}
		}},
		"a user where the cluster gives them": {func(p *Plan) { p.User = nil }, func(c *corev1.Container) { c.SecurityContext.RunAsUser = ptr.To[int64](1000650000) }},
		"how /proc is mounted":                {func(*Plan) {}, func(c *corev1.Container) { c.SecurityContext.ProcMount = ptr.To(corev1.DefaultProcMount) }},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plan := planFor(api().Obj())
			tt.plan(plan)
			pod := applied(plan, apiPod().Obj())
			tt.give(proxyIn(pod))
			expectFindings(t, nil, plan.Check(pod))
			if !plan.Equal(proxyIn(pod)) {
				t.Error("is not Equal")
			}
		})
	}
}

func TestServicesThatLeadPastTheProxy(t *testing.T) {
	service := func(port corev1.ServicePort) *corev1.Service {
		s := phitest.Service("web").Selecting("app", "api").Obj()
		s.Spec.Ports = []corev1.ServicePort{port}
		return s
	}
	const found = "spec.ports[0].targetPort is 8080, which leads to the application past its proxy"
	headless := service(corev1.ServicePort{Port: 8080})
	headless.Spec.ClusterIP = corev1.ClusterIPNone
	bare := service(corev1.ServicePort{Port: 8080})
	bare.Spec.Selector = nil
	alias := service(corev1.ServicePort{Port: 8080})
	alias.Spec.Type = corev1.ServiceTypeExternalName
	tests := map[string]struct {
		give *corev1.Service
		want []string
	}{
		"by the number":                  {service(corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(8080)}), []string{found}},
		"by its own number":              {service(corev1.ServicePort{Port: 8080}), []string{found}},
		"by the name":                    {service(corev1.ServicePort{Port: 8080, TargetPort: intstr.FromString("http")}), nil},
		"by the number of the proxy":     {service(corev1.ServicePort{Port: 80, TargetPort: intstr.FromInt32(18080)}), nil},
		"to a port that is not declared": {service(corev1.ServicePort{Port: 9090}), nil},
		"by UDP":                         {service(corev1.ServicePort{Port: 8080, Protocol: corev1.ProtocolUDP}), nil},
		"without an address of its own":  {headless, nil},
		"to nobody":                      {bare, nil},
		"to another name":                {alias, nil},
		"that is not there":              {nil, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			expectFindings(t, tt.want, planFor(api().Obj()).CheckService(tt.give, []*corev1.Pod{apiPod().Obj()}))
		})
	}
	digits := phitest.Workload("api").Port("8080", 8080).Obj()
	remedies := map[string]struct {
		plan *Plan
		pods []*corev1.Pod
		want string
	}{
		"as a container calls the port":   {planFor(digits), []*corev1.Pod{apiPod().Obj()}, "name the port: targetPort: http"},
		"as the workload calls it":        {planFor(api().Obj()), nil, "name the port: targetPort: http"},
		"where nothing has a name for it": {planFor(digits), []*corev1.Pod{phitest.Pod("api").Obj()}, "name the port in the container, and by that name in targetPort"},
	}
	for name, tt := range remedies {
		t.Run("the remedy, "+name, func(t *testing.T) {
			findings := tt.plan.CheckService(service(corev1.ServicePort{Port: 8080}), tt.pods)
			if len(findings) != 1 || findings[0].Remedy != tt.want {
				t.Errorf("findings %v, want the remedy %q", findings, tt.want)
			}
		})
	}
}

func TestAPortWhereTheProxyListens(t *testing.T) {
	plan := planFor(phitest.Workload("api").Port("a", 8080).Port("b", 18080).Obj())
	expectFindings(t, []string{" belongs to a PHIWorkload that declares port 18080, where the proxy listens"}, plan.Check(applied(plan, phitest.Pod("api").Obj())))
}

func TestARunningPodIsJudgedByItsTime(t *testing.T) {
	then := planFor(api().Obj())
	pod := applied(then, apiPod().Obj())
	now := planFor(api().Obj())
	now.Generation, now.Roots, now.Former = 9, "newer", []string{now.Image}
	now.Image, now.Resources = "registry.example.org/phi-proxy:1.1.0", corev1.ResourceRequirements{}
	if len(now.Check(pod)) == 0 {
		t.Error("a new pod of an old plan has no finding")
	}
	running := now.Running(pod)
	expectFindings(t, nil, running.Check(pod))

	t.Run("an image that is not in order", func(t *testing.T) {
		pod := pod.DeepCopy()
		proxyIn(pod).Image = "registry.example.org/mine:1"
		running := now.Running(pod)
		expectFindings(t, []string{"spec.initContainers[0].image is not what the operator gives the proxy"}, running.Check(pod))
	})
	t.Run("a generation of the future", func(t *testing.T) {
		pod := pod.DeepCopy()
		proxyIn(pod).Args[2] = "--minimum-generation=10"
		running := now.Running(pod)
		expectFindings(t, []string{"spec.initContainers[0].args is not what the operator gives the proxy"}, running.Check(pod))
	})
	t.Run("no proxy", func(t *testing.T) {
		running := now.Running(apiPod().Obj())
		if len(running.Check(apiPod().Obj())) == 0 {
			t.Error("has no finding")
		}
	})
}

func TestAnUpdateLeavesTheProxyAlone(t *testing.T) {
	plan := planFor(api().Obj())
	was := applied(plan, apiPod().Obj())
	tests := map[string]struct {
		change func(*corev1.Pod)
		want   []string
	}{
		"of a label":                 {func(p *corev1.Pod) { p.Labels["x"] = "y" }, nil},
		"of the application's image": {func(p *corev1.Pod) { p.Spec.Containers[0].Image = "registry.example.org/app:2" }, nil},
		"of its image": {func(p *corev1.Pod) { proxyIn(p).Image = "registry.example.org/mine:1" }, []string{
			"spec.initContainers[0].image is not what the operator gives the proxy",
		}},
		"of its resources": {func(p *corev1.Pod) { proxyIn(p).Resources.Limits = nil }, []string{
			"spec.initContainers[0].resources is not what the operator gives the proxy",
		}},
		"of whom it trusts": {func(p *corev1.Pod) { p.Annotations[AnnotationRoots] = "mine" }, []string{
			annotationPath + " changes whom the proxy trusts while the pod runs",
		}},
		"of its place": {func(p *corev1.Pod) { p.Spec.InitContainers = nil }, []string{
			"spec.initContainers does not keep the container phi-proxy in its place",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			now := was.DeepCopy()
			tt.change(now)
			expectFindings(t, tt.want, CheckUpdate(was, now))
		})
	}
	if findings := CheckUpdate(apiPod().Obj(), was); findings != nil {
		t.Errorf("a pod without the proxy: %v", findings)
	}
	if findings := CheckUpdate(nil, was); findings != nil {
		t.Errorf("no pod before: %v", findings)
	}
}
