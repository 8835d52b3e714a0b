package main

import (
	_ "embed"
	"errors"
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
)

// release is one set of versions that is built and run together.
type release struct {
	// kubernetes and etcd are module versions, "v1.36.3".
	kubernetes, etcd string
	// goMod and goSum pin everything below them.
	goMod, goSum string
}

// parseRelease reads the versions out of a go.mod, so that a version stands in one place only.
func parseRelease(goMod, goSum string) (release, error) {
	r := release{goMod: goMod, goSum: goSum}
	for line := range strings.Lines(goMod) {
		fields := strings.Fields(strings.TrimPrefix(strings.TrimSpace(line), "require "))
		if len(fields) < 2 || !strings.HasPrefix(fields[1], "v") {
			continue
		}
		switch fields[0] {
		case kubernetesModule:
			r.kubernetes = fields[1]
		case etcdModule:
			r.etcd = fields[1]
		}
	}
	if r.kubernetes == "" || r.etcd == "" {
		return release{}, errors.New("reading go.mod: it does not require both " + kubernetesModule + " and " + etcdModule)
	}
	if _, _, err := majorMinor(r.kubernetes); err != nil {
		return release{}, err
	}
	return r, nil
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
