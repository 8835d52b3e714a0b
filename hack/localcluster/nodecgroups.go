package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// cgroupRoot is where the kernel's cgroup hierarchies are mounted: one of version 2, or a folder of several of version 1.
const cgroupRoot = "/sys/fs/cgroup"

// cgroup is the parent of every pod's cgroup. Its name is that of the cluster's folder, so
// that whoever finds the folder of a killed run finds its cgroups too.
func (p plan) cgroup() string { return cgroupOf(p.dir) }

func cgroupOf(dir string) string { return "/" + filepath.Base(dir) }

// makeCgroups makes the parent in every hierarchy below root: the kubelet wants to find it.
func makeCgroups(root, name string) error {
	// Only version 2 has this file at the top; there a controller reaches the pods if every folder above passes it on.
	if controllers, err := os.ReadFile(filepath.Join(root, "cgroup.controllers")); err == nil {
		for controller := range strings.FieldsSeq(string(controllers)) {
			if err := os.WriteFile(filepath.Join(root, "cgroup.subtree_control"), []byte("+"+controller), 0o600); err != nil {
				return fmt.Errorf("passing the controller %s on: %w", controller, err)
			}
		}
		return os.Mkdir(filepath.Join(root, name), 0o755)
	}
	hierarchies, err := os.ReadDir(root)
	if err != nil {
		return fmt.Errorf("looking for cgroups: %w", err)
	}
	for _, h := range hierarchies {
		if !h.IsDir() {
			continue // version 1 has symbolic links for hierarchies of two names
		}
		if err := os.Mkdir(filepath.Join(root, h.Name(), name), 0o755); err != nil {
			return fmt.Errorf("making a cgroup: %w", err)
		}
	}
	return nil
}

// removeCgroups removes the trees of this name in every hierarchy below root. The kernel takes a moment
// to empty a cgroup whose processes were killed.
func removeCgroups(root, name string) error {
	var left error
	for deadline := time.After(10 * time.Second); ; {
		if left = removeCgroupsOnce(root, name); left == nil {
			return nil
		}
		select {
		case <-deadline:
			return fmt.Errorf("removing cgroups: %w", left)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func removeCgroupsOnce(root, name string) error {
	trees, err := filepath.Glob(filepath.Join(root, "*", name))
	if err != nil {
		return err
	}
	var errs []error
	for _, tree := range append(trees, filepath.Join(root, name)) {
		var folders []string
		err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
			if err == nil && entry.IsDir() {
				folders = append(folders, path)
			}
			return err
		})
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		errs = append(errs, err)
		for _, folder := range slices.Backward(folders) {
			if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
