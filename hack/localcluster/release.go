package main

import (
	_ "embed"
	"fmt"
	"strings"
)

// The module files travel inside the binary: they name the versions, and a build
// needs nothing else, so the tool works wherever its binary is copied to.
var (
	//go:embed go.mod
	ownGoMod string
	//go:embed go.sum
	ownGoSum string
	//go:embed node.mod
	nodeGoMod string
	//go:embed node.sum
	nodeGoSum string
)

// modules are a go.mod and its go.sum.
type modules struct{ goMod, goSum string }

// release is one set of versions that is built and run together.
type release struct {
	// Module versions, "v1.36.3".
	kubernetes, etcd, containerd, coredns string
	// own pins everything below the first two, node everything below the others.
	own, node modules
}

// parseRelease reads the versions out of the module files, so that a version stands in one place only.
func parseRelease(own, node modules) (release, error) {
	r := release{own: own, node: node}
	for _, want := range []struct {
		into         *string
		goMod, where string
		module       string
	}{
		{&r.kubernetes, own.goMod, "go.mod", kubernetesModule},
		{&r.etcd, own.goMod, "go.mod", etcdModule},
		{&r.containerd, node.goMod, "node.mod", containerdModule},
		{&r.coredns, node.goMod, "node.mod", corednsModule},
	} {
		if *want.into = requiredVersion(want.goMod, want.module); *want.into == "" {
			return release{}, fmt.Errorf("reading %s: it does not require %s", want.where, want.module)
		}
	}
	if _, _, err := majorMinor(r.kubernetes); err != nil {
		return release{}, err
	}
	return r, nil
}

// ownVersions is the release that travels in this binary.
func ownVersions() (release, error) {
	return parseRelease(modules{ownGoMod, ownGoSum}, modules{nodeGoMod, nodeGoSum})
}

// requiredVersion is the version of a module that a go.mod requires, or "".
func requiredVersion(goMod, module string) string {
	for line := range strings.Lines(goMod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) >= 2 && fields[0] == module && strings.HasPrefix(fields[1], "v") {
			return fields[1]
		}
	}
	return ""
}

// majorMinor splits "v1.36.3" into "1" and "36".
func majorMinor(version string) (major, minor string, err error) {
	parts := strings.Split(strings.TrimPrefix(version, "v"), ".")
	if len(parts) < 3 || parts[0] == "" || parts[1] == "" {
		return "", "", fmt.Errorf("reading version %q: want vMAJOR.MINOR.PATCH", version)
	}
	return parts[0], parts[1], nil
}

// linkerFlags stamps the version into Kubernetes' binaries, which would otherwise call themselves v0.0.0.
func (r release) linkerFlags() string {
	major, minor, _ := majorMinor(r.kubernetes) // parseRelease checked it
	flags := []string{"-s", "-w"}
	for _, pkg := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags,
			"-X", pkg+".gitVersion="+r.kubernetes,
			"-X", pkg+".gitMajor="+major,
			"-X", pkg+".gitMinor="+minor,
			"-X", pkg+".gitTreeState=clean")
	}
	return strings.Join(flags, " ")
}
