package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseRelease(t *testing.T) {
	node := modules{goMod: "require (\n\tgithub.com/containerd/containerd/v2 v2.4.2\n\tgithub.com/coredns/coredns v1.15.0\n)\n"}
	for name, tc := range map[string]struct {
		give      string
		giveNode  modules
		want      [4]string
		wantError string
	}{
		"versions in a block": {
			give:     "module x\nrequire (\n\tk8s.io/kubernetes v1.36.3\n\tgo.etcd.io/etcd/server/v3 v3.6.8 // indirect\n)\n",
			giveNode: node,
			want:     [4]string{"v1.36.3", "v3.6.8", "v2.4.2", "v1.15.0"},
		},
		"versions on lines of their own": {
			give:     "require k8s.io/kubernetes v1.35.4\nrequire go.etcd.io/etcd/server/v3 v3.6.7\n",
			giveNode: node,
			want:     [4]string{"v1.35.4", "v3.6.7", "v2.4.2", "v1.15.0"},
		},
		"a module whose name only starts alike does not count": {
			give:      "require k8s.io/kubernetes/extra v1.0.0\nrequire go.etcd.io/etcd/server/v3 v3.6.7\n",
			giveNode:  node,
			wantError: "go.mod: it does not require k8s.io/kubernetes",
		},
		"a tool line is not a version": {give: "tool k8s.io/kubernetes/cmd/kubectl\n", giveNode: node, wantError: "does not require k8s.io/kubernetes"},
		"nothing":                      {give: "", giveNode: node, wantError: "does not require k8s.io/kubernetes"},
		"a version that cannot be split fails": {
			give: "require k8s.io/kubernetes v1\nrequire go.etcd.io/etcd/server/v3 v3.6.7\n", giveNode: node, wantError: `"v1"`,
		},
		"a node module without its programs fails": {
			give:      "require k8s.io/kubernetes v1.35.4\nrequire go.etcd.io/etcd/server/v3 v3.6.7\n",
			wantError: "node.mod: it does not require github.com/containerd/containerd/v2",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseRelease(modules{goMod: tc.give}, tc.giveNode)
			wantErrorContaining(t, err, tc.wantError)
			if diff := cmp.Diff(tc.want, [4]string{got.kubernetes, got.etcd, got.containerd, got.coredns}); tc.wantError == "" && diff != "" {
				t.Errorf("versions (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzParseRelease(f *testing.F) {
	f.Add(ownGoMod, nodeGoMod)
	f.Add("require k8s.io/kubernetes v..\nrequire go.etcd.io/etcd/server/v3 v", "")
	f.Fuzz(func(t *testing.T, own, node string) {
		r, err := parseRelease(modules{goMod: own}, modules{goMod: node})
		if err == nil && (r.kubernetes == "" || r.etcd == "" || r.containerd == "" || r.coredns == "" || r.linkerFlags() == "") {
			t.Errorf("accepted %q and %q as %+v", own, node, r)
		}
	})
}

// Everything that is built must be pinned by this module, all of Kubernetes at one version.
func TestOwnModuleIsConsistent(t *testing.T) {
	r := ownRelease(t)
	for _, p := range slices.Concat(allComponents, nodeComponents) {
		if p.source == "" && !strings.Contains(p.modules(r).goMod, "\n\t"+p.pkg+"\n") {
			t.Errorf("no module has a tool line for %s", p.pkg)
		}
	}
	// The file stands outside of every package, so only its tool lines keep what it imports.
	for _, line := range regexp.MustCompile(`"(github.com/[^"]+)"`).FindAllStringSubmatch(corednsSource, -1) {
		if !strings.Contains(nodeGoMod, "\n\t"+line[1]+"\n") {
			t.Errorf("node.mod has no tool line for %s, which coredns/main.go imports", line[1])
		}
	}
	staging := "v0" + strings.TrimPrefix(r.kubernetes, "v1")
	replaced := 0
	for line := range strings.Lines(ownGoMod) {
		fields := strings.Fields(line)
		if len(fields) != 4 || fields[1] != "=>" {
			continue
		}
		replaced++
		if fields[0] != fields[2] || fields[3] != staging {
			t.Errorf("replaced %s by %s %s, want itself at %s", fields[0], fields[2], fields[3], staging)
		}
	}
	if replaced < 30 {
		t.Errorf("%d modules are replaced; Kubernetes has more than 30 staging modules", replaced)
	}
}

func TestLinkerFlagsCarryTheVersion(t *testing.T) {
	got := release{kubernetes: "v1.36.3"}.linkerFlags()
	for _, want := range []string{
		"-X k8s.io/component-base/version.gitVersion=v1.36.3",
		"-X k8s.io/component-base/version.gitMajor=1",
		"-X k8s.io/component-base/version.gitMinor=36",
		"-X k8s.io/client-go/pkg/version.gitVersion=v1.36.3",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("flags %q lack %q", got, want)
		}
	}
}

func ownRelease(t *testing.T) release {
	t.Helper()
	r, err := ownVersions()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// wantErrorContaining fails unless err says text; an empty text wants no error.
func wantErrorContaining(t *testing.T, err error, text string) {
	t.Helper()
	switch {
	case text == "" && err != nil:
		t.Errorf("got error %q, want none", err)
	case text != "" && err == nil:
		t.Errorf("got no error, want one with %q", text)
	case text != "" && !strings.Contains(err.Error(), text):
		t.Errorf("got error %q, want one with %q", err, text)
	}
}
