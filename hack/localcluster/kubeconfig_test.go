package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestKubeconfig(t *testing.T) {
	got := login{
		server: "https://127.0.0.1:20001", user: "local-cluster-admin",
		ca: []byte("authority"), cert: []byte("certificate"), key: []byte("key"),
	}.kubeconfig()
	want := kubeconfigMark + `apiVersion: v1
kind: Config
clusters:
- name: hipaa-localcluster
  cluster:
    server: https://127.0.0.1:20001
    certificate-authority-data: YXV0aG9yaXR5
users:
- name: local-cluster-admin
  user:
    client-certificate-data: Y2VydGlmaWNhdGU=
    client-key-data: a2V5
contexts:
- name: hipaa-localcluster
  context:
    cluster: hipaa-localcluster
    user: local-cluster-admin
current-context: hipaa-localcluster
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("kubeconfig (-want +got):\n%s", diff)
	}
}

func TestParseKubeconfigReadsWhatWasWritten(t *testing.T) {
	want := login{server: "https://127.0.0.1:20001", user: "admin", ca: []byte("authority"), cert: []byte("certificate"), key: []byte("key")}
	got, err := parseKubeconfig(want.kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(login{})); diff != "" {
		t.Errorf("login (-want +got):\n%s", diff)
	}
	_, err = parseKubeconfig([]byte("apiVersion: v1\nkind: Config\n"))
	wantErrorContaining(t, err, "not written by this tool")
	_, err = parseKubeconfig([]byte(kubeconfigMark + "client-key-data: ?\n"))
	wantErrorContaining(t, err, "client-key-data")
}

func TestCheckKubeconfigPath(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ours"), kubeconfigMark+"apiVersion: v1\n", 0o600)
	writeFile(t, filepath.Join(dir, "theirs"), "apiVersion: v1\n", 0o600)
	for name, tc := range map[string]struct{ give, want string }{
		"a new file":              {give: filepath.Join(dir, "new")},
		"an old file of ours":     {give: filepath.Join(dir, "ours")},
		"somebody else's file":    {give: filepath.Join(dir, "theirs"), want: "was not written by this tool"},
		"a folder":                {give: dir, want: "is a directory"},
		"a file in no folder":     {give: filepath.Join(dir, "absent", "file"), want: "is not a folder"},
		"a file below other file": {give: filepath.Join(dir, "ours", "file"), want: "writing the kubeconfig"},
	} {
		t.Run(name, func(t *testing.T) { wantErrorContaining(t, checkKubeconfigPath(tc.give), tc.want) })
	}
}

func TestRemoveKubeconfig(t *testing.T) {
	written := []byte(kubeconfigMark + "ours")
	for name, tc := range map[string]struct {
		give string
		stay bool
	}{
		"what we wrote goes":                     {give: string(written)},
		"what another cluster put there stays":   {give: kubeconfigMark + "another", stay: true},
		"what a person has put there stays":      {give: "theirs", stay: true},
		"a file that is gone already is no fuss": {},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "config")
			if tc.give != "" {
				writeFile(t, path, tc.give, 0o600)
			}
			if err := removeKubeconfig(path, written); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path); (err == nil) != tc.stay {
				t.Errorf("after removal: %v, want it to stay: %v", err, tc.stay)
			}
		})
	}
}

func TestReadLoginWithoutFiles(t *testing.T) {
	_, err := readLogin("https://127.0.0.1:1", "admin", filepath.Join(t.TempDir(), "ca"), keyPair{})
	wantErrorContaining(t, err, "reading the login of admin")
	_, err = login{user: "admin", cert: []byte("nonsense")}.client()
	wantErrorContaining(t, err, "reading the login of admin")
}
