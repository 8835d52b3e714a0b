package main

import "slices"

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
)

// component is one program of the control plane and the package it is built from.
type component struct {
	name, pkg string
}

var (
	etcdComponent              = component{"etcd", etcdModule}
	apiServerComponent         = component{"kube-apiserver", kubernetesModule + "/cmd/kube-apiserver"}
	kubectlComponent           = component{"kubectl", kubernetesModule + "/cmd/kubectl"}
	controllerManagerComponent = component{"kube-controller-manager", kubernetesModule + "/cmd/kube-controller-manager"}
	schedulerComponent         = component{"kube-scheduler", kubernetesModule + "/cmd/kube-scheduler"}
)

// envtestComponents are what envtest looks for in KUBEBUILDER_ASSETS.
var envtestComponents = []component{etcdComponent, apiServerComponent, kubectlComponent}

// allComponents are what a cluster needs. The order is the build order: envtest is served first.
var allComponents = append(slices.Clip(envtestComponents),
	controllerManagerComponent, schedulerComponent)

// recipe says what a binary was made from. A cached binary with another recipe is rebuilt.
// The Go toolchain is left out on purpose: a patch release of Go is not worth six minutes here.
func (c component) recipe(r release) string {
	version := r.kubernetes
	if c == etcdComponent {
		version = r.etcd
	}
	return c.pkg + "@" + version + " CGO_ENABLED=0 -trimpath -ldflags " + r.linkerFlags() + "\n"
}
