package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestWordsOfAName(t *testing.T) {
	for name, want := range map[string][]string{
		"":                       {},
		"SPRING_DATASOURCE_URL":  {"spring", "datasource", "url"},
		"spring.datasourceUrl":   {"spring", "datasource", "url"},
		"useSSL":                 {"use", "ssl"},
		"SSLMode":                {"ssl", "mode"},
		"jdbcURL2":               {"jdbc", "url"},
		"--db-host1--":           {"db", "host"},
		"oauth2ClientSecret":     {"oauth", "client", "secret"},
		"cfg.Servers.0.ssl":      {"cfg", "servers", "ssl"},
		"ConnectionStrings__Ehr": {"connection", "strings", "ehr"},
	} {
		if diff := cmp.Diff(want, wordsOf(name)); diff != "" {
			t.Errorf("wordsOf(%q) (-want +got):\n%s", name, diff)
		}
	}
}
