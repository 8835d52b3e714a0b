package http1

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// spellings of a name that applications take for the same.
func spellings(name string) []string {
	return []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ToUpper(strings.ReplaceAll(name, "-", "_"))}
}

func TestNobodyClaimsToBeSomebody(t *testing.T) {
	for product, names := range claimants {
		for _, name := range names {
			whole, all := strings.CutSuffix(name, "*")
			if all {
				whole += "x"
			}
			if whole != strings.ToLower(whole) || !isToken([]byte(whole)) || len(strings.TrimSuffix(name, "*")) > maxKnown {
				t.Errorf("%s: %s would never be found", product, name)
			}
			for _, spelling := range spellings(whole) {
				if !IsClaim(spelling) {
					t.Errorf("%s: %s passes", product, spelling)
				}
			}
			if all && !IsClaim(whole+strings.Repeat("x", maxKnown)) {
				t.Errorf("%s: a long name that begins with %s passes", product, name)
			}
		}
	}
}

func TestWhatIsNoClaimPasses(t *testing.T) {
	for _, name := range []string{
		"", "x", "x-", "remote", "user-agent", "x-request-id", "x-correlation-id", "x-user-id", "x-auth-token", "x-access-token", "x-api-key",
		"x-csrf-token", "x-requested-with", "x-http-method-override", "x-amz-date", "x-ms-version", "x-goog-api-key", "cf-ray", "smile",
		"traceparent", "tracestate", "baggage", "idempotency-key", "accept", "origin", "referer", strings.Repeat("x-long-", 9),
	} {
		if IsClaim(name) {
			t.Errorf("%s is taken off", name)
		}
	}
}

// Whatever is called like a claim is one, and nothing else.
func FuzzClaims(f *testing.F) {
	f.Add("Remote_User")
	f.Add("x-authentik-\x80")
	f.Add("X-Forwarded")
	f.Fuzz(func(t *testing.T, name string) {
		folded := strings.Map(func(r rune) rune {
			switch {
			case r == '_':
				return '-'
			case 'A' <= r && r <= 'Z':
				return r | 0x20
			}
			return r
		}, name)
		want := false
		for _, names := range claimants {
			want = want || slices.ContainsFunc(names, func(claimed string) bool {
				begin, all := strings.CutSuffix(claimed, "*")
				return folded == begin || all && strings.HasPrefix(folded, begin)
			})
		}
		if isToken([]byte(name)) && IsClaim(name) != want {
			t.Errorf("%q is a claim: %t", name, !want)
		}
	})
}

// What is taken off is written down for those whose application misses it.
func TestClaimsAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../../docs/proxy.md")
	if err != nil {
		t.Fatal(err)
	}
	for product, names := range claimants {
		row := "| " + product + " | `" + strings.Join(names, "`, `") + "` |"
		if !strings.Contains(string(text), row+"\n") {
			t.Errorf("docs/proxy.md lacks the row\n%s", row)
		}
	}
}
