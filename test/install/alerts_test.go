package install

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy"
)

// prometheusRule is what a PrometheusRule of the Prometheus operator may hold,
// as far as ours does. It is decoded strictly.
type prometheusRule struct {
	Groups []struct {
		Name  string `json:"name"`
		Rules []rule `json:"rules"`
	} `json:"groups"`
}

type rule struct {
	Record      string            `json:"record"`
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

// foreign are the metrics of others that alerts rest on, each with where it is
// declared.
var foreign = map[string]string{
	"up":                            "Prometheus",
	"leader_election_master_status": "controller-runtime pkg/metrics",
	"controller_runtime_reconcile_errors_total":   "controller-runtime pkg/internal/controller/metrics",
	"apiserver_admission_webhook_rejection_count": "k8s.io/apiserver pkg/admission/metrics",
}

func rules(t *testing.T) []rule {
	t.Helper()
	for _, object := range build(t, "prometheus") {
		if object.GetKind() != "PrometheusRule" {
			continue
		}
		encoded, err := yaml.Marshal(object.Object["spec"])
		if err != nil {
			t.Fatalf("encoding the rules: %v", err)
		}
		var spec prometheusRule
		if err := yaml.UnmarshalStrict(encoded, &spec); err != nil {
			t.Fatalf("decoding the rules strictly: %v", err)
		}
		var found []rule
		for _, group := range spec.Groups {
			found = append(found, group.Rules...)
		}
		return found
	}
	t.Fatal("config/prometheus has no PrometheusRule")
	return nil
}

// declared are the labels of each metric of ours, from its description.
func declared(t *testing.T) map[string][]string {
	t.Helper()
	parts := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	found := map[string][]string{}
	var ofProxies collectors
	proxy.RegisterMetrics(&ofProxies)
	for _, collector := range slices.Concat(metrics.Collectors(), metrics.IssuerCollectors(), ofProxies) {
		described := make(chan *prometheus.Desc, 16)
		collector.Describe(described)
		close(described)
		for desc := range described {
			match := parts.FindStringSubmatch(desc.String())
			if match == nil {
				t.Fatalf("this description of a metric cannot be read: %s", desc)
			}
			found[match[1]] = strings.FieldsFunc(match[2], func(r rune) bool { return r == ',' })
		}
	}
	return found
}

// collectors takes what is registered.
type collectors []prometheus.Collector

func (c *collectors) Register(one prometheus.Collector) error    { *c = append(*c, one); return nil }
func (c *collectors) MustRegister(those ...prometheus.Collector) { *c = append(*c, those...) }
func (c *collectors) Unregister(prometheus.Collector) bool       { return false }

func TestAlertsParseAndRestOnMetricsThatExist(t *testing.T) {
	ours := declared(t)
	used := map[string]bool{}
	recorded := map[string]bool{}
	promQL := parser.NewParser(parser.Options{})
	for _, r := range rules(t) {
		name := r.Alert + r.Record
		expr, err := promQL.ParseExpr(r.Expr)
		if err != nil {
			t.Errorf("%s: its expression does not parse: %v", name, err)
			continue
		}
		if r.Record != "" {
			recorded[r.Record] = true
		}
		parser.Inspect(expr, func(node parser.Node, _ []parser.Node) error {
			selector, ok := node.(*parser.VectorSelector)
			if !ok {
				return nil
			}
			metric := strings.TrimSuffix(selector.Name, "_bucket")
			used[metric] = true
			of, isOurs := ours[metric]
			switch {
			case isOurs:
				checkMatchers(t, name, of, selector.LabelMatchers)
			case recorded[selector.Name] || foreign[selector.Name] != "":
			default:
				t.Errorf("%s: nobody declares %s, and no rule before it records it", name, selector.Name)
			}
			return nil
		})
	}
	for metric := range ours {
		if !used[metric] && !slices.Contains(unalerted, metric) {
			t.Errorf("no alert looks at %s; if none should, say so in this test", metric)
		}
	}
}

// unalerted are metrics to look at, not to wake for.
var unalerted = []string{
	"hipaa_operator_exceptions_in_force", "hipaa_operator_exception_uses_total", "hipaa_operator_failed_over_workloads",
	"hipaa_operator_issuer_roots", "hipaa_operator_issuer_refresh_failures_total",
	"hipaa_operator_admission_findings_total", "hipaa_operator_drift_corrected_total", "hipaa_operator_drift_correction_seconds",
	// What anybody may cause, and what passes.
	"phi_proxy_inbound_requests_total", "phi_proxy_inbound_connections", "phi_proxy_inbound_handshakes_total", "phi_proxy_inbound_refusals_total",
	"phi_proxy_inbound_uncertified_total", "phi_proxy_outbound_calls_total", "phi_proxy_names_total", "phi_proxy_egress_calls_total",
	"phi_proxy_sessions_total", "phi_proxy_session_locks_total", "phi_proxy_user_lockouts_total",
	// What the operator tells of by itself, or what comes before an end that is told.
	"phi_proxy_configuration_generation", "phi_proxy_configuration_signature_expiry_timestamp_seconds", "phi_proxy_configuration_unopened",
	"phi_proxy_certificate_failures_total", "phi_proxy_enrolments_total", "phi_proxy_names_failures_total",
}

// metricName is the label that holds the name of the metric itself.
const metricName = "__name__"

func checkMatchers(t *testing.T, name string, of []string, matchers []*labels.Matcher) {
	t.Helper()
	for _, matcher := range matchers {
		if matcher.Name == metricName {
			continue
		}
		if !slices.Contains(of, matcher.Name) {
			t.Errorf("%s: label %q is not one of %v", name, matcher.Name, of)
		}
		for value := range strings.SplitSeq(matcher.Value, "|") {
			if !slices.Contains(closed[matcher.Name], value) {
				t.Errorf("%s: %s never is %q, it is one of %q", name, matcher.Name, value, closed[matcher.Name])
			}
		}
	}
}

// closed are the values of the labels that alerts ask for.
var closed = map[string][]string{
	"mode":    {string(hipaav1.ModeOff), string(hipaav1.ModeAudit), string(hipaav1.ModeWarn), string(hipaav1.ModeEnforce)},
	"verdict": {string(hipaav1.VerdictPass), string(hipaav1.VerdictFail), string(hipaav1.VerdictUnknown), string(hipaav1.VerdictExcepted), string(hipaav1.VerdictNotApplicable)},
	"stage":   {"", string(hipaav1.StagePreviewing), string(hipaav1.StageEnforced)},
	"reply":   {control.Unclear.String(), control.OldRefused.String(), control.OldAccepted.String(), control.Closed.String(), control.Turned.String(), control.Rejected.String(), control.Answered.String()},
	"answer":  {string(hipaav1.UndeclaredPodsDeny), string(hipaav1.UndeclaredPodsWarn), string(hipaav1.UndeclaredPodsAllow)},
	"state": {
		hipaav1.ReasonInForce, "Ending", hipaav1.ReasonNoAgreement, hipaav1.ReasonNotYetEffective, hipaav1.ReasonClausesMissing, hipaav1.ReasonExpired,
		metrics.GatewayCertified, metrics.GatewayLacking,
	},
	"result": {
		string(metrics.AdmissionAllowed), string(metrics.AdmissionWarned), string(metrics.AdmissionDenied), string(metrics.AdmissionMutated), string(metrics.AdmissionError),
		string(metrics.IssuerAddress),
		string(metrics.EvictionDone), string(metrics.EvictionHeld), string(metrics.EvictionRefused), string(metrics.EvictionError),
	},
}

func TestAlertsTellWhatToDo(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if r.Record != "" {
			continue
		}
		if seen[r.Alert] || !strings.HasPrefix(r.Alert, "HIPAA") {
			t.Errorf("alert %q is there twice, or has no name of ours", r.Alert)
		}
		seen[r.Alert] = true
		if !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
			t.Errorf("%s: severity is %q", r.Alert, r.Labels["severity"])
		}
		if len(r.Annotations["summary"]) < 20 || len(r.Annotations["description"]) < 20 {
			t.Errorf("%s tells too little: %v", r.Alert, r.Annotations)
		}
		if r.For != "" {
			if d, err := time.ParseDuration(r.For); err != nil || d < time.Minute {
				t.Errorf("%s: for %q is no duration of a minute or more: %v", r.Alert, r.For, err)
			}
		}
	}
	if len(seen) == 0 {
		t.Error("there are no alerts")
	}
}

