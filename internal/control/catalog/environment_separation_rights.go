package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// checkBound judges to whom rights in a namespace of production go. A namespace without
// PHIWorkloads is of no environment: tools that serve all of them run there.
func checkBound(s *control.Subject) []control.Finding {
	if own := cmp.Or(s.Workload.Spec.Environment, hipaav1.EnvironmentProduction); !isProduction(own) {
		return []control.Finding{control.NotApplicable(fmt.Sprintf("it grants rights in environment %s", own))}
	}
	var findings []control.Finding
	for i := range s.Binding.Subjects {
		subject := &s.Binding.Subjects[i]
		namespace := control.AccountNamespace(subject)
		if namespace == "" || namespace == s.Binding.Namespace {
			continue
		}
		if of := outsideProduction(s, namespace); of != "" {
			findings = append(findings, control.Failed(fmt.Sprintf("subjects[%d]", i), "lets ServiceAccounts of namespace %s, of environment %s, into production", namespace, of).
				But("take it out of subjects; what needs the right runs in a namespace of production").As(namespace))
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return []control.Finding{control.Met("", "names no ServiceAccount of another environment")}
}

// outsideProduction are the environments of a namespace in which nothing of production
// runs; empty for any other.
func outsideProduction(s *control.Subject, namespace string) string {
	stated := s.World.Environments[namespace]
	if slices.ContainsFunc(stated, isProduction) {
		return ""
	}
	names := make([]string, len(stated))
	for i, e := range stated {
		names[i] = string(e)
	}
	return strings.Join(names, ", ")
}

// grantedToTest is a binding in production to a ServiceAccount of a test environment.
func grantedToTest(s *control.Subject) {
	s.Binding.Subjects = append(s.Binding.Subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: testNamespace, Name: "lab"})
	s.World.Environments = map[string][]hipaav1.Environment{testNamespace: {hipaav1.EnvironmentTest}}
}

// testNamespace is one that Breaks know of.
const testNamespace = "sandbox"
