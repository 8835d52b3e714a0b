package control_test

import (
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

func TestNamespacesOfSubjects(t *testing.T) {
	for name, tc := range map[string]struct {
		give rbacv1.Subject
		want string
	}{
		"a ServiceAccount":                        {rbacv1.Subject{Kind: "ServiceAccount", Namespace: "lab", Name: "api"}, "lab"},
		"a ServiceAccount by its user name":       {rbacv1.Subject{Kind: "User", Name: "system:serviceaccount:lab:api"}, "lab"},
		"all ServiceAccounts of a namespace":      {rbacv1.Subject{Kind: "Group", Name: "system:serviceaccounts:lab"}, "lab"},
		"all ServiceAccounts":                     {rbacv1.Subject{Kind: "Group", Name: "system:serviceaccounts"}, ""},
		"a person":                                {rbacv1.Subject{Kind: "User", Name: "oidc:ada"}, ""},
		"a group":                                 {rbacv1.Subject{Kind: "Group", Name: "oidc:ops"}, ""},
		"a name that only begins like an account": {rbacv1.Subject{Kind: "User", Name: "system:serviceaccount:lab"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := control.AccountNamespace(&tc.give); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}