// serviceMonitor is what a ServiceMonitor may hold, as far as ours does. It is
// decoded strictly.
type serviceMonitor struct {
	Selector struct {
		MatchLabels map[string]string `json:"matchLabels"`
	} `json:"selector"`
	NamespaceSelector struct {
		MatchNames []string `json:"matchNames"`
	} `json:"namespaceSelector"`
	Endpoints []struct {
		Port            string `json:"port"`
		Path            string `json:"path"`
		Scheme          string `json:"scheme"`
		Interval        string `json:"interval"`
		BearerTokenFile string `json:"bearerTokenFile"`
		TLSConfig       struct {
			InsecureSkipVerify bool `json:"insecureSkipVerify"`
		} `json:"tlsConfig"`
	} `json:"endpoints"`
}

func monitor(t *testing.T) serviceMonitor {
	t.Helper()
	for _, object := range build(t, "prometheus") {
		if object.GetKind() != "ServiceMonitor" {
			continue
		}
		encoded, err := yaml.Marshal(object.Object["spec"])
		if err != nil {
			t.Fatalf("encoding the ServiceMonitor: %v", err)
		}
		var spec serviceMonitor
		if err := yaml.UnmarshalStrict(encoded, &spec); err != nil {
			t.Fatalf("decoding the ServiceMonitor strictly: %v", err)
		}
		return spec
	}
	t.Fatal("config/prometheus has no ServiceMonitor")
	return serviceMonitor{}
}

func TestMetricsAreScrapedFromTheServiceOfTheManager(t *testing.T) {
	m := monitor(t)
	if len(m.Selector.MatchLabels) == 0 || len(m.Endpoints) != 1 || !slices.Equal(m.NamespaceSelector.MatchNames, []string{namespace}) {
		t.Fatalf("it does not select one port of the operator's namespace: %+v", m)
	}
	if m.Endpoints[0].Scheme != "https" || m.Endpoints[0].BearerTokenFile == "" {
		t.Errorf("it does not say who it is over TLS: %+v", m.Endpoints[0])
	}
	var scraped []string
	for _, service := range all[*corev1.Service](t, "default") {
		if !matches(m.Selector.MatchLabels, service.Labels) {
			continue
		}
		for _, port := range service.Spec.Ports {
			if port.Name == m.Endpoints[0].Port {
				scraped = append(scraped, service.Name)
			}
		}
	}
	// Alerts name the job, which is the name of the Service.
	if !slices.Equal(scraped, []string{"hipaa-operator-metrics"}) {
		t.Errorf("it scrapes %v, want hipaa-operator-metrics alone", scraped)
	}
}

func matches(selector, of map[string]string) bool {
	for key, value := range selector {
		if of[key] != value {
			return false
		}
	}
	return true
}
