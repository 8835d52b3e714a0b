package main

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestEveryUser(t *testing.T) {
	for name, tc := range map[string]struct {
		give string
		want bool
	}{
		"the machine":                  {give: "         0          0 4294967295\n", want: true},
		"root of a user namespace":     {give: "         0       1000          1\n"},
		"a namespace with many users":  {give: "0 100000 65536\n"},
		"two ranges":                   {give: "0 1000 1\n1 100000 65536\n"},
		"a file that says nothing yet": {give: ""},
	} {
		t.Run(name, func(t *testing.T) {
			if got := everyUser(tc.give); got != tc.want {
				t.Errorf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestInstallPackages(t *testing.T) {
	for name, tc := range map[string]struct {
		aptGet string // a script, "" for none
		want   string // in the error, "" for none
	}{
		"without apt-get it says what to install": {want: "it needs what Debian calls "},
		"what apt-get says last is passed on": {
			aptGet: "echo 'E: Unable to locate package'; exit 100\n", want: "apt-get update: exit status 100: E: Unable to locate package",
		},
		"a package that does not bring its program": {aptGet: "exit 0\n", want: "installing did not bring it"},
	} {
		t.Run(name, func(t *testing.T) {
			shell, err := exec.LookPath("sh")
			if err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if tc.aptGet != "" {
				writeFile(t, filepath.Join(dir, "apt-get"), "#!"+shell+"\n"+tc.aptGet, 0o755)
			}
			t.Setenv("PATH", dir) // where there is no ip: iproute2 is missing at least
			var out bytes.Buffer
			wantErrorContaining(t, installPackages(t.Context(), &out), tc.want)
			if told := strings.Contains(out.String(), "iproute2"); told != (tc.aptGet != "") {
				t.Errorf("said %q", out.String())
			}
		})
	}
}
