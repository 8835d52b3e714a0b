package pki

import (
	"crypto/x509"
	"net"
	"net/url"
	"strings"
	"testing"
)

func TestParseIDHasOneSpellingOfEach(t *testing.T) {
	tests := map[string]struct {
		give string
		want ID
		bad  bool
	}{
		"a workload":                       {give: "spiffe://cluster.local/ns/ehr/sa/patient-api", want: ID{"cluster.local", Workload, "ehr", "patient-api"}},
		"a ServiceAccount with dots":       {give: "spiffe://cluster.local/ns/ehr/sa/a.b.c", want: ID{"cluster.local", Workload, "ehr", "a.b.c"}},
		"a gateway":                        {give: "spiffe://prod.example.org/ns/edge/gateway/nginx", want: ID{"prod.example.org", Gateway, "edge", "nginx"}},
		"the signer":                       {give: "spiffe://cluster.local/signer/configuration", want: ID{"cluster.local", Signer, "", "configuration"}},
		"nothing":                          {bad: true},
		"no scheme":                        {give: "cluster.local/ns/ehr/sa/a", bad: true},
		"a scheme in capitals":             {give: "SPIFFE://cluster.local/ns/ehr/sa/a", bad: true},
		"another scheme":                   {give: "https://cluster.local/ns/ehr/sa/a", bad: true},
		"no trust domain":                  {give: "spiffe:///ns/ehr/sa/a", bad: true},
		"a trust domain in capitals":       {give: "spiffe://Cluster.local/ns/ehr/sa/a", bad: true},
		"a port":                           {give: "spiffe://cluster.local:443/ns/ehr/sa/a", bad: true},
		"a user":                           {give: "spiffe://a@cluster.local/ns/ehr/sa/a", bad: true},
		"a query":                          {give: "spiffe://cluster.local/ns/ehr/sa/a?b", bad: true},
		"a fragment":                       {give: "spiffe://cluster.local/ns/ehr/sa/a#b", bad: true},
		"an escape":                        {give: "spiffe://cluster.local/ns/ehr/sa/%61", bad: true},
		"an escaped slash":                 {give: "spiffe://cluster.local/ns/ehr/sa/a%2fb", bad: true},
		"a slash at the end":               {give: "spiffe://cluster.local/ns/ehr/sa/a/", bad: true},
		"an empty segment":                 {give: "spiffe://cluster.local/ns//sa/a", bad: true},
		"a way up":                         {give: "spiffe://cluster.local/ns/ehr/sa/..", bad: true},
		"a namespace with a dot":           {give: "spiffe://cluster.local/ns/e.hr/sa/a", bad: true},
		"a namespace too long":             {give: "spiffe://cluster.local/ns/" + strings.Repeat("a", 64) + "/sa/a", bad: true},
		"a ServiceAccount too long":        {give: "spiffe://cluster.local/ns/ehr/sa/" + strings.Repeat("a.", 127) + "a", bad: true},
		"a star":                           {give: "spiffe://cluster.local/ns/ehr/sa/*", bad: true},
		"another kind":                     {give: "spiffe://cluster.local/ns/ehr/pod/a", bad: true},
		"another signer":                   {give: "spiffe://cluster.local/signer/everything", bad: true},
		"a signer in a namespace":          {give: "spiffe://cluster.local/ns/ehr/signer/configuration", bad: true},
		"longer than SPIFFE allows":        {give: "spiffe://cluster.local/ns/ehr/sa/" + strings.Repeat("a", 2048), bad: true},
		"a letter that looks like another": {give: "spiffe://cluster.local/ns/еhr/sa/a", bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := ParseID(test.give)
			if (err != nil) != test.bad {
				t.Fatalf("got %+v, %v", got, err)
			}
			if test.bad {
				return
			}
			if got != test.want || got.String() != test.give || got.uri().String() != test.give {
				t.Errorf("got %+v, written %q and %q; want %+v", got, got, got.uri(), test.want)
			}
		})
	}
}

