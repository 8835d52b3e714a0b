package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func testPlan(t *testing.T, o options) plan {
	t.Helper()
	p, err := newPlan(cache{dir: "/cache", release: ownRelease(t)}, t.TempDir(), o, certTime)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func allArgs(p plan) map[string][]string {
	return map[string][]string{
		"etcd": p.etcdArgs(), "kube-apiserver": p.apiServerArgs(),
		"kube-controller-manager": p.controllerManagerArgs(), "kube-scheduler": p.schedulerArgs(),
	}
}

func TestArguments(t *testing.T) {
	p := testPlan(t, options{auditLog: "/audit.log", runtimeConfig: "api/all=true"})
	for program, want := range map[string][]string{
		"etcd":                    {"--client-cert-auth", "--peer-client-cert-auth"},
		"kube-apiserver":          {"--authorization-mode=Node,RBAC", "--allow-privileged=true", "--bind-address=127.0.0.1", "--runtime-config=api/all=true", "--audit-log-path=/audit.log", "--audit-log-maxsize=10000"},
		"kube-controller-manager": {"--use-service-account-credentials=true", "--root-ca-file=" + p.pki.ca.cert, "--bind-address=127.0.0.1"},
		"kube-scheduler":          {"--bind-address=127.0.0.1", "--leader-elect=false"},
	} {
		t.Run(program, func(t *testing.T) {
			got := allArgs(p)[program]
			for _, w := range want {
				if !slices.Contains(got, w) {
					t.Errorf("arguments lack %s:\n%s", w, strings.Join(got, "\n"))
				}
			}
		})
	}
}

func TestArgumentsAreSound(t *testing.T) {
	p := testPlan(t, options{})
	for program, args := range allArgs(p) {
		seen := map[string]bool{}
		for _, a := range args {
			name, value, _ := strings.Cut(a, "=")
			if seen[name] || !strings.HasPrefix(name, "--") {
				t.Errorf("%s: %s is repeated or no flag", program, a)
			}
			seen[name] = true
			if strings.Contains(value, "0.0.0.0") || strings.Contains(value, "http://") {
				t.Errorf("%s: %s leaves loopback or TLS", program, a)
			}
			// Every file that is read must be there, but for those that are written later.
			if strings.HasPrefix(value, filepath.Join(p.dir, "pki")) {
				if _, err := os.Stat(value); err != nil {
					t.Errorf("%s: %s: %v", program, name, err)
				}
			}
		}
		for _, optional := range []string{"--runtime-config", "--audit-log-path", "--audit-policy-file"} {
			if seen[optional] {
				t.Errorf("%s: %s is given though nobody asked", program, optional)
			}
		}
	}
}

func TestArgumentsOfARealNode(t *testing.T) {
	p := testPlan(t, options{node: true})
	for _, want := range []string{"--bind-address=0.0.0.0", "--advertise-address=" + bridgeAddress, "--kubelet-client-certificate=" + p.pki.kubeletClient.cert} {
		if !slices.Contains(p.apiServerArgs(), want) {
			t.Errorf("kube-apiserver lacks %s", want)
		}
	}
	if slices.Contains(p.apiServerArgs(), "--endpoint-reconciler-type=none") {
		t.Error("the Service kubernetes gets no endpoints, although pods ask for it")
	}
	var network struct {
		Plugins []struct {
			Type string `json:"type"`
		} `json:"plugins"`
	}
	if err := json.Unmarshal([]byte(p.networkConfig()), &network); err != nil || len(network.Plugins) != 2 {
		t.Errorf("the CNI configuration reads as %+v, %v", network, err)
	}
	if got := p.kubeletConfig()["cgroupRoot"]; got != "/"+filepath.Base(p.dir) {
		t.Errorf("the kubelet's cgroup is %v, which does not lead back to the cluster's folder", got)
	}
	for _, want := range []string{fmt.Sprintf("BinaryName = %q", "/usr/sbin/runc"), fmt.Sprintf("sandbox = %q", pauseImage), fmt.Sprintf("conf_dir = %q", p.file("cni"))} {
		if !strings.Contains(p.containerdConfig("/usr/sbin/runc"), want) {
			t.Errorf("containerd's configuration lacks %s", want)
		}
	}
}

func TestAuditPolicyRecordsNoBodies(t *testing.T) {
	p := testPlan(t, options{})
	if err := p.writeAuditPolicy(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(p.auditPolicyPath())
	if err != nil || strings.Contains(string(content), "level: Request") || !strings.Contains(string(content), "level: Metadata") {
		t.Errorf("got %s, %v", content, err)
	}
}
