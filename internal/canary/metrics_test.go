package canary

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	process = "process_start_time_seconds 1.79539490377e+09\n"
	written = `apiserver_request_total{code="200",component="apiserver",dry_run="",group="",resource="secrets",scope="resource",subresource="",verb="PATCH",version="v1"} `
	stored  = `apiserver_storage_transformation_operations_total{resource="secrets",status="OK",transformation_type="to_storage",transformer_prefix="`
)

func TestBetween(t *testing.T) {
	encrypts := stored + `k8s:enc:secretbox:v1:"} `
	tests := map[string]struct {
		before, after string
		want          []string
		inconclusive  string
	}{
		"stored under a provider, and each of its keys counts too": {
			before: process + encrypts + "4\n" + stored + "key1:\"} 4\n" + written + "1\n",
			after:  process + encrypts + "5\n" + stored + "key1:\"} 5\n" + written + "2\n", want: []string{"secretbox"},
		},
		"the first Secret of a server": {before: process, after: process + encrypts + "1\n", want: []string{"secretbox"}},
		"under a plugin, whose name has quotes and braces": {
			before: process, after: process + stored + `k8s:enc:kms:v2:a\"}{b:"} 1` + "\n", want: []string{"kms v2"},
		},
		"in the clear by configuration": {before: process, after: process + stored + "\"} 1\n", want: []string{"identity"}},
		"in the clear without one":      {before: process, after: process + written + "1\n", want: []string{"identity"}},
		"one configuration after another": {
			before: process + stored + "\"} 3\n", after: process + stored + "\"} 4\n" + encrypts + "1\n", want: []string{"identity", "secretbox"},
		},
		"another resource is encrypted": {
			before: process + strings.ReplaceAll(encrypts, "secrets", "configmaps") + "1\n",
			after:  process + strings.ReplaceAll(encrypts, "secrets", "configmaps") + "2\n" + written + "1\n", want: []string{"identity"},
		},
		"reading from storage is no storing": {
			before: process + written + "1\n",
			after:  process + strings.ReplaceAll(encrypts, "to_storage", "from_storage") + "1\n" + written + "2\n", want: []string{"identity"},
		},
		"nothing came of it": {before: process + encrypts + "4\n", after: process + encrypts + "4\n", inconclusive: "led the writing to another one"},
		"a dry run is no writing": {
			before: process, after: process + strings.ReplaceAll(written, `dry_run=""`, `dry_run="All"`) + "1\n", inconclusive: "led the writing to another one",
		},
		"custom resources of the same name are none of it": {
			before: process, after: process + strings.ReplaceAll(written, `group=""`, `group="example.org"`) + "1\n", inconclusive: "led the writing to another one",
		},
		"a refusal is no writing": {
			before: process, after: process + strings.ReplaceAll(written, `"200"`, `"403"`) + "1\n", inconclusive: "led the writing to another one",
		},
		"another process answers": {
			before: process, after: "process_start_time_seconds 1.8e+09\n" + encrypts + "1\n", inconclusive: "shares one connection out",
		},
		"a server that is too old to tell": {
			before: process, after: process + strings.ReplaceAll(encrypts, `resource="secrets",`, "") + "1\n" + written + "1\n", inconclusive: "do not tell Secrets from other resources",
		},
		"a configuration, and nothing counted": {
			before: process, after: process + `apiserver_encryption_config_controller_last_config_info{hash="sha256:3"} 1` + "\n" + written + "1\n", inconclusive: "hides metrics",
		},
		"metrics turned off":   {before: process, after: process + "disabled_metrics_total 1\n" + written + "1\n", inconclusive: "hides metrics"},
		"no metric turned off": {before: process, after: process + "disabled_metrics_total 0\n" + written + "1\n", want: []string{"identity"}},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var readings [2]*counts
			for i, text := range []string{tc.before, tc.after} {
				var err error
				if readings[i], err = count(strings.NewReader(text)); err != nil {
					t.Fatal(err)
				}
			}
			got, err := between(readings[0], readings[1])
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("providers (-want +got):\n%s", diff)
			}
			if reason, is := errors.AsType[inconclusive](err); is != (tc.inconclusive != "") || !strings.Contains(string(reason), tc.inconclusive) {
				t.Errorf("got %v, want %q", err, tc.inconclusive)
			}
		})
	}
}

// FuzzCount holds that whatever a server answers is read without a panic, and that
// nothing is counted as encrypted that does not say so.
func FuzzCount(f *testing.F) {
	f.Add(process + written + "1\n" + stored + "k8s:enc:kms:v2:plugin:\"} 1\n")
	f.Add(stored)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := count(strings.NewReader(text))
		if err != nil {
			return
		}
		for provider := range c.stored {
			if provider != "identity" && !strings.Contains(text, "k8s:enc:") {
				t.Errorf("%q is counted out of %q", provider, text)
			}
		}
	})
}
