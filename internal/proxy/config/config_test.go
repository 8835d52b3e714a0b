package config

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"
)

const whole = `{
  "version": 1,
  "workload": {"uid": "6f1c", "namespace": "ehr", "name": "patient-api", "generation": 7},
  "trustDomain": "cluster.local",
  "tls": {"minVersion": "1.2"},
  "outageGrace": "72h",
  "refusal": {"control": "some-control", "citation": "45 CFR 164.312(e)(1)"},
  "inbound": [
    {"name": "http", "listen": 15443, "forward": 8080, "protocol": "HTTP",
     "from": [{"id": "spiffe://cluster.local/ns/ehr/sa/portal"}, {"id": "spiffe://cluster.local/ns/lab/sa/*"}],
     "limits": {"headTimeout": "5s"}},
    {"name": "db", "listen": 15432, "forward": 5432, "protocol": "TCP"}
  ],
  "probes": [
    {"path": "/app/ready", "kind": "HTTP", "port": 8080, "target": "/healthz?full", "scheme": "HTTPS"},
    {"path": "/db/ready", "kind": "TCP", "port": 5432},
    {"path": "/rpc/ready", "kind": "GRPC", "port": 9090, "service": "patients"}
  ],
  "resolver": {"upstreams": ["10.96.0.10:53"], "forwarded": ["kubernetes.default.svc.cluster.local"]},
  "outbound": [
    {"names": ["patient-db.ehr.svc.cluster.local"], "address": "127.0.0.16", "port": 5432, "upstream": "patient-db.ehr.svc.cluster.local:5432",
     "protocol": "TCP", "trust": "Mutual", "to": [{"id": "spiffe://cluster.local/ns/ehr/sa/patient-db"}]},
    {"names": ["*.vendor.example"], "address": "127.0.0.18", "port": 443, "upstream": "phi-egress.hipaa-operator-system.svc.cluster.local:15443",
     "protocol": "HTTP", "trust": "Vendor", "to": [{"id": "spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress"}]},
    {"names": ["terms.registry.svc.cluster.local"], "address": "127.0.0.17", "port": 80, "upstream": "10.96.4.4:80", "protocol": "HTTP", "trust": "Plain"}
  ]
}`

