// Command helmgen writes the templates of the Helm chart from the Kustomize
// sources. Its one promise: what the chart installs is what config/default
// installs, so nobody copies manifests by hand.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	root := flag.String("root", ".", "the project's root, where config/ and hack/ are")
	chart := flag.String("chart", "config/helm/hipaa-operator", "the chart, relative to the root")
	flag.Parse()
	if err := run(context.Background(), *root, filepath.Join(*root, *chart)); err != nil {
		fmt.Fprintln(os.Stderr, "helmgen:", err)
		os.Exit(1)
	}
}

// run writes every template, or none when one of them fails.
func run(ctx context.Context, root, chart string) error {
	sources := map[string][]byte{}
	rendered := map[string][]byte{}
	for _, t := range templates {
		if _, known := sources[t.from]; !known {
			manifests, err := read(ctx, root, t.from)
			if err != nil {
				return err
			}
			sources[t.from] = manifests
		}
		content, err := t.render(sources[t.from])
		if err != nil {
			return fmt.Errorf("rendering %s: %w", t.file, err)
		}
		rendered[t.file] = content
	}
	for file, content := range rendered {
		if err := os.WriteFile(filepath.Join(chart, "templates", file), content, 0o644); err != nil {
			return fmt.Errorf("writing the template: %w", err)
		}
	}
	return nil
}

// read gives the manifests of a file as it stands, or of a folder as the pinned
// kustomize builds it.
func read(ctx context.Context, root, from string) ([]byte, error) {
	if filepath.Ext(from) == ".yaml" {
		manifest, err := os.ReadFile(filepath.Join(root, from))
		if err != nil {
			return nil, fmt.Errorf("reading the manifest: %w", err)
		}
		return manifest, nil
	}
	build := exec.CommandContext(ctx, "go", "tool", "-modfile=hack/tools/go.mod", "kustomize", "build", from)
	build.Dir = root
	build.Stderr = os.Stderr
	built, err := build.Output()
	if err != nil {
		return nil, fmt.Errorf("building %s: %w", from, err)
	}
	return built, nil
}
