package injection

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// listed are the ports of a pod, as container name=number.
func listed(pod *corev1.Pod) []string {
	var list []string
	for _, containers := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range containers {
			for _, p := range containers[i].Ports {
				port := intstr.FromInt32(p.ContainerPort)
				list = append(list, containers[i].Name+" "+p.Name+"="+port.String())
			}
		}
	}
	return list
}

func TestNamesOfPortsMoveToTheProxy(t *testing.T) {
	tests := map[string]struct {
		workload *phitest.WorkloadBuilder
		give     *phitest.PodBuilder
		want     []string
	}{
		"the name that the container gives": {
			workload: phitest.Workload("api").Port("fhir", 8080), give: apiPod(),
			want: []string{"phi-proxy http=18080", "app =8080"},
		},
		"a port that the workload does not declare stays": {
			workload: api(), give: apiPod().Listens("metrics", 9090),
			want: []string{"phi-proxy http=18080", "app =8080", "app metrics=9090"},
		},
		"a port that no container states is called as the workload calls it": {
			workload: api(), give: phitest.Pod("api"),
			want: []string{"phi-proxy http=18080"},
		},
		"a port without a name is called as the workload calls it": {
			workload: api(), give: phitest.Pod("api").Listens("", 8080),
			want: []string{"phi-proxy http=18080", "app =8080"},
		},
		"what another port is called is not taken for it": {
			workload: api(), give: phitest.Pod("api").Listens("", 8080).Listens("http", 9090),
			want: []string{"phi-proxy =18080", "app =8080", "app http=9090"},
		},
		"a name that the API server would not take is left out": {
			workload: phitest.Workload("api").Port("8080", 8080), give: phitest.Pod("api"),
			want: []string{"phi-proxy =18080"},
		},
		"several, in the order of the workload": {
			workload: phitest.Workload("api").Port("b", 443).Port("a", 80), give: phitest.Pod("api").Listens("web", 80).Listens("tls", 443),
			want: []string{"phi-proxy tls=10443", "phi-proxy web=10080", "app =80", "app =443"},
		},
		"one name in two containers for one port": {
			workload: api(), give: apiPod().Container("other").With(func(p *corev1.Pod) {
				p.Spec.Containers[1].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
			}),
			want: []string{"phi-proxy http=18080", "app =8080", "other =8080"},
		},
		"a second name for one port stays": {
			workload: api(), give: apiPod().Container("other").With(func(p *corev1.Pod) {
				p.Spec.Containers[1].Ports = []corev1.ContainerPort{{Name: "web", ContainerPort: 8080}}
			}),
			want: []string{"phi-proxy http=18080", "app =8080", "other web=8080"},
		},
		"a port of UDP with the same number stays": {
			workload: api(), give: apiPod().With(func(p *corev1.Pod) {
				p.Spec.Containers[0].Ports = append(p.Spec.Containers[0].Ports, corev1.ContainerPort{Name: "quic", ContainerPort: 8080, Protocol: corev1.ProtocolUDP})
			}),
			want: []string{"phi-proxy http=18080", "app =8080", "app quic=8080"},
		},
		"a port of a native sidecar": {
			workload: api(), give: phitest.Pod("api").Sidecar("web").With(func(p *corev1.Pod) {
				p.Spec.InitContainers[0].Ports = []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}}
			}),
			want: []string{"phi-proxy http=18080", "web =8080"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := expectSettled(t, planFor(tt.workload.Obj()), tt.give.Obj())
			if diff := cmp.Diff(tt.want, listed(got)); diff != "" {
				t.Errorf("ports (-want +got):\n%s", diff)
			}
		})
	}
}

func httpGet(port intstr.IntOrString, path string) *corev1.Probe {
	return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: path, Port: port}}, PeriodSeconds: 7}
}

func withHeaders(p *corev1.Probe, pairs ...string) *corev1.Probe {
	for i := 0; i < len(pairs); i += 2 {
		p.HTTPGet.HTTPHeaders = append(p.HTTPGet.HTTPHeaders, corev1.HTTPHeader{Name: pairs[i], Value: pairs[i+1]})
	}
	return p
}