func TestAConfigurationIsReadWhole(t *testing.T) {
	got, err := Parse([]byte(whole))
	if err != nil {
		t.Fatalf("Parse: %v", err)
	}
	want := &Configuration{
		Version:     1,
		Workload:    Workload{UID: "6f1c", Namespace: "ehr", Name: "patient-api", Generation: 7},
		TrustDomain: "cluster.local",
		TLS:         TLS{MinVersion: TLS12},
		OutageGrace: Duration(72 * time.Hour),
		Refusal:     Refusal{Control: "some-control", Citation: "45 CFR 164.312(e)(1)"},
		Inbound: []Inbound{
			{
				Name: "http", Listen: 15443, Forward: 8080, Protocol: HTTP,
				From:   []Peer{{"spiffe://cluster.local/ns/ehr/sa/portal"}, {"spiffe://cluster.local/ns/lab/sa/*"}},
				Limits: Limits{HeadTimeout: Duration(5 * time.Second)},
			},
			{Name: "db", Listen: 15432, Forward: 5432, Protocol: TCP},
		},
		Probes: []Probe{
			{Path: "/app/ready", Kind: ProbeHTTP, Port: 8080, Target: "/healthz?full", Scheme: SchemeHTTPS},
			{Path: "/db/ready", Kind: ProbeTCP, Port: 5432},
			{Path: "/rpc/ready", Kind: ProbeGRPC, Port: 9090, Service: "patients"},
		},
		Resolver: &Resolver{Upstreams: []string{"10.96.0.10:53"}, Forwarded: []string{"kubernetes.default.svc.cluster.local"}},
		Outbound: []Outbound{
			{
				Names: []string{"patient-db.ehr.svc.cluster.local"}, Address: "127.0.0.16", Port: 5432, Upstream: "patient-db.ehr.svc.cluster.local:5432",
				Protocol: TCP, Trust: Mutual, To: []Peer{{"spiffe://cluster.local/ns/ehr/sa/patient-db"}},
			},
			{
				Names: []string{"*.vendor.example"}, Address: "127.0.0.18", Port: 443, Upstream: "phi-egress.hipaa-operator-system.svc.cluster.local:15443",
				Protocol: HTTP, Trust: Vendor, To: []Peer{{"spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress"}},
			},
			{Names: []string{"terms.registry.svc.cluster.local"}, Address: "127.0.0.17", Port: 80, Upstream: "10.96.4.4:80", Protocol: HTTP, Trust: Plain},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse (-want +got):\n%s", diff)
	}
	if got.MinTLS() != TLS12 || new(Configuration).MinTLS() != TLS13 {
		t.Errorf("MinTLS() = %s, %s", got.MinTLS(), new(Configuration).MinTLS())
	}
}

func TestWhatIsWrongIsNamedWithItsRemedy(t *testing.T) {
	for name, tc := range map[string]struct{ old, give, want string }{
		"a newer version":              {`"version": 1`, `"version": 2, "news": []`, "version: 2 was written by a newer operator; this proxy reads version 1, so roll the workload to take the newer proxy"},
		"no version":                   {`"version": 1,`, ``, "version: is 0; set 1"},
		"an unknown field":             {`"trustDomain"`, `"trust": 1, "trustDomain"`, `unknown object member name "trust"`},
		"a field in other case":        {`"trustDomain"`, `"TrustDomain"`, `unknown object member name "TrustDomain"`},
		"a field that stands twice":    {`"trustDomain"`, `"version": 1, "trustDomain"`, `duplicate object member name "version"`},
		"something after it":           {"\n  ]\n}", "\n  ]\n} {}", "after top-level value"},
		"no uid":                       {`"6f1c"`, `""`, "workload.uid: is no uid; set that of the PHIWorkload"},
		"a namespace that is none":     {`"ehr"`, `"EHR"`, "workload.namespace: is no name of a namespace; set that of the PHIWorkload"},
		"a name that is none":          {`"patient-api"`, `"a/b"`, "workload.name: is no name; set that of the PHIWorkload"},
		"no generation":                {`"generation": 7`, `"generation": 0`, "workload.generation: is 0; set the generation, which begins at 1"},
		"no trust domain":              {`"trustDomain": "cluster.local"`, `"trustDomain": "Cluster/local"`, "trustDomain: is no trust domain; set one of lower-case letters, digits, dots and dashes, such as cluster.local"},
		"an old TLS":                   {`"1.2"`, `"1.1"`, "tls.minVersion: is neither 1.3 nor 1.2; set one of them"},
		"a grace that is no time":      {`"72h"`, `"three days"`, "is no duration such as 15m or 72h"},
		"a grace without end":          {`"72h"`, `"10000h"`, "outageGrace: is 10000h0m0s; set at most 720h0m0s, or nothing"},
		"a negative grace":             {`"72h"`, `"-1h"`, "outageGrace: is -1h0m0s; set at most 720h0m0s, or nothing"},
		"no control":                   {`"some-control"`, `""`, "refusal.control: names no control; set its name"},
		"a control that breaks out":    {`"some-control"`, `"a\"b"`, "refusal.control: names no control; set its name"},
		"no citation":                  {`"45 CFR 164.312(e)(1)"`, `"a\nb"`, "refusal.citation: cites nothing; set the paragraph"},
		"a port without a name":        {`"name": "http"`, `"name": ""`, "inbound[0].name: is no name of a port; set one of lower-case letters, digits and dashes"},
		"a name that stands twice":     {`"name": "db"`, `"name": "http"`, "inbound[1].name: stands twice; give each port its own"},
		"a port that is none":          {`15443`, `70000`, "inbound[0].listen: 70000 is no port; set 1 to 65535"},
		"a port that stands twice":     {`15432`, `15443`, "inbound[1].listen: 15443 stands twice; give each port its own"},
		"a proxy that calls itself":    {`8080`, `15432`, "inbound[0].forward: 15432 is a port of this proxy; set the application's"},
		"no port of the application":   {`"forward": 8080, `, ``, "inbound[0].forward: 0 is no port; set 1 to 65535"},
		"another protocol":             {`"TCP"`, `"UDP"`, "inbound[1].protocol: is none of HTTP, GRPC, TCP; set one of them"},
		"a peer of another domain":     {`spiffe://cluster.local/ns/lab/sa/*`, `spiffe://elsewhere/ns/lab/sa/*`, `inbound[0].from[1].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/sa/<name or *>`},
		"everybody":                    {`spiffe://cluster.local/ns/lab/sa/*`, `*`, `inbound[0].from[1].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/sa/<name or *>`},
		"half a name and a star":       {`spiffe://cluster.local/ns/lab/sa/*`, `spiffe://cluster.local/ns/lab/sa/a*`, `inbound[0].from[1].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/sa/<name or *>`},
		"a path that is no identity's": {`spiffe://cluster.local/ns/lab/sa/*`, `spiffe://cluster.local/lab/x`, `inbound[0].from[1].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/sa/<name or *>`},
		"a name in upper case":         {`spiffe://cluster.local/ns/lab/sa/*`, `spiffe://cluster.local/ns/lab/sa/X`, `inbound[0].from[1].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/sa/<name or *>`},
		"a path that climbs":           {`spiffe://cluster.local/ns/lab/sa/*`, `spiffe://cluster.local/ns/../sa/x`, `inbound[0].from[1].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/sa/<name or *>`},
		"a head that is too short":     {`"headTimeout": "5s"`, `"headBytes": 10`, "inbound[0].limits.headBytes: is 10; set 4096 to 65536, or nothing for the default"},
		"connections below none":       {`"headTimeout": "5s"`, `"connections": -1`, "inbound[0].limits.connections: is -1; set at most 1048576, or nothing for the default"},
		"a rate below none":            {`"headTimeout": "5s"`, `"bodyRate": -1`, "inbound[0].limits.bodyRate: is -1; set bytes a second, or nothing for the default"},
		"a wait without end":           {`"headTimeout": "5s"`, `"idleTimeout": "48h"`, "inbound[0].limits.idleTimeout: is 48h0m0s; set at most 24h0m0s, or nothing"},
		"a probe without a path":       {`"/app/ready"`, `"app"`, "probes[0].path: is no path; set one that begins with /"},
		"a probe that stands twice":    {`"/db/ready"`, `"/app/ready"`, "probes[1].path: stands twice; give each probe its own"},
		"a probe of no port":           {`"port": 8080, "target"`, `"target"`, "probes[0].port: 0 is no port; set 1 to 65535"},
		"a probe of another kind":      {`"kind": "TCP"`, `"kind": "exec"`, "probes[1].kind: is none of HTTP, TCP, GRPC; set one of them"},
		"a probe of a broken path":     {`/healthz?full`, `/a b`, "probes[0].target: is no path; set the one that the application serves"},
		"a probe of another scheme":    {`"HTTPS"`, `"https"`, "probes[0].scheme: is neither HTTP nor HTTPS; set one of them"},
		"a probe with a torn field":    {`"scheme": "HTTPS"`, `"scheme": "HTTPS", "fields": [{"name": "X-Why", "value": "a\r\nb"}]`, "probes[0].fields[0]: is no field of HTTP; set a name of letters, digits and dashes, and a value without control characters"},
		"a probe with many fields":     {`"scheme": "HTTPS"`, `"scheme": "HTTPS", "fields": [` + strings.Repeat(`{"name": "a"}, `, MaxProbeFields) + `{"name": "a"}]`, "probes[0].fields: has 17 fields; keep at most 16"},
		"a TCP probe with a path":      {`"port": 5432}`, `"port": 5432, "target": "/"}`, "probes[1].target: is of HTTP probes only; remove target, scheme and fields"},
		"a TCP probe of a service":     {`"port": 5432}`, `"port": 5432, "service": "a"}`, "probes[1].service: is of gRPC probes only, and short; remove it"},
		"no name server":               {`["10.96.0.10:53"]`, `[]`, "resolver.upstreams: has 0 name servers; set 1 to 8"},
		"a name server by name":        {`10.96.0.10:53`, `kube-dns:53`, "resolver.upstreams[0]: is no address with a port; set one such as 10.96.0.10:53"},
		"a forwarded search":           {`"kubernetes.default.svc.cluster.local"`, `"*.svc.cluster.local"`, "resolver.forwarded[0]: is no name; set one in lower case, fully qualified, without the last dot"},
		"nobody who is called":         {`["patient-db.ehr.svc.cluster.local"]`, `[]`, "outbound[0].names: has 0 names; set 1 to 64"},
		"a name with its last dot":     {`["patient-db.ehr.svc.cluster.local"]`, `["patient-db.ehr.svc.cluster.local."]`, "outbound[0].names[0]: is no name; set one in lower case, fully qualified, without the last dot"},
		"a name that is an address":    {`["patient-db.ehr.svc.cluster.local"]`, `["10.0.0.1"]`, "outbound[0].names[0]: is no name; set one in lower case, fully qualified, without the last dot"},
		"a name of two addresses":      {`["terms.registry.svc.cluster.local"]`, `["patient-db.ehr.svc.cluster.local"]`, "outbound[2].names[0]: leads to 127.0.0.16 already; let one name lead to one address"},
		"a name that goes two ways":    {`["terms.registry.svc.cluster.local"]`, `["kubernetes.default.svc.cluster.local"]`, "outbound[2].names[0]: leads to the upstreams already; let one name lead to one address"},
		"the application's address":    {`127.0.0.16`, `127.0.0.1`, "outbound[0].address: is no address for a name; set one of 127.0.0.0/8 from 127.0.0.16 on"},
		"an address of the network":    {`127.0.0.16`, `10.0.0.1`, "outbound[0].address: is no address for a name; set one of 127.0.0.0/8 from 127.0.0.16 on"},
		"an end that stands twice":     {`"address": "127.0.0.17", "port": 80`, `"address": "127.0.0.16", "port": 5432`, "outbound[2].port: 5432 of 127.0.0.16 stands twice; give each its own"},
		"an upstream without a port":   {`svc.cluster.local:5432`, `svc.cluster.local`, "outbound[0].upstream: is no host with a port; set one such as patient-db.ehr.svc.cluster.local:5432"},
		"an upstream in the pod":       {`10.96.4.4:80`, `127.0.0.1:80`, "outbound[2].upstream: leads back into the pod; set the address of a Service"},
		"no trust":                     {`"trust": "Plain"`, `"trust": ""`, "outbound[2].trust: is none of Mutual, Plain, Vendor; set one of them"},
		"trust in nobody":              {`"to": [{"id": "spiffe://cluster.local/ns/ehr/sa/patient-db"}]`, `"to": []`, "outbound[0].to: has 0 identities; set 1 to 1024"},
		"trust in a foreign domain":    {`spiffe://cluster.local/ns/ehr/sa/patient-db`, `spiffe://x/ns/ehr/sa/patient-db`, `outbound[0].to[0].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/sa/<name or *>`},
		"every vendor":                 {`*.vendor.example`, `*.example`, "outbound[1].names[0]: is no name of hosts; set one such as api.vendor.example or *.vendor.example"},
		"a star within a name":         {`*.vendor.example`, `api.*.example`, "outbound[1].names[0]: is no name of hosts"},
		"a star of the cluster":        {`["patient-db.ehr.svc.cluster.local"]`, `["*.ehr.svc.cluster.local"]`, "outbound[0].names[0]: is no name; set one in lower case"},
		"gRPC that nobody sees":        {`"protocol": "HTTP", "trust": "Vendor"`, `"protocol": "GRPC", "trust": "Vendor"`, "outbound[1].protocol: is not seen in a vendor's TLS; set HTTP or TCP"},
		"a gate that proves nothing":   {`[{"id": "spiffe://cluster.local/ns/hipaa-operator-system/sa/phi-egress"}]`, `[]`, "outbound[1].to: has 0 identities; set 1 to 1024"},
		"an identity of no proxy":      {`"upstream": "phi-egress.hipaa-operator-system.svc.cluster.local:15443",`, ``, "outbound[1].to: says nothing with trust Vendor, where no proxy answers; take it away"},
		"pods at no port":              {`"address": "127.0.0.17", "port": 80,`, `"address": "127.0.0.17", "port": 80, "endpoint": {"ports": [], "dial": 80},`, "outbound[2].endpoint.ports: has 0 ports; set 1 to 4"},
		"pods that are not dialled":    {`"address": "127.0.0.17", "port": 80,`, `"address": "127.0.0.17", "port": 80, "endpoint": {"ports": [8080]},`, "outbound[2].endpoint.dial: 0 is no port"},
		"pods of a vendor":             {`"address": "127.0.0.18", "port": 443,`, `"address": "127.0.0.18", "port": 443, "endpoint": {"ports": [1], "dial": 1},`, "outbound[1].endpoint: is where pods listen; vendors have none"},
		"no UTF-8":                     {`patient-api`, "patient\xff", "invalid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			give := strings.Replace(whole, tc.old, tc.give, 1)
			if give == whole {
				t.Fatalf("%q does not stand in the configuration", tc.old)
			}
			_, err := Parse([]byte(give))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse() = %v, want %q", err, tc.want)
			}
		})
	}
	if _, err := Parse(bytes.Repeat([]byte(" "), MaxBytes+1)); err == nil || !strings.Contains(err.Error(), "at most 1048576 are read") {
		t.Errorf("a configuration without end: %v", err)
	}
	many := Configuration{Inbound: make([]Inbound, maxInbound+1)}
	if err := many.Validate(); !strings.Contains(err.Error(), "inbound: has 65 ports; keep at most 64") {
		t.Errorf("too many ports: %v", err)
	}
	curious := Configuration{Probes: make([]Probe, maxProbes+1)}
	if err := curious.Validate(); !strings.Contains(err.Error(), "probes: has 65 entries; keep at most 64") {
		t.Errorf("too many probes: %v", err)
	}
	crowd := Configuration{Inbound: []Inbound{{From: make([]Peer, maxPeers+1)}}}
	if err := crowd.Validate(); !strings.Contains(err.Error(), "inbound[0].from: has 1025 peers; keep at most 1024") {
		t.Errorf("too many peers: %v", err)
	}
}

