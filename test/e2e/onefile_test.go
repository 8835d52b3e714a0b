package e2e_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A control is one file: with no other change than this one, the laws hold it, and a
// manager built with it refuses on a real API server what breaks it.
func TestAControlIsOneFile(t *testing.T) {
	if os.Getenv("E2E") == "" {
		t.Skip("this starts a cluster: run it with `make e2e`")
	}
	const id = "no-latest-tag"
	overlay := overlaid(t, "internal/control/catalog/no_latest_tag.go", "testdata/no_latest_tag.go.txt")
	// Its golden texts and its page are written from it: `UPDATE=1 go test` and `make docs`.
	laws := "TestEveryControlIsLawful/" + id + "/(descriptor|example|finds|acts|pure|evidence)"
	if out := withOverlay(t, overlay, "test", "-count=1", "-v", "-run", laws, "../../internal/control/catalog"); !strings.Contains(out, "--- PASS: TestEveryControlIsLawful/"+id+"/finds_an_image") {
		t.Errorf("the laws do not hold the new control:\n%s", out)
	}
	out := withOverlay(t, overlay, "test", "-count=1", "-v", "-run", "TestEndToEnd", ".", "-ginkgo.v", "-ginkgo.focus", "A violation of "+id)
	if !strings.Contains(out, "of "+id+" is refused: an image by the tag latest") || !strings.Contains(out, "3 Passed") {
		t.Errorf("nothing is refused with the new control:\n%s", out)
	}
}

// overlaid writes for the go command that a file of the repository has the content
// of another.
func overlaid(t *testing.T, file, content string) string {
	t.Helper()
	absolute := func(path string) string {
		abs, err := filepath.Abs(path)
		if err != nil {
			t.Fatalf("finding %s: %v", path, err)
		}
		return abs
	}
	text, err := json.Marshal(map[string]map[string]string{"Replace": {absolute(filepath.Join(root, file)): absolute(content)}})
	if err != nil {
		t.Fatalf("encoding the overlay: %v", err)
	}
	path := filepath.Join(t.TempDir(), "overlay.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatalf("writing the overlay: %v", err)
	}
	return path
}

// withOverlay runs the go command, and all that it runs, over the overlay.
func withOverlay(t *testing.T, overlay string, arguments ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "go", arguments...)
	command.Env = append(os.Environ(), "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -overlay="+overlay))
	out, err := command.CombinedOutput()
	if err != nil {
		t.Fatalf("go %s: %v\n%s", strings.Join(arguments, " "), err, out)
	}
	return string(out)
}
