package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCgroupsOfBothVersions(t *testing.T) {
	for name, tc := range map[string]struct {
		hierarchies []string
		controllers string
		want        []string // where the tree stands
	}{
		"version 1 has a tree in every hierarchy": {hierarchies: []string{"cpu", "memory"}, want: []string{"cpu/mine", "memory/mine"}},
		"version 2 has one":                       {controllers: "cpu memory\n", want: []string{"mine"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for _, h := range tc.hierarchies {
				mkdir(t, filepath.Join(root, h))
			}
			if tc.controllers != "" {
				writeFile(t, filepath.Join(root, "cgroup.controllers"), tc.controllers, 0o600)
			}
			before := folders(t, root)
			if err := makeCgroups(root, "/mine"); err != nil {
				t.Fatal(err)
			}
			for _, tree := range tc.want {
				mkdir(t, filepath.Join(root, tree, "kubepods"))
				mkdir(t, filepath.Join(root, tree, "kubepods", "pod1"))
			}
			if err := removeCgroups(root, "/mine"); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, folders(t, root)); diff != "" {
				t.Errorf("folders (-before +after):\n%s", diff)
			}
			if err := removeCgroups(root, "/mine"); err != nil {
				t.Errorf("nothing is left to remove: %v", err)
			}
		})
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
}

// folders lists those below root.
func folders(t *testing.T, root string) []string {
	t.Helper()
	var found []string
	err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
