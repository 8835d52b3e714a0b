package main

import (
	"errors"
	"flag"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseOptions(t *testing.T) {
	for name, tc := range map[string]struct {
		give      []string
		want      options
		wantError string
	}{
		"nothing": {},
		"relative files are where the caller stands": {
			give: []string{"--kubeconfig", "bin/config", "--audit-log=/var/log/audit.log"},
			want: options{kubeconfig: "/home/a/bin/config", auditLog: "/var/log/audit.log"},
		},
		"flags end at the command": {
			give: []string{"--simulated-node", "--", "go", "test", "--runtime-config=x"},
			want: options{simulatedNode: true, command: []string{"go", "test", "--runtime-config=x"}},
		},
		"the dashes may be left out": {
			give: []string{"--print-env", "kubectl", "get", "--raw"},
			want: options{printEnv: true, command: []string{"kubectl", "get", "--raw"}},
		},
		"a real node":             {give: []string{"--node"}, want: options{node: true}},
		"policies without a node": {give: []string{"--network-policies"}, wantError: "needs --node"},
		"two kinds of nodes":      {give: []string{"--node", "--simulated-node"}, wantError: "exclude each other"},
		"an unknown flag":         {give: []string{"--nodes=3"}, wantError: "flag provided but not defined: -nodes"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseOptions(tc.give, "/home/a")
			wantErrorContaining(t, err, tc.wantError)
			if len(got.command) == 0 {
				got.command = nil
			}
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(options{})); diff != "" {
				t.Errorf("options (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := parseOptions([]string{"-h"}, "/"); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-h: got %v", err)
	}
}