func TestAPeerIsTheOneThatIsMeant(t *testing.T) {
	for name, tc := range map[string]struct {
		from, id string
		want     bool
	}{
		"the same":                    {"spiffe://d/ns/a/sa/b", "spiffe://d/ns/a/sa/b", true},
		"a longer name":               {"spiffe://d/ns/a/sa/b", "spiffe://d/ns/a/sa/bc", false},
		"other case":                  {"spiffe://d/ns/a/sa/b", "spiffe://d/ns/a/sa/B", false},
		"any of the namespace":        {"spiffe://d/ns/a/sa/*", "spiffe://d/ns/a/sa/b", true},
		"none of the namespace":       {"spiffe://d/ns/a/sa/*", "spiffe://d/ns/a/sa/", false},
		"another namespace":           {"spiffe://d/ns/a/sa/*", "spiffe://d/ns/ab/sa/b", false},
		"a gateway of that namespace": {"spiffe://d/ns/a/sa/*", "spiffe://d/ns/a/gateway/b", false},
		"nobody":                      {"spiffe://d/ns/a/sa/b", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			in := Inbound{From: []Peer{{tc.from}}}
			if got := in.Admits(tc.id); got != tc.want {
				t.Errorf("Admits(%s) = %t, want %t", tc.id, got, tc.want)
			}
			if new(Inbound).Admits(tc.id) {
				t.Error("a port without peers admits somebody")
			}
		})
	}
}

