package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
)

// impersonating is the configuration of somebody else, once the server runs.
func impersonating(user string, groups ...string) func() *rest.Config {
	return func() *rest.Config {
		config := rest.CopyConfig(apiConfig)
		config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: append([]string{"tenants", "system:authenticated"}, groups...)}
		return config
	}
}

// officer is a client of an approver who is no tenant: tenants make tokens of
// every ServiceAccount, and so could ask in the name of each.
func officer(user string) *person {
	GinkgoHelper()
	config := rest.CopyConfig(apiConfig)
	config.Impersonate = rest.ImpersonationConfig{UserName: user, Groups: []string{"approvers", "system:authenticated"}}
	return personWith(config)
}

func envtestUser(name string, groups ...string) envtest.User {
	return envtest.User{Name: name, Groups: groups}
}
