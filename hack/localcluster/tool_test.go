package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runTool runs one invocation and returns its exit code and what it wrote.
func runTool(t *testing.T, env map[string]string, args ...string) (code int, out, errOut string) {
	t.Helper()
	dir := t.TempDir()
	files := map[string]*os.File{}
	for _, name := range []string{"in", "out", "err"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		files[name] = f
	}
	code = tool{
		args: args, in: files["in"], out: files["out"], err: files["err"],
		getenv: func(name string) string { return env[name] }, now: time.Now,
	}.run()
	return code, readFile(t, files["out"].Name()), readFile(t, files["err"].Name())
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func TestCommandLine(t *testing.T) {
	for name, tc := range map[string]struct {
		give     []string
		code     int
		out, err string
	}{
		"no command":                     {give: nil, code: exitUsage, err: "which command?"},
		"an unknown command":             {give: []string{"dwon"}, code: exitUsage, err: `unknown command "dwon"`},
		"help":                           {give: []string{"help"}, out: "-simulated-node"},
		"help for a command":             {give: []string{"up", "-h"}, out: "-simulated-node"},
		"up with a command":              {give: []string{"up", "--", "kubectl"}, code: exitUsage, err: "use run"},
		"run without a command":          {give: []string{"run", "--simulated-node"}, code: exitUsage, err: "needs a command"},
		"assets with arguments":          {give: []string{"assets", "all"}, code: exitUsage, err: "takes no arguments"},
		"build with arguments":           {give: []string{"build", "etcd"}, code: exitUsage, err: "takes no arguments"},
		"build with another flag":        {give: []string{"build", "--nodes"}, code: exitUsage, err: "takes no arguments but --node"},
		"down with arguments":            {give: []string{"down", "all"}, code: exitUsage, err: "takes no arguments"},
		"policies with arguments":        {give: []string{"policies", "on"}, code: exitUsage, err: "takes no arguments"},
		"policies without a cluster":     {give: []string{"policies"}, code: exitFailed, err: "reading KUBECONFIG"},
		"an image without a name":        {give: []string{"image", "app"}, code: exitUsage, err: "needs --name"},
		"an image without a program":     {give: []string{"image", "--name", "a:1"}, code: exitUsage, err: "needs a PROGRAM"},
		"an archive that is to be named": {give: []string{"image", "--archive", "a.tar", "--name", "a:1"}, code: exitUsage, err: "nothing beside --archive"},
		"an archive without a node":      {give: []string{"image", "--archive", "a.tar"}, code: exitFailed, err: containerdEnv + " is not set"},
		"an image without a node":        {give: []string{"image", "--name", "a:1", "app"}, code: exitFailed, err: containerdEnv + " is not set"},
		"an unknown flag":                {give: []string{"up", "--nodes"}, code: exitUsage, err: "not defined: -nodes"},
		"a cache that cannot be found":   {give: []string{"assets"}, code: exitFailed, err: "finding the cache"},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errOut := runTool(t, nil, tc.give...)
			if code != tc.code || !strings.Contains(out, tc.out) || !strings.Contains(errOut, tc.err) {
				t.Errorf("exit %d, out %q, err %q; want %d, %q, %q", code, out, errOut, tc.code, tc.out, tc.err)
			}
			if code != exitOK && out != "" {
				t.Errorf("standard output of a failure holds %q", out)
			}
		})
	}
}

func TestAssetsOfTheCaller(t *testing.T) {
	dir := t.TempDir()
	env := map[string]string{assetsEnv: dir}
	code, out, errOut := runTool(t, env, "assets")
	if code != exitFailed || out != "" || !strings.Contains(errOut, "has no program etcd") {
		t.Errorf("without programs: exit %d, out %q, err %q", code, out, errOut)
	}
	for _, p := range envtestComponents {
		writeFile(t, filepath.Join(dir, p.name), "program", 0o755)
	}
	code, out, errOut = runTool(t, env, "assets")
	if code != exitOK || out != dir+"\n" || errOut != "" {
		t.Errorf("exit %d, out %q, err %q; want only the folder", code, out, errOut)
	}
}

func TestAssetsPrintsOnlyTheFolder(t *testing.T) {
	fakeGo(t, "cp go.mod $out && chmod +x $out\n")
	cache := t.TempDir()
	code, out, errOut := runTool(t, map[string]string{cacheEnv: cache}, "assets")
	if code != exitOK || !strings.HasPrefix(out, filepath.Join(cache, "kubernetes", "v")) || strings.Count(out, "\n") != 1 {
		t.Errorf("exit %d, out %q", code, out)
	}
	if !strings.Contains(errOut, "built in") {
		t.Errorf("no progress on standard error: %q", errOut)
	}
}

func TestUpRefusesAnotherOnesKubeconfigBeforeBuilding(t *testing.T) {
	calls := fakeGo(t, "exit 1\n")
	path := filepath.Join(t.TempDir(), "config")
	writeFile(t, path, "apiVersion: v1\n", 0o600)
	code, _, errOut := runTool(t, map[string]string{cacheEnv: t.TempDir()}, "up", "--kubeconfig", path)
	if code != exitFailed || !strings.Contains(errOut, "was not written by this tool") || calls() != 0 {
		t.Errorf("exit %d, err %q, %d builds", code, errOut, calls())
	}
	if got := readFile(t, path); got != "apiVersion: v1\n" {
		t.Errorf("the file now holds %q", got)
	}
}

func TestStandpoint(t *testing.T) {
	module, elsewhere := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(module, "go.mod"), ownGoMod, 0o644)
	for name, tc := range map[string]struct{ here, pwd, want string }{
		"go run -C has moved us":             {here: module, pwd: elsewhere, want: elsewhere},
		"standing in the module":             {here: module, pwd: module, want: module},
		"a PWD from long ago":                {here: module, pwd: filepath.Join(elsewhere, "absent"), want: module},
		"an installed binary is where it is": {here: elsewhere, pwd: module, want: elsewhere},
		"without PWD we are where we are":    {here: module, pwd: "", want: module},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(tc.here)
			got, err := tool{getenv: func(string) string { return tc.pwd }}.standpoint()
			if err != nil {
				t.Fatal(err)
			}
			if !sameFile(t, got, tc.want) {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

func sameFile(t *testing.T, a, b string) bool {
	t.Helper()
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

func TestShellQuote(t *testing.T) {
	for give, want := range map[string]string{"/a b": "'/a b'", "it's": `'it'\''s'`, "$HOME": "'$HOME'"} {
		if got := shellQuote(give); got != want {
			t.Errorf("%s: got %s, want %s", give, got, want)
		}
	}
}
