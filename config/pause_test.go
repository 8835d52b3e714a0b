package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const pauseHeader = `# Written by UPDATE=1 go test ./config from config/webhook and config/backstop: the
# same webhooks, which do not block while the operator cannot answer, and the same
# binding, which warns. Use it when the operator is down and PHI namespaces must go on:
#
#   kubectl kustomize config/pause |
#     sed "s/1970-01-01T00:00:00Z/$(date -u -d '+4 hours' +%FT%TZ)/" | kubectl apply -f -
#
# Until that instant, and never for longer than seven days, the operator leaves it
# so when it comes back; without an instant it blocks again at once. The policies
# of config/admission hold all the time. To end it early, apply config/webhook and
# config/backstop.
`

// paused is a manifest of webhooks that do not block.
func paused(manifest string) string {
	_, body, _ := strings.Cut(manifest, "apiVersion:")
	body = strings.ReplaceAll("apiVersion:"+body, "failurePolicy: Fail\n", "failurePolicy: Ignore\n")
	body = strings.Replace(body, "  validationActions:\n  - Deny\n", "  validationActions:\n  - Warn\n", 1)
	return pauseHeader + strings.Replace(body, "  labels:\n",
		"  annotations:\n    hipaa-operator.io/paused-until: \"1970-01-01T00:00:00Z\"\n  labels:\n", 1)
}

// binding is the second half of a policy's manifest.
func binding(manifest string) string {
	_, after, _ := strings.Cut(manifest, "\n---\n")
	return after
}

func TestPauseIsWhatBlocksWithoutBlocking(t *testing.T) {
	for name, source := range map[string]string{
		"mutating.yaml": read(t, "webhook", "mutating.yaml"), "validating.yaml": read(t, "webhook", "validating.yaml"),
		"backstop-pods.yaml": binding(read(t, "backstop", "pods.yaml")), "backstop-services.yaml": binding(read(t, "backstop", "services.yaml")),
		"backstop-roles.yaml": binding(read(t, "backstop", "roles.yaml")), "backstop-rolebindings.yaml": binding(read(t, "backstop", "rolebindings.yaml")),
		"backstop-secrets.yaml": binding(read(t, "backstop", "secrets.yaml")),
	} {
		want, file := paused(source), filepath.Join("pause", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got := read(t, "pause", name)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s is not made from its source; run UPDATE=1 go test ./config (-want +got):\n%s", file, diff)
		}
		if strings.Contains(got, "failurePolicy: Fail") || strings.Contains(got, "- Deny") || !strings.Contains(got, "paused-until") {
			t.Errorf("%s still blocks, or says nothing of its end", file)
		}
	}
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
