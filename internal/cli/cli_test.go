package cli_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/hipaa-operator/hipaa-operator/internal/cli"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

const (
	root    = "../.."
	samples = root + "/config/samples"
	profile = "hipaa-security-rule"
)

// result is what people and scripts see of a command.
type result struct {
	out, errors string
	code        int
}

func run(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	streams, in, out, errors := genericiooptions.NewTestIOStreams()
	in.WriteString(stdin)
	command := cli.Root(streams)
	command.SetArgs(args)
	err := command.ExecuteContext(t.Context())
	r := result{out: out.String(), errors: errors.String(), code: cli.ExitCode(err)}
	if err != nil {
		r.errors += err.Error()
	}
	return r
}

// done runs a command that has nothing to complain about.
func done(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	r := run(t, stdin, args...)
	if r.code != cli.ExitDone || r.errors != "" {
		t.Fatalf("%v ended with %d: %s", args, r.code, r.errors)
	}
	return r.out
}

func TestExitCodes(t *testing.T) {
	plain := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n"
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	for name, tt := range map[string]struct {
		stdin string
		args  []string
		code  int
		says  string
	}{
		"help":                             {args: nil, code: cli.ExitDone},
		"a flag that there is not":         {args: []string{"inject", "--wrong"}, code: cli.ExitUsage, says: "--wrong"},
		"a command that there is not":      {args: []string{"wrong"}, code: cli.ExitUsage, says: "wrong"},
		"an output that there is not":      {args: []string{"controls", "-o", "xml"}, code: cli.ExitUsage, says: "wide, json or yaml"},
		"an output that inject has not":    {args: []string{"inject", "-o", "wide"}, code: cli.ExitUsage, says: "yaml or json"},
		"standard input in place":          {args: []string{"inject", "--in-place"}, code: cli.ExitUsage, says: "-f FILE"},
		"explain what":                     {args: []string{"explain"}, code: cli.ExitUsage, says: "kubectl hipaa explain --help"},
		"explain what is not there":        {args: []string{"explain", "encryption"}, code: cli.ExitFailed, says: "volume-encryption"},
		"a file that is not there":         {args: []string{"inject", "-f", missing}, code: cli.ExitFailed, says: "missing.yaml"},
		"a directory without manifests":    {args: []string{"inject", "-f", t.TempDir()}, code: cli.ExitFailed, says: "no files named .yaml"},
		"a profile that is not shipped":    {stdin: plain, args: []string{"inject", "--profile", "x"}, code: cli.ExitFailed, says: profile},
		"input that is no manifest":        {stdin: "a: [", args: []string{"inject"}, code: cli.ExitFailed, says: "standard input, document 1"},
		"a function that gets no list":     {stdin: plain, args: []string{"inject", "--krm"}, code: cli.ExitFailed, says: "is no ResourceList"},
		"nothing to inject, which is said": {stdin: plain, args: []string{"inject"}, code: cli.ExitDone, says: "warning: nothing was injected"},
	} {
		t.Run(name, func(t *testing.T) {
			r := run(t, tt.stdin, tt.args...)
			if r.code != tt.code || !strings.Contains(r.errors, tt.says) {
				t.Errorf("ended with %d, want %d, and said %q, want %q", r.code, tt.code, r.errors, tt.says)
			}
		})
	}
}

func TestControlsAndTheirPages(t *testing.T) {
	table := done(t, "", "controls")
	wide := done(t, "", "controls", "-o", "wide")
	var asJSON []map[string]any
	if err := json.Unmarshal([]byte(done(t, "", "controls", "-o", "json")), &asJSON); err != nil {
		t.Fatal(err)
	}
	asYAML := done(t, "", "controls", "-o", "yaml")
	for i, c := range catalog.All() {
		if !strings.Contains(table, "\n"+c.ID+" ") || !strings.Contains(wide, c.Judges.String()) || asJSON[i]["id"] != c.ID || !strings.Contains(asYAML, "id: "+c.ID+"\n") {
			t.Errorf("%s is not in every list", c.ID)
		}
		page := done(t, "", "explain", c.ID)
		for _, want := range []string{strings.ToUpper(c.ID), c.Title, "WHY", c.Why, "WHAT DECIDES", "REMEDY", "EXAMPLE", c.Cites[0].String()} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s does not say %q", c.ID, want)
			}
		}
		if strings.ContainsAny(page, "\x1b`") {
			t.Errorf("the page of %s has colours, or signs of Markdown, where nobody shows them", c.ID)
		}
		for _, p := range c.Parameters {
			if setting := done(t, "", "explain", p.Path); !strings.Contains(setting, c.ID) || !strings.Contains(setting, string(p.Basis)) {
				t.Errorf("the page of %s does not name %s", p.Path, c.ID)
			}
		}
	}
}

func TestInjectFilesAndDirectories(t *testing.T) {
	folder := t.TempDir()
	copyTo(t, samples, folder)
	out := done(t, "", "inject", "-f", folder, "--profile", profile)
	before := contents(t, folder)
	if got := done(t, "", "inject", "-f", folder, "--profile", profile, "--in-place"); got != "" {
		t.Errorf("in place something was written to standard output: %q", got)
	}
	after := contents(t, folder)
	var changed []string
	for name := range before {
		if before[name] != after[name] {
			changed = append(changed, name)
		}
		if strings.Contains(after[name], "hipaa-operator.io/workload: ") && !strings.Contains(out, after[name]) {
			t.Errorf("%s is another one in place than on standard output", name)
		}
	}
	if len(changed) != 4 {
		t.Errorf("changed %v, want the four with templates", changed)
	}
	if again := done(t, "", "inject", "-f", folder, "--profile", profile); again != out {
		t.Errorf("injected again (-once +twice):\n%s", cmp.Diff(out, again))
	}
	var list struct {
		Kind  string           `json:"kind"`
		Items []map[string]any `json:"items"`
	}
	if err := json.Unmarshal([]byte(done(t, "", "inject", "-f", folder, "-o", "json", "--profile", profile)), &list); err != nil || list.Kind != "List" || len(list.Items) < 10 {
		t.Errorf("JSON has a %s of %d objects: %v", list.Kind, len(list.Items), err)
	}
}

func TestWhatNeedsNoClusterNeedsNoKubeconfig(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "kubeconfig")
	if err := os.WriteFile(broken, []byte("clusters: 5\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KUBECONFIG", broken)
	done(t, "", "inject", "-f", samples, "--profile", profile)
	if r := run(t, "", "inject", "-f", samples, "--from-cluster"); r.code != cli.ExitFailed || !strings.Contains(r.errors, "reading the kubeconfig") {
		t.Errorf("ended with %d: %s", r.code, r.errors)
	}
}

func copyTo(t *testing.T, from, to string) {
	t.Helper()
	for name, content := range contents(t, from) {
		if err := os.WriteFile(filepath.Join(to, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func contents(t *testing.T, folder string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, entry := range entries {
		if entry.IsDir() {
			continue // neither does kubectl apply -f look there
		}
		content, err := os.ReadFile(filepath.Join(folder, entry.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[entry.Name()] = string(content)
	}
	return all
}