func TestQuestionsOfTheKubeletGoToTheProxy(t *testing.T) {
	http := intstr.FromString("http")
	tests := map[string]struct {
		give *corev1.Probe
		// want is the path at the probe port; empty where the question stays.
		want string
	}{
		"by the name of a port":               {httpGet(http, "/healthz"), "/http/8080/healthz"},
		"by its number":                       {httpGet(intstr.FromInt32(8080), "/healthz"), "/http/8080/healthz"},
		"at a port that is not moved":         {httpGet(intstr.FromString("metrics"), "/healthz"), "/http/9090/healthz"},
		"at the root":                         {httpGet(http, "/"), "/http/8080"},
		"at nothing, which is the root":       {httpGet(http, ""), "/http/8080"},
		"without the first slash":             {httpGet(http, "healthz"), "/http/8080/healthz"},
		"with a query":                        {httpGet(http, "/h?deep=1&x=%20"), "/http/8080/h~3Fdeep~3D1~26x~3D~2520"},
		"with a fragment, which nobody sends": {httpGet(http, "/h#part"), "/http/8080/h"},
		"with characters that have to escape": {httpGet(http, "/a b/~é"), "/http/8080/a~2520b/~7E~25C3~25A9"},
		"at a path that begins with two":      {httpGet(http, "/x//y/../z"), "/http/8080/x//y/../z"},
		"with headers":                        {withHeaders(httpGet(http, "/h"), "Host", "api.example", "X-Why", "a/b: c"), "/http/8080/~hHost~3Aapi.example~0AX-Why~3Aa~2Fb~3A~20c~0A/h"},
		"with headers at the root":            {withHeaders(httpGet(http, "/"), "Accept", ""), "/http/8080/~hAccept~3A~0A"},
		"with a header of two lines":          {withHeaders(httpGet(http, "/h"), "X-Why", "a\nHost: b"), ""},
		"with a header that is none":          {withHeaders(httpGet(http, "/h"), "X Why", "a"), ""},
		"by HTTPS":                            {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/h", Port: http, Scheme: "HTTPS"}}}, "/https/8080/h"},
		"by TCP":                              {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: http}}}, "/tcp/8080"},
		"by gRPC":                             {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080}}}, "/grpc/8080"},
		"by gRPC about a service":             {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{GRPC: &corev1.GRPCAction{Port: 8080, Service: ptr.To("fhir.v1/x")}}}, "/grpc/8080/fhir.v1/x"},
		"by a command":                        {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"true"}}}}, ""},
		"at another host":                     {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Host: "192.0.2.1", Port: http}}}, ""},
		"at another host by TCP":              {&corev1.Probe{ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Host: "192.0.2.1", Port: http}}}, ""},
		"at a port that is not there":         {httpGet(intstr.FromString("admin"), "/"), ""},
		"at a path that is another host":      {httpGet(http, "//192.0.2.1/x"), ""},
		"at a path that cannot be read":       {httpGet(http, "/%zz"), ""},
		"with a space in the query":           {httpGet(http, "/h?a b"), ""},
		"at what only looks like the proxy's": {httpGet(intstr.FromInt32(probePort), "/elsewhere"), "/http/15020/elsewhere"},
		"at a path longer than any may be":    {httpGet(http, "/"+strings.Repeat("é", 400)), ""},
		"with nothing to ask":                 {&corev1.Probe{}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			give := apiPod().Listens("metrics", 9090).With(func(p *corev1.Pod) { p.Spec.Containers[0].LivenessProbe = tt.give.DeepCopy() }).Obj()
			plan := planFor(api().Obj())
			got := expectSettled(t, plan, give)
			probe := got.Spec.Containers[0].LivenessProbe
			if tt.want == "" {
				if get := probe.HTTPGet; get != nil && get.Port == intstr.FromInt32(probePort) {
					t.Errorf("went to the proxy, at %s", get.Path)
				}
				if tt.give.Exec == nil && tt.give.ProbeHandler != (corev1.ProbeHandler{}) && len(plan.Check(got)) != 1 {
					t.Errorf("findings %v, want one", plan.Check(got))
				}
				return
			}
			want := &corev1.HTTPGetAction{Path: tt.want, Port: intstr.FromInt32(probePort), Scheme: corev1.URISchemeHTTP}
			if diff := cmp.Diff(want, probe.HTTPGet); diff != "" || probe.PeriodSeconds != tt.give.PeriodSeconds || probe.TCPSocket != nil || probe.GRPC != nil {
				t.Errorf("probe (-want +got):\n%s", diff)
			}
			// What a pod asks is the same read from the pod before and after.
			if diff := cmp.Diff(probesOf([]*corev1.Pod{give}), probesOf([]*corev1.Pod{got, give})); diff != "" || len(probesOf([]*corev1.Pod{give})) != 1 {
				t.Errorf("probes (-before +after):\n%s", diff)
			}
			expectFindings(t, nil, plan.Check(got))
		})
	}
}

