package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const pauseHeader = `# Written by UPDATE=1 go test ./config from config/webhook: the same webhooks, which
# do not block while the operator cannot answer. Use it when the operator is down
# and PHI namespaces must go on:
#
#   kubectl kustomize config/pause |
#     sed "s/1970-01-01T00:00:00Z/$(date -u -d '+4 hours' +%FT%TZ)/" | kubectl apply -f -
#
# Until that instant, and never for longer than seven days, the operator leaves it
# so when it comes back; without an instant it blocks again at once. The policies
# of config/admission hold all the time. To end it early, apply config/webhook.
`

// paused is a manifest of webhooks that do not block.
func paused(manifest string) string {
	_, body, _ := strings.Cut(manifest, "apiVersion:")
	body = strings.ReplaceAll("apiVersion:"+body, "failurePolicy: Fail\n", "failurePolicy: Ignore\n")
	return pauseHeader + strings.Replace(body, "  labels:\n",
		"  annotations:\n    hipaa-operator.io/paused-until: \"1970-01-01T00:00:00Z\"\n  labels:\n", 1)
}

func TestPauseIsTheWebhooksThatDoNotBlock(t *testing.T) {
	for _, name := range []string{"mutating.yaml", "validating.yaml"} {
		source, err := os.ReadFile(filepath.Join("webhook", name))
		if err != nil {
			t.Fatal(err)
		}
		want, file := paused(string(source)), filepath.Join("pause", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(file, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not made from %s; run UPDATE=1 go test ./config (-want +got):\n%s", file, name, diff)
		}
		if strings.Contains(string(got), "failurePolicy: Fail") || !strings.Contains(string(got), "paused-until") {
			t.Errorf("%s still blocks, or says nothing of its end", file)
		}
	}
}