func TestACertificateNamesExactlyOne(t *testing.T) {
	uri := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	one := uri("spiffe://cluster.local/ns/ehr/sa/a")
	tests := map[string]struct {
		give x509.Certificate
		bad  bool
	}{
		"one URI":               {give: x509.Certificate{URIs: []*url.URL{one}}},
		"none":                  {bad: true},
		"two":                   {give: x509.Certificate{URIs: []*url.URL{one, one}}, bad: true},
		"a DNS name beside":     {give: x509.Certificate{URIs: []*url.URL{one}, DNSNames: []string{"a"}}, bad: true},
		"an address beside":     {give: x509.Certificate{URIs: []*url.URL{one}, IPAddresses: []net.IP{net.IPv4zero}}, bad: true},
		"a mailbox beside":      {give: x509.Certificate{URIs: []*url.URL{one}, EmailAddresses: []string{"a@b"}}, bad: true},
		"an authority":          {give: x509.Certificate{URIs: []*url.URL{one}, IsCA: true}, bad: true},
		"a URI with a query":    {give: x509.Certificate{URIs: []*url.URL{uri("spiffe://cluster.local/ns/ehr/sa/a?")}}, bad: true},
		"a URI that is escaped": {give: x509.Certificate{URIs: []*url.URL{uri("spiffe://cluster.local/ns/ehr/sa/%61")}}, bad: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got, err := OfCertificate(&test.give); (err != nil) != test.bad {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestPatternsMatchAWorkloadOrThoseOfANamespace(t *testing.T) {
	const one, all = "spiffe://cluster.local/ns/ehr/sa/a", "spiffe://cluster.local/ns/ehr/sa/*"
	tests := map[string]struct {
		give, id string
		want     bool
	}{
		"itself":                        {one, one, true},
		"another":                       {one, "spiffe://cluster.local/ns/ehr/sa/b", false},
		"any of the namespace":          {all, "spiffe://cluster.local/ns/ehr/sa/b", true},
		"any, by the name of the star":  {all, "spiffe://cluster.local/ns/ehr/sa/0", true},
		"of another namespace":          {all, "spiffe://cluster.local/ns/lab/sa/a", false},
		"of another trust domain":       {all, "spiffe://other.local/ns/ehr/sa/a", false},
		"a gateway of the namespace":    {all, "spiffe://cluster.local/ns/ehr/gateway/a", false},
		"a gateway named exactly":       {"spiffe://cluster.local/ns/ehr/gateway/a", "spiffe://cluster.local/ns/ehr/gateway/a", true},
		"a ServiceAccount of that name": {"spiffe://cluster.local/ns/ehr/gateway/a", one, false},
		"the signer":                    {all, "spiffe://cluster.local/signer/configuration", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			pattern, err := ParsePattern(test.give)
			if err != nil || pattern.String() != test.give {
				t.Fatalf("got %v, %v", pattern, err)
			}
			id, err := ParseID(test.id)
			if err != nil {
				t.Fatal(err)
			}
			if got := pattern.Match(id); got != test.want {
				t.Errorf("got %t", got)
			}
			if (Pattern{}).Match(id) || (Pattern{}).Match(ID{}) {
				t.Error("the zero pattern matches somebody")
			}
		})
	}
	for _, bad := range []string{"*", "spiffe://cluster.local/ns/*/sa/a", "spiffe://cluster.local/ns/ehr/gateway/*", "spiffe://cluster.local/ns/ehr/sa/a*", "spiffe://*/ns/ehr/sa/a", "spiffe://cluster.local/signer/*"} {
		if got, err := ParsePattern(bad); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("spiffe://cluster.local/ns/ehr/sa/patient-api")
	f.Add("spiffe://cluster.local/ns/ehr/sa/*")
	f.Add("spiffe://cluster.local/ns/edge/gateway/nginx")
	f.Add("spiffe://cluster.local/signer/configuration")
	f.Add("spiffe://a@b:1/ns/%61/sa/..?#")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseID(text); err == nil {
			// What is read is what stands in certificates, in no other spelling.
			parsed, err := url.Parse(text)
			if err != nil || id.String() != text || parsed.String() != text || id.uri().String() != text {
				t.Fatalf("%q is read as %+v, written %q", text, id, id)
			}
		}
		if pattern, err := ParsePattern(text); err == nil && pattern.String() != text {
			t.Fatalf("%q is read as %+v, written %q", text, pattern, pattern)
		}
	})
}

func FuzzParseBundle(f *testing.F) {
	root, err := NewRoot("cluster.local", start, DefaultPlan().Root)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(Bundle{root.Certificate, root.Certificate}.PEM())
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		bundle, err := ParseBundle(text)
		if err != nil {
			return
		}
		again, err := ParseBundle(bundle.PEM())
		if err != nil || !again.Equal(bundle) || len(bundle) == 0 {
			t.Fatalf("%d roots are read again as %d, %v", len(bundle), len(again), err)
		}
	})
}

func FuzzParseRequest(f *testing.F) {
	_, request, err := NewRequest()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(request)
	f.Fuzz(func(t *testing.T, der []byte) {
		if key, err := ParseRequest(der); (key == nil) == (err == nil) {
			t.Fatalf("got %v, %v", key, err)
		}
	})
}
