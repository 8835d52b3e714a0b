package install

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/relabel"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
)

// podMonitor is what a PodMonitor may hold, as far as ours do. It is decoded strictly.
type podMonitor struct {
	Selector          metav1.LabelSelector `json:"selector"`
	NamespaceSelector struct {
		Any        bool     `json:"any"`
		MatchNames []string `json:"matchNames"`
	} `json:"namespaceSelector"`
	PodMetricsEndpoints []struct {
		Port        string `json:"port"`
		Path        string `json:"path"`
		Scheme      string `json:"scheme"`
		Interval    string `json:"interval"`
		Relabelings []struct {
			SourceLabels []string `json:"sourceLabels"`
			Regex        string   `json:"regex"`
			TargetLabel  string   `json:"targetLabel"`
			Replacement  string   `json:"replacement"`
			Action       string   `json:"action"`
		} `json:"relabelings"`
	} `json:"podMetricsEndpoints"`
}

func podMonitors(t *testing.T) map[string]podMonitor {
	t.Helper()
	found := map[string]podMonitor{}
	for _, object := range build(t, "prometheus") {
		if object.GetKind() != "PodMonitor" {
			continue
		}
		encoded, err := yaml.Marshal(object.Object["spec"])
		if err != nil {
			t.Fatalf("encoding a PodMonitor: %v", err)
		}
		var spec podMonitor
		if err := yaml.UnmarshalStrict(encoded, &spec); err != nil {
			t.Fatalf("decoding a PodMonitor strictly: %v", err)
		}
		found[object.GetName()] = spec
	}
	return found
}

// relabelled is where Prometheus reads a container that it has found, by its own code;
// empty where it leaves it alone.
func relabelled(t *testing.T, m *podMonitor, container, address string) string {
	t.Helper()
	b := labels.NewBuilder(labels.FromStrings("__address__", address, "__meta_kubernetes_pod_container_name", container, "__meta_kubernetes_pod_ip", address))
	for _, r := range m.PodMetricsEndpoints[0].Relabelings {
		c := relabel.DefaultRelabelConfig
		c.Regex, c.TargetLabel, c.NameValidationScheme = relabel.MustNewRegexp(r.Regex), r.TargetLabel, model.UTF8Validation
		for _, name := range r.SourceLabels {
			c.SourceLabels = append(c.SourceLabels, model.LabelName(name))
		}
		if r.Replacement != "" {
			c.Replacement = r.Replacement
		}
		if r.Action != "" {
			c.Action = relabel.Action(r.Action)
		}
		if err := c.Validate(model.UTF8Validation); err != nil {
			t.Fatal(err)
		}
		if !relabel.ProcessBuilder(b, &c) {
			return ""
		}
	}
	return b.Get("__address__")
}

func TestProxiesAreReadWhereTheyCount(t *testing.T) {
	m, there := podMonitors(t)["hipaa-operator-proxies"]
	if !there || len(m.PodMetricsEndpoints) != 1 || !m.NamespaceSelector.Any {
		t.Fatalf("no PodMonitor reads proxies everywhere: %+v", m)
	}
	for name, tc := range map[string]struct{ container, address, want string }{
		"a proxy":             {injection.Name, "10.244.0.7", "10.244.0.7:15090"},
		"a proxy by IPv6":     {injection.Name, "fd00::7", "[fd00::7]:15090"},
		"the application":     {"app", "10.244.0.7", ""},
		"a name that is like": {injection.Name + "-x", "10.244.0.7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := relabelled(t, &m, tc.container, tc.address); got != tc.want {
				t.Errorf("it is read at %q, want %q", got, tc.want)
			}
		})
	}
	selector, err := metav1.LabelSelectorAsSelector(&m.Selector)
	if err != nil || !strings.Contains(selector.String(), hipaav1.LabelWorkload) {
		t.Errorf("it selects %v: %v", selector, err)
	}
	if control.ProxyAdminPort != 15090 {
		t.Errorf("proxies count at port %d", control.ProxyAdminPort)
	}
}

func TestTheGateIsReadWhereItCounts(t *testing.T) {
	m, there := podMonitors(t)["hipaa-operator-egress"]
	if !there || len(m.PodMetricsEndpoints) != 1 || !slices.Equal(m.NamespaceSelector.MatchNames, []string{namespace}) {
		t.Fatalf("no PodMonitor reads phi-egress: %+v", m)
	}
	read := 0
	for _, d := range all[*appsv1.Deployment](t, "egress") {
		if !matches(m.Selector.MatchLabels, d.Spec.Template.Labels) {
			continue
		}
		for _, port := range d.Spec.Template.Spec.Containers[0].Ports {
			if port.Name == m.PodMetricsEndpoints[0].Port && port.ContainerPort == control.ProxyAdminPort {
				read++
			}
		}
	}
	if read != 1 {
		t.Errorf("it reads %d ports of phi-egress, want one", read)
	}
}
