package main

import (
	"crypto/sha256"
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
	containerdModule = "github.com/containerd/containerd/v2"
	corednsModule    = "github.com/coredns/coredns"
)

// component is one program of a cluster and the package it is built from.
type component struct {
	name, pkg string
	// source is the package's one file, for programs of our own; "" for those of a module.
	source string
}

var (
	etcdComponent              = component{name: "etcd", pkg: etcdModule}
	apiServerComponent         = component{name: "kube-apiserver", pkg: kubernetesModule + "/cmd/kube-apiserver"}
	kubectlComponent           = component{name: "kubectl", pkg: kubernetesModule + "/cmd/kubectl"}
	controllerManagerComponent = component{name: "kube-controller-manager", pkg: kubernetesModule + "/cmd/kube-controller-manager"}
	schedulerComponent         = component{name: "kube-scheduler", pkg: kubernetesModule + "/cmd/kube-scheduler"}
)

// envtestComponents are what envtest looks for in KUBEBUILDER_ASSETS.
var envtestComponents = []component{etcdComponent, apiServerComponent, kubectlComponent}

// allComponents are what a cluster needs. The order is the build order: envtest is served first.
var allComponents = append(slices.Clip(envtestComponents),
	controllerManagerComponent, schedulerComponent)

var (
	//go:embed coredns/main.go
	corednsSource string
	//go:embed pause/main.go
	pauseSource string
)

var (
	kubeletComponent    = component{name: "kubelet", pkg: kubernetesModule + "/cmd/kubelet"}
	kubeProxyComponent  = component{name: "kube-proxy", pkg: kubernetesModule + "/cmd/kube-proxy"}
	containerdComponent = component{name: "containerd", pkg: containerdModule + "/cmd/containerd"}
	shimComponent       = component{name: "containerd-shim-runc-v2", pkg: containerdModule + "/cmd/containerd-shim-runc-v2"}
	ctrComponent        = component{name: "ctr", pkg: containerdModule + "/cmd/ctr"}
	corednsComponent    = component{name: "coredns", pkg: "coredns/main.go", source: corednsSource}
	pauseComponent      = component{name: "pause", pkg: "pause/main.go", source: pauseSource}
)

// nodeComponents are what a real node needs on top; they are built only when one is asked for.
var nodeComponents = []component{
	kubeletComponent, kubeProxyComponent, containerdComponent, shimComponent, ctrComponent, corednsComponent, pauseComponent,
}

// modules are the versions that c is built with.
func (c component) modules(r release) modules {
	if c == corednsComponent || strings.HasPrefix(c.pkg, containerdModule) {
		return r.node
	}
	return r.own
}

// recipe says what a binary was made from. A cached binary with another recipe is rebuilt.
// The Go toolchain is left out on purpose: a patch release of Go is not worth six minutes here.
func (c component) recipe(r release) string {
	version := r.kubernetes
	switch {
	case c == etcdComponent:
		version = r.etcd
	case strings.HasPrefix(c.pkg, containerdModule):
		version = r.containerd
	case c == corednsComponent:
		version = r.coredns
	}
	text := c.pkg + "@" + version + " CGO_ENABLED=0 -trimpath -ldflags " + r.linkerFlags() + "\n"
	if c.source != "" {
		text += fmt.Sprintf("source %x\n", sha256.Sum256([]byte(c.source)))
	}
	return text
}