func TestHooksGoToTheProxy(t *testing.T) {
	http := &corev1.HTTPGetAction{Path: "/drain", Port: intstr.FromString("http"), HTTPHeaders: []corev1.HTTPHeader{{Name: "X-Why", Value: "end"}}}
	give := apiPod().With(func(p *corev1.Pod) {
		p.Spec.Containers[0].Lifecycle = &corev1.Lifecycle{
			PostStart: &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{"warm"}}},
			PreStop:   &corev1.LifecycleHandler{HTTPGet: http},
		}
	}).Obj()
	plan := planFor(api().Obj())
	got := expectSettled(t, plan, give)
	want := give.Spec.Containers[0].Lifecycle.DeepCopy()
	*want.PreStop.HTTPGet = corev1.HTTPGetAction{Path: "/http/8080/~hX-Why~3Aend~0A/drain", Port: intstr.FromInt32(probePort), Scheme: corev1.URISchemeHTTP}
	if diff := cmp.Diff(want, got.Spec.Containers[0].Lifecycle); diff != "" {
		t.Errorf("hooks (-want +got):\n%s", diff)
	}
	got.Spec.Containers[0].Lifecycle.PreStop.HTTPGet.Port = intstr.FromInt32(8080)
	expectFindings(t, []string{"spec.containers[0].lifecycle.preStop asks the application past the proxy"}, plan.Check(got))
}

func TestTheProxyStandsFirst(t *testing.T) {
	give := apiPod().Sidecar("mesh").With(func(p *corev1.Pod) {
		p.Spec.InitContainers = append(p.Spec.InitContainers, corev1.Container{Name: "wait-for-database"})
	}).Obj()
	plan := planFor(api().Obj())
	got := expectSettled(t, plan, give)
	var order []string
	for i := range got.Spec.InitContainers {
		order = append(order, got.Spec.InitContainers[i].Name)
	}
	if diff := cmp.Diff([]string{Name, "mesh", "wait-for-database"}, order); diff != "" {
		t.Errorf("order (-want +got):\n%s", diff)
	}
	// Another webhook has put its own before it; called again, ours puts it right.
	got.Spec.InitContainers[0], got.Spec.InitContainers[1] = got.Spec.InitContainers[1], got.Spec.InitContainers[0]
	expectFindings(t, []string{`spec.initContainers[1] starts after "mesh", which so runs without the proxy`}, plan.Check(got))
	expectFindings(t, nil, plan.Check(applied(plan, got)))
}

func TestTheApplicationStaysAsItWas(t *testing.T) {
	give := apiPod().Volume("data", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}).With(func(p *corev1.Pod) {
		p.Spec.AutomountServiceAccountToken = nil
		p.Spec.Containers[0].Ports[0].Name = ""
	}).Obj()
	got := applied(planFor(api().Obj()), give)
	if diff := cmp.Diff(give.Spec.Containers, got.Spec.Containers); diff != "" {
		t.Errorf("containers (-before +after):\n%s", diff)
	}
	if got.Spec.AutomountServiceAccountToken != nil || !cmp.Equal(give.Spec.Volumes, got.Spec.Volumes[:1]) {
		t.Errorf("the application's token or volumes changed: %+v", got.Spec.Volumes)
	}
}

