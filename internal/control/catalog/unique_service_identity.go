package catalog

import (
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "unique-service-identity",
	Title:    "Give each PHI workload an identity of its own",
	Cites:    []hipaa.Citation{hipaa.UniqueUserIdentification, hipaa.EntityAuthentication},
	Severity: control.High,
	Since:    1,
	Why: "Rights, certificates and the API server's audit log go by ServiceAccount. Two applications under one are one to all of them: each " +
		"has the other's rights, and nobody can tell which of them did something. The default ServiceAccount is shared by whatever names none.",
	Remedy: "create a ServiceAccount for this workload alone and name it in spec.serviceAccountName",
	Decides: "The pod decides, at admission and live alike: under the ServiceAccount default it fails, and so it does under one that a live pod " +
		"of another PHIWorkload of the namespace, or of none, runs under. Whichever of two comes later is refused; live both fail, each when " +
		"it is next looked at. What the ServiceAccount may do is least-privilege-rbac's, and that other namespaces cannot use it Kubernetes' own.",
	Parameters: []control.Parameter{{
		Path: "controls", Basis: control.BasisRegulation,
		Meaning: "The mode of this control is its only setting. The rule asks for a unique name or number for identifying and tracking each user; " +
			"that software is a user is the profile's reading.",
	}},
	Example: `apiVersion: v1
kind: Pod
metadata:
  name: patient-api
  namespace: ehr
  labels: {app: patient-api}
spec:
  serviceAccountName: patient-api
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: registry.example.org/patient-api:1.0.0
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`,
	Judges: control.Pods,
	Needs:  control.Identities,
	Check:  checkIdentity,
	Backstop: &control.Backstop{
		Faults: []control.Fault{{
			When: "variables.whole && (object.spec.?serviceAccountName.orValue('') in ['', 'default']) && " +
				"(object.spec.?serviceAccountName.orValue('') != '' || object.spec.?serviceAccount.orValue('') in ['', 'default'])",
			Says: `spec.serviceAccountName is "default"`,
		}},
		Less: "that another workload's pods run under the same ServiceAccount only the operator sees",
	},
	Satisfy: func(s *control.Subject) {
		for _, pod := range podsOf(s) {
			pod.Spec.ServiceAccountName = s.Workload.Name
		}
		s.World.Identities = map[string][]string{s.Workload.Name: nil}
	},
	Breaks: control.Breaks{
		"the default ServiceAccount":                     breaksPod(func(p *corev1.PodSpec) { p.ServiceAccountName = "" }),
		"the ServiceAccount of another workload":         sharesWith("portal"),
		"the ServiceAccount of a pod that nobody claims": sharesWith(""),
	},
})

// sharesWith lets the pod under judgement run under the ServiceAccount of another
// pod, which a workload claims or, for "", nobody.
func sharesWith(workload string) control.Break {
	return control.Break{Kind: control.Pods, Apply: func(s *control.Subject) {
		labels := unclaimed
		if workload != "" {
			labels = map[string]string{"app": workload}
		}
		s.Pod.Spec.ServiceAccountName = "shared"
		s.World.Identities["shared"] = []string{workload}
		s.World.Pods = append(s.World.Pods, &corev1.Pod{
			ObjectMeta: metav1.ObjectMeta{Name: "other", Namespace: s.Namespace.Name, Labels: labels},
			Spec:       corev1.PodSpec{ServiceAccountName: "shared"},
		})
	}}
}

func checkIdentity(s control.Subject) []control.Finding {
	if s.Pod == nil {
		return nil
	}
	account := control.ServiceAccountOf(s.Pod)
	if account == control.DefaultServiceAccount {
		return []control.Finding{control.Failed("spec.serviceAccountName", "is %q, which every pod that names none runs under", account)}
	}
	if others := s.World.Identities[account]; len(others) > 0 {
		return []control.Finding{control.Failed("spec.serviceAccountName", "is %q, which pods of %s run under as well", account, claimed(others))}
	}
	return []control.Finding{control.Met("spec.serviceAccountName", "is %q, and nobody else's", account)}
}

// claimed names workloads; "" stands for none.
func claimed(workloads []string) string {
	phrases := make([]string, len(workloads))
	for i, name := range workloads {
		phrases[i] = "PHIWorkload " + name
		if name == "" {
			phrases[i] = "no PHIWorkload"
		}
	}
	return strings.Join(phrases, ", ")
}
