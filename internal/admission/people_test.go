package admission_test

import (
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

func envtestUser(name string, groups ...string) envtest.User {
	return envtest.User{Name: name, Groups: groups}
}