func TestNamesAreCompletedAsBefore(t *testing.T) {
	cluster := []string{"ehr.svc.cluster.local", "svc.cluster.local", "cluster.local"}
	ndots := func(value string) corev1.PodDNSConfigOption {
		return corev1.PodDNSConfigOption{Name: "ndots", Value: ptr.To(value)}
	}
	tests := map[string]struct {
		policy corev1.DNSPolicy
		give   *corev1.PodDNSConfig
		want   corev1.PodDNSConfig
	}{
		"a pod that says nothing": {
			policy: corev1.DNSClusterFirst, want: corev1.PodDNSConfig{Searches: cluster, Options: []corev1.PodDNSConfigOption{ndots("5")}},
		},
		"a pod with searches and options of its own": {
			policy: corev1.DNSClusterFirst,
			give:   &corev1.PodDNSConfig{Searches: []string{"lab.example.org", "cluster.local"}, Options: []corev1.PodDNSConfigOption{ndots("2"), {Name: "edns0"}}},
			want:   corev1.PodDNSConfig{Searches: append(cluster[:3:3], "lab.example.org"), Options: []corev1.PodDNSConfigOption{ndots("2"), {Name: "edns0"}}},
		},
		"a pod with name servers of its own": {
			policy: corev1.DNSNone, give: &corev1.PodDNSConfig{Nameservers: []string{"192.0.2.53"}},
			want: corev1.PodDNSConfig{Searches: cluster, Options: []corev1.PodDNSConfigOption{ndots("5")}},
		},
		"a pod with as many searches as there may be": {
			policy: corev1.DNSClusterFirst, give: &corev1.PodDNSConfig{Searches: searches(32)},
			want: corev1.PodDNSConfig{Searches: append(cluster[:3:3], searches(29)...), Options: []corev1.PodDNSConfigOption{ndots("5")}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			give := apiPod().With(func(p *corev1.Pod) { p.Spec.DNSPolicy, p.Spec.DNSConfig = tt.policy, tt.give }).Obj()
			got := expectSettled(t, planFor(api().Obj()), give)
			tt.want.Nameservers = []string{"127.0.0.1"}
			if diff := cmp.Diff(&tt.want, got.Spec.DNSConfig); diff != "" || got.Spec.DNSPolicy != corev1.DNSNone {
				t.Errorf("policy %s, config (-want +got):\n%s", got.Spec.DNSPolicy, diff)
			}
		})
	}
}

func searches(n int) []string {
	var list []string
	for i := range n {
		port := intstr.FromInt(i)
		list = append(list, "zone"+port.String()+".example.org")
	}
	return list
}

func TestSysctlsOfThePodStay(t *testing.T) {
	give := apiPod().With(func(p *corev1.Pod) {
		p.Spec.SecurityContext.Sysctls = []corev1.Sysctl{{Name: lowPorts, Value: "80"}, {Name: "net.ipv4.tcp_syncookies", Value: "1"}}
	}).Obj()
	got := expectSettled(t, planFor(api().Obj()), give)
	want := []corev1.Sysctl{{Name: lowPorts, Value: "0"}, {Name: "net.ipv4.tcp_syncookies", Value: "1"}}
	if diff := cmp.Diff(want, got.Spec.SecurityContext.Sysctls); diff != "" {
		t.Errorf("sysctls (-want +got):\n%s", diff)
	}
}

func TestAPodThatCannotHaveTheProxyStays(t *testing.T) {
	tests := map[string]struct {
		give *phitest.PodBuilder
		want string
	}{
		"on the node's network": {
			apiPod().With(func(p *corev1.Pod) { p.Spec.HostNetwork = true }),
			"spec.hostNetwork is true: nothing can stand before an application on the node's own network",
		},
		"of Windows": {
			apiPod().With(func(p *corev1.Pod) { p.Spec.OS = &corev1.PodOS{Name: corev1.Windows} }),
			"spec runs on Windows, where the proxy does not",
		},
		"on nodes with Windows": {
			apiPod().With(func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{"kubernetes.io/os": "windows"} }),
			"spec runs on Windows, where the proxy does not",
		},
		"with a container of its name": {
			apiPod().Container(Name), "spec.containers[1].name is named phi-proxy, as the proxy is",
		},
		"with a debugger of its name": {
			apiPod().Debugged(Name), "spec.ephemeralContainers[0].name is named phi-proxy, as the proxy is",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			plan, give := planFor(api().Obj()), tt.give.Obj()
			if diff := cmp.Diff(give, applied(plan, give)); diff != "" {
				t.Errorf("pod (-before +after):\n%s", diff)
			}
			expectFindings(t, []string{tt.want}, plan.Check(give))
		})
	}
}
