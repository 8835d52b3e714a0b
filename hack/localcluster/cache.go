package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// cacheEnv overrides the folder below which everything this tool keeps is stored.
const cacheEnv = "HIPAA_OPERATOR_CACHE"

// cache is the folder of built programs of one release on one platform, outside the work tree.
type cache struct {
	dir     string
	release release
}

// cacheDir returns the folder for a version and a platform ("linux-amd64").
func cacheDir(getenv func(string) string, version, platform string) (string, error) {
	base, err := cacheBase(getenv)
	if err != nil {
		return "", err
	}
	return filepath.Join(base, "kubernetes", version+"-"+platform), nil
}

func cacheBase(getenv func(string) string) (string, error) {
	if own := getenv(cacheEnv); own != "" {
		if !filepath.IsAbs(own) {
			return "", errors.New("reading " + cacheEnv + ": want an absolute path")
		}
		return own, nil
	}
	// The XDG specification says to ignore a relative path.
	if xdg := getenv("XDG_CACHE_HOME"); filepath.IsAbs(xdg) {
		return filepath.Join(xdg, "hipaa-operator"), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("finding the cache: none of " + cacheEnv + ", XDG_CACHE_HOME and HOME is set to an absolute path")
	}
	return filepath.Join(home, ".cache", "hipaa-operator"), nil
}

func (c cache) path(p component) string       { return filepath.Join(c.dir, p.name) }
func (c cache) recipePath(p component) string { return filepath.Join(c.dir, "."+p.name+".recipe") }
func (c cache) lockPath(p component) string   { return filepath.Join(c.dir, "."+p.name+".lock") }

// partialPath is where a program is linked before it is moved into place.
// Only the holder of the component's lock may touch it.
func (c cache) partialPath(p component) string { return filepath.Join(c.dir, "."+p.name+".partial") }

// modulePath is the scratch module in which a program is built, under the same rule.
func (c cache) modulePath(p component) string { return filepath.Join(c.dir, "."+p.name+".module") }

// missing returns those of want that are absent, not executable, or made by another recipe.
func (c cache) missing(want []component) []component {
	var out []component
	for _, p := range want {
		if !c.has(p) {
			out = append(out, p)
		}
	}
	return out
}

func (c cache) has(p component) bool {
	recipe, err := os.ReadFile(c.recipePath(p))
	return err == nil && string(recipe) == p.recipe(c.release) && executable(c.path(p))
}

// store moves a finished program into place. The recipe is written last, so that
// a crash in between leaves a program that counts as missing, never a wrong one.
func (c cache) store(p component) error {
	if err := os.Remove(c.recipePath(p)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("replacing %s: %w", p.name, err)
	}
	if err := os.Rename(c.partialPath(p), c.path(p)); err != nil {
		return fmt.Errorf("storing %s: %w", p.name, err)
	}
	return writeFileAtomic(c.recipePath(p), []byte(p.recipe(c.release)), 0o644)
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// writeFileAtomic lets readers see the old file or the whole new one, never a part.
func writeFileAtomic(path string, content []byte, mode os.FileMode) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+strings.TrimPrefix(filepath.Base(path), ".")+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", filepath.Base(path), err)
	}
	_, writeErr := f.Write(content)
	if err := errors.Join(writeErr, f.Chmod(mode), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("writing %s: %w", filepath.Base(path), err), os.Remove(f.Name()))
	}
	return nil
}
