// Command lint is golangci-lint with kube-api-linter compiled in, so that
// `make lint` means the same on every machine.
//
// It is a module of its own: golangci-lint is known to work with exactly the
// versions of its hundred linters that its own go.mod names, and the other
// tools of this repository would raise them.
package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/golangci/golangci-lint/v2/pkg/commands"
	"github.com/golangci/golangci-lint/v2/pkg/exitcodes"

	// The plugin registers itself under the name that .golangci.yml switches on.
	_ "sigs.k8s.io/kube-api-linter"
)

func main() {
	if err := commands.Execute(pinned()); err != nil {
		fmt.Fprintln(os.Stderr, "running golangci-lint:", err)
		os.Exit(exitcodes.Failure)
	}
}

// pinned reads the version of golangci-lint that go.mod pins. The cache of
// findings is keyed by it, so an upgrade never answers with old findings.
func pinned() commands.BuildInfo {
	info := commands.BuildInfo{Version: "unknown", Commit: "unknown", Date: "unknown"}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.GoVersion = build.GoVersion
	for _, dep := range build.Deps {
		if dep.Path == "github.com/golangci/golangci-lint/v2" {
			info.Version, info.Commit = strings.TrimPrefix(dep.Version, "v"), dep.Sum
		}
	}
	return info
}
