package issuer

import (
	"flag"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestOptionsWithAGapAreRefused(t *testing.T) {
	tests := map[string]struct {
		give []string
		bad  bool
	}{
		"as they are shipped":                     {},
		"shorter in every way":                    {give: []string{"-leaf-lifetime=1h", "-intermediate-lifetime=8h", "-distribution=4h", "-grace=2h"}},
		"no namespace":                            {give: []string{"-namespace="}, bad: true},
		"a namespace that is none":                {give: []string{"-namespace=A/b"}, bad: true},
		"a trust domain with a port":              {give: []string{"-trust-domain=cluster.local:8443"}, bad: true},
		"a trust domain that is a URI":            {give: []string{"-trust-domain=spiffe://cluster.local"}, bad: true},
		"bundles that are older than they may be": {give: []string{"-distribution=24h"}, bad: true},
		"roots that are never read":               {give: []string{"-refresh=0"}, bad: true},
		"roots that are read too seldom":          {give: []string{"-refresh=48h"}, bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var o Options
			flags := flag.NewFlagSet("issuer", flag.ContinueOnError)
			o.Bind(flags)
			if err := flags.Parse(append([]string{"-namespace=hipaa-operator-system"}, test.give...)); err != nil {
				t.Fatal(err)
			}
			if err := o.complete(); (err != nil) != test.bad {
				t.Errorf("got %v", err)
			}
		})
	}
}

// The names in the server's certificate are those of the Service that is installed.
func TestTheServerIsCalledAsItsService(t *testing.T) {
	o := Options{Namespace: "hipaa-operator-system", Refresh: time.Minute}
	want := []string{"hipaa-operator-issuer.hipaa-operator-system.svc", "hipaa-operator-issuer.hipaa-operator-system.svc.cluster.local"}
	if diff := cmp.Diff(want, o.names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}
