package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCacheDir(t *testing.T) {
	for name, tc := range map[string]struct {
		give      map[string]string
		want      string
		wantError string
	}{
		"the tool's own variable wins": {
			give: map[string]string{cacheEnv: "/own", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/a"},
			want: "/own/kubernetes/v1.36.3-linux-amd64",
		},
		"then the XDG folder": {
			give: map[string]string{"XDG_CACHE_HOME": "/xdg", "HOME": "/home/a"},
			want: "/xdg/hipaa-operator/kubernetes/v1.36.3-linux-amd64",
		},
		"a relative XDG folder is ignored, as its specification says": {
			give: map[string]string{"XDG_CACHE_HOME": "xdg", "HOME": "/home/a"},
			want: "/home/a/.cache/hipaa-operator/kubernetes/v1.36.3-linux-amd64",
		},
		"a relative own variable is a mistake": {give: map[string]string{cacheEnv: "own"}, wantError: "want an absolute path"},
		"without a home there is no place":     {give: nil, wantError: "finding the cache"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cacheDir(func(n string) string { return tc.give[n] }, "v1.36.3", "linux-amd64")
			wantErrorContaining(t, err, tc.wantError)
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestCacheMissing(t *testing.T) {
	r := ownRelease(t)
	for name, tc := range map[string]struct {
		give func(t *testing.T, c cache)
		want []component
	}{
		"an empty cache lacks it": {give: func(*testing.T, cache) {}, want: []component{etcdComponent}},
		"a stored program is there": {give: func(t *testing.T, c cache) {
			writeFile(t, c.partialPath(etcdComponent), "program", 0o755)
			if err := c.store(etcdComponent); err != nil {
				t.Fatal(err)
			}
		}},
		"a program without its recipe was not finished": {
			give: func(t *testing.T, c cache) { writeFile(t, c.path(etcdComponent), "program", 0o755) },
			want: []component{etcdComponent},
		},
		"a program of another version is stale": {give: func(t *testing.T, c cache) {
			writeFile(t, c.path(etcdComponent), "program", 0o755)
			writeFile(t, c.recipePath(etcdComponent), etcdComponent.recipe(release{kubernetes: "v1.35.0", etcd: "v3.5.0"}), 0o644)
		}, want: []component{etcdComponent}},
		"a file that cannot be executed is no program": {give: func(t *testing.T, c cache) {
			writeFile(t, c.path(etcdComponent), "program", 0o644)
			writeFile(t, c.recipePath(etcdComponent), etcdComponent.recipe(r), 0o644)
		}, want: []component{etcdComponent}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cache{dir: t.TempDir(), release: r}
			tc.give(t, c)
			got := c.missing([]component{etcdComponent})
			if diff := cmp.Diff(tc.want, got, cmp.AllowUnexported(component{})); diff != "" {
				t.Errorf("missing (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRecipesDifferByVersion(t *testing.T) {
	old := release{kubernetes: "v1.35.4", etcd: "v3.6.8"}
	if etcdComponent.recipe(old) == etcdComponent.recipe(release{kubernetes: "v1.35.4", etcd: "v3.6.9"}) {
		t.Error("another etcd has the same recipe")
	}
	if kubectlComponent.recipe(old) == kubectlComponent.recipe(release{kubernetes: "v1.36.3", etcd: "v3.6.8"}) {
		t.Error("another kubectl has the same recipe")
	}
}

func TestWriteFileAtomicLeavesNothingElse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, content := range []string{"old", "new"} {
		if err := writeFileAtomic(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"file"}, names(t, dir)); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Errorf("got %q", got)
	}
	err := writeFileAtomic(filepath.Join(dir, "absent", "file"), nil, 0o600)
	wantErrorContaining(t, err, "writing file")
}

func writeFile(t *testing.T, path, content string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

// names lists a folder without the lock files, which stay on purpose.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), ".lock") {
			out = append(out, e.Name())
		}
	}
	return out
}