func TestLimitsHaveDefaults(t *testing.T) {
	got := Limits{HeadBytes: 4096}.OrDefault()
	want := Limits{Connections: 10_000, HeadBytes: 4096, HeadTimeout: Duration(10 * time.Second), IdleTimeout: Duration(5 * time.Minute), BodyRate: 128, AnswerTimeout: Duration(5 * time.Minute)}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("OrDefault (-want +got):\n%s", diff)
	}
}

// What is accepted is valid, stays the same when it is written and read again, and
// admits nobody outside its trust domain.
func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte(withUsers))
	f.Add([]byte(`{"version":2}`))
	f.Add([]byte(strings.ReplaceAll(whole, "spiffe://cluster.local", "spiffe://")))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			return
		}
		again, err := jsonv2.Marshal(c)
		if err != nil {
			t.Fatalf("writing: %v", err)
		}
		other, err := Parse(again)
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		if diff := cmp.Diff(c, other); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
		for i := range c.Inbound {
			if c.Inbound[i].Admits("spiffe://" + c.TrustDomain + "x/ns/a/sa/b") {
				t.Errorf("inbound[%d] admits an identity of another domain", i)
			}
		}
	})
}

func TestNetworksThatAGateRefuses(t *testing.T) {
	for give, wanted := range map[string]bool{
		"10.96.0.0/12": true, "fd00:10::/64": true, "192.0.2.1/32": true,
		"10.96.0.1/12": false, "10.96.0.0": false, "::ffff:10.0.0.0/104": false, "fe80::%eth0/64": false, "": false,
	} {
		var bad complaints
		(&Egress{Listen: 15443, Refuse: []string{give}}).validate(&bad, "cluster.local")
		if err := errors.Join(bad.list...); (err == nil) != wanted || err != nil && err.Error() != "egress.refuse[0]: is no network; set one such as 10.96.0.0/12 or fd00:10::/64" {
			t.Errorf("%q: %v", give, err)
		}
	}
}
