package config

import (
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
)

// withUsers is whole with everything that can be said of users.
var withUsers = strings.Replace(whole, `"probes"`, `"users": {
    "issuers": [{"url": "https://idp.example/realms/ehr", "audiences": ["patient-api"], "algorithms": ["ES256"], "keys": "https://idp.example/certs",
      "upstream": "keycloak.sso.svc.cluster.local:8443", "outage": "24h", "rolesClaim": "realm_access.roles", "machines": ["backup"]}],
    "gateways": [{"id": "spiffe://cluster.local/ns/edge/gateway/nginx", "user": "X-Auth-Request-User", "roles": "X-Auth-Request-Groups", "methods": "X-Amr", "authenticated": "X-Auth-Time"}],
    "routes": [
      {"name": "public", "paths": ["/", "/static/*"], "methods": ["GET", "HEAD"], "who": "Nobody"},
      {"name": "export", "ports": ["http"], "paths": ["/fhir/$export"], "who": "Anyone", "multiFactor": true, "maxAge": "1h", "limits": {"idle": "5m"},
       "machines": [{"issuer": "https://idp.example/realms/ehr", "subject": "etl"}, {"peer": "spiffe://cluster.local/ns/etl/sa/etl"}]},
      {"name": "poll", "paths": ["/poll"], "activity": "Polling"},
      {"name": "monitor", "paths": ["/ward/*"], "activity": "Stream"}
    ],
    "limits": {"idle": "15m", "absolute": "12h"},
    "roles": [{"role": "nurse", "limits": {"idle": "10m"}}, {"role": "ward", "limits": {"idle": "1h", "absolute": "8h"}}],
    "cookie": "JSESSIONID",
    "factors": {"methods": ["mfa"], "classes": ["gold"]},
    "keyFile": "/etc/phi-proxy/sessions/key",
    "store": {"address": "sessions.ehr.svc.cluster.local:6379", "username": "proxy", "passwordFile": "/etc/phi-proxy/sessions/password", "onOutage": "Alone"},
    "breakGlass": {"routes": ["monitor"], "roles": ["nurse"], "duration": "1h", "expired": "4h", "credentials": "{\"keys\":[]}", "audience": "ehr"},
    "lockout": {"failures": 5, "duration": "15m"}, "devicesAtOnce": 2,
    "records": {"file": "/var/log/phi/users.jsonl", "show": "Subject"},
    "refusals": {"identity": {"control": "a", "citation": "b"}, "multiFactor": {"control": "a", "citation": "b"},
      "session": {"control": "a", "citation": "b"}, "lockout": {"control": "a", "citation": "b"}}
  },
  "probes"`, 1)

func TestUsersAreReadWhole(t *testing.T) {
	c, err := Parse([]byte(withUsers))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jsonv2.Marshal(c.Users)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"MONITOR"`, `"Polling"`, `"JSESSIONID"`, `"10m0s"`, `"BreakGlass"`} {
		if !strings.Contains(strings.ToUpper(string(text)), strings.ToUpper(want)) {
			t.Errorf("%s is lost", want)
		}
	}
	for name, tc := range map[string]struct {
		roles          []string
		idle, absolute time.Duration
	}{
		"nobody in particular": {nil, 15 * time.Minute, 12 * time.Hour},
		"an unknown role":      {[]string{"clerk"}, 15 * time.Minute, 12 * time.Hour},
		"a shorter one":        {[]string{"nurse"}, 10 * time.Minute, 12 * time.Hour},
		"a longer one":         {[]string{"ward"}, time.Hour, 8 * time.Hour},
		"both":                 {[]string{"ward", "nurse"}, 10 * time.Minute, 8 * time.Hour},
	} {
		if got := c.Users.OfRoles(tc.roles); time.Duration(got.Idle) != tc.idle || time.Duration(got.Absolute) != tc.absolute {
			t.Errorf("%s: %+v", name, got)
		}
	}
	if got := new(Users).OfRoles(nil); time.Duration(got.Idle) != 15*time.Minute || time.Duration(got.Absolute) != 12*time.Hour {
		t.Errorf("the defaults are %+v", got)
	}
}

func TestWhatIsWrongOfUsersIsNamedWithItsRemedy(t *testing.T) {
	for name, tc := range map[string]struct{ old, give, want string }{
		"an issuer without https":                    {`"url": "https://idp`, `"url": "http://idp`, "users.issuers[0].url: is no URL with https and without query; set the issuer as its tokens name it"},
		"an issuer with a query":                     {`"url": "https://idp.example/realms/ehr"`, `"url": "https://idp.example/?a"`, "users.issuers[0].url: is no URL with https"},
		"keys without https":                         {`"keys": "https://`, `"keys": "http://`, "users.issuers[0].keys: is no URL with https; set where the keys are, or nothing"},
		"tokens for anybody":                         {`"audiences": ["patient-api"]`, `"audiences": []`, "users.issuers[0].audiences: is empty, so that tokens for anybody would count; set what this application is called there"},
		"an algorithm that shares its key":           {`"ES256"`, `"HS256"`, "users.issuers[0].algorithms[0]: is none of RS256"},
		"no algorithm":                               {`"ES256"`, `"none"`, "users.issuers[0].algorithms[0]: is none of RS256"},
		"an upstream without port":                   {`local:8443"`, `local"`, "users.issuers[0].upstream: is no host with a port; set one such as keycloak.sso.svc.cluster.local:8443"},
		"roots that are none":                        {`"outage": "24h"`, `"roots": "x"`, "users.issuers[0].roots: has no certificate in PEM, or too many; set the roots of who is called"},
		"an outage without end":                      {`"outage": "24h"`, `"outage": "900h"`, "users.issuers[0].outage: is 900h0m0s; set at most 168h0m0s, or nothing"},
		"a gateway that is none":                     {`ns/edge/gateway/nginx`, `nginx`, `users.gateways[0].id: is no identity of trust domain "cluster.local"; set spiffe://cluster.local/ns/<namespace>/gateway/<name>`},
		"a gateway without a field":                  {`"user": "X-Auth-Request-User"`, `"user": ""`, "users.gateways[0].user: is no name of a field; set the one that says who the user is"},
		"a gateway that breaks out":                  {`"X-Amr"`, `"X-Amr\r"`, "users.gateways[0].methods: is no name of a field; set one, or nothing"},
		"a gateway that takes a field":               {`"X-Amr"`, `"authorization"`, "users.gateways[0]: speaks by a field that means something else; choose another one"},
		"a gateway that is told apart by the cookie": {`"authenticated": "X-Auth-Time"`, `"authenticated": ""`, ""},
		"a route without paths":                      {`"paths": ["/poll"]`, `"paths": []`, "users.routes[2].paths: is empty; set paths such as /admin/*"},
		"a path that climbs":                         {`"/poll"`, `"/a/../poll"`, "users.routes[2].paths[0]: is no path in its shortest form, whole or with /* at its end; set one such as /admin/*"},
		"a star in the middle":                       {`"/poll"`, `"/a/*/poll"`, "users.routes[2].paths[0]: is no path in its shortest form"},
		"a route of an unknown port":                 {`"ports": ["http"]`, `"ports": ["db"]`, "users.routes[1].ports[0]: is no port of HTTP or gRPC under inbound; set the name of one"},
		"two routes of one name":                     {`"name": "poll"`, `"name": "export"`, "users.routes[2].name: stands twice; give each its own"},
		"another kind of user":                       {`"Anyone"`, `"Robots"`, "users.routes[1].who: is none of Person, Machine, Anyone, Nobody; set one of them"},
		"machines where a person is needed":          {`"Anyone"`, `"Person"`, "users.routes[1].machines: says nothing where a person is needed; set who to Anyone, or remove them"},
		"factors of machines":                        {`"Anyone"`, `"Machine"`, "users.routes[1].who: has no people, of whom multiFactor, maxAge, activity and limits are; remove those"},
		"machines of nobody":                         {`"Anyone"`, `"Nobody"`, "users.routes[1].machines: says nothing where nobody is asked; remove them"},
		"a machine of an unknown issuer":             {`"issuer": "https://idp.example/realms/ehr"`, `"issuer": "https://elsewhere.example"`, "users.routes[1].machines[0]: is neither a peer nor a subject of an issuer under users.issuers; set one of them"},
		"a machine of another domain":                {`"peer": "spiffe://cluster.local`, `"peer": "spiffe://elsewhere`, `users.routes[1].machines[1].peer: is no identity of trust domain "cluster.local"; set one`},
		"an activity that is none":                   {`"Polling"`, `"Sleeping"`, "users.routes[2].activity: is none of Interactive, Polling, Stream; set one of them"},
		"a limit that is too short":                  {`"idle": "15m"`, `"idle": "1ms"`, "users.limits.idle: is 1ms; set 1s to 168h0m0s, or nothing"},
		"a role without a name":                      {`"role": "nurse"`, `"role": ""`, "users.roles[0].role: is empty, too long or not plain; set 1 to 255 printable characters"},
		"a cookie that is none":                      {`"JSESSIONID"`, `"a=b"`, "users.cookie: is no name of a cookie; set one of letters, digits, _, - and dots"},
		"a key of nowhere":                           {`"/etc/phi-proxy/sessions/key"`, `"../key"`, "users.keyFile: is no absolute path of a file; set one, or nothing"},
		"replicas that agree upon a key":             {`"/etc/phi-proxy/sessions/key"`, `""`, ""},
		"a store without a port":                     {`local:6379"`, `local"`, "users.store.address: is no host with a port; set one such as sessions.ehr.svc.cluster.local:6379"},
		"no word on the store's outage":              {`"onOutage": "Alone"`, `"onOutage": ""`, "users.store.onOutage: is neither Alone nor Refuse; set what happens while it cannot be reached"},
		"an emergency that opens nothing":            {`"routes": ["monitor"]`, `"routes": []`, "users.breakGlass.routes: is empty; set the names of routes that emergencies open"},
		"an emergency on an unknown route":           {`"routes": ["monitor"]`, `"routes": ["public"]`, "users.breakGlass.routes[0]: is no route for people under users.routes; set the name of one"},
		"an emergency without end":                   {`"expired": "4h"`, `"expired": "40h"`, "users.breakGlass.expired: is 40h0m0s; set at most 12h0m0s, or nothing"},
		"credentials for anybody":                    {`, "audience": "ehr"`, ``, "users.breakGlass.audience: belongs to credentials; set both or none"},
		"a lock at the first mistake":                {`"failures": 5`, `"failures": 1`, "users.lockout.failures: is 1; set 3 to 1000, or nothing for the default"},
		"another way to show users":                  {`"show": "Subject"`, `"show": "All"`, "users.records.show: is neither Pseudonym nor Subject; set one of them"},
		"too many devices":                           {`"devicesAtOnce": 2`, `"devicesAtOnce": 33`, "users.devicesAtOnce: is 33; set 1 to 32, or nothing for the default"},
		"a safeguard without a control":              {`"lockout": {"control": "a"`, `"lockout": {"control": ""`, "users.refusals.lockout.control: names no control; set its name"},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(withUsers, tc.old, tc.give, 1)
			if changed == withUsers {
				t.Fatalf("%q is not there to be changed", tc.old)
			}
			_, err := Parse([]byte(changed))
			if tc.want == "" {
				if err != nil {
					t.Errorf("Parse: %v", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("Parse: %v\nwant %s", err, tc.want)
			}
		})
	}
	none := withUsers[:strings.Index(withUsers, `"issuers"`)] + `"refusals"` + withUsers[strings.Index(withUsers, `"refusals"`)+len(`"refusals"`):]
	if _, err := Parse([]byte(none)); err == nil || !strings.Contains(err.Error(), "users.issuers: names nobody who knows the users; set an issuer or a gateway") {
		t.Errorf("nobody who knows the users: %v", err)
	}
	forever := strings.Replace(strings.Replace(withUsers, `"cookie": "JSESSIONID",`, "", 1), `, "authenticated": "X-Auth-Time"`, "", 1)
	if _, err := Parse([]byte(forever)); err == nil || !strings.Contains(err.Error(), "could never go on") {
		t.Errorf("a gateway that tells no sessions apart: %v", err)
	}
}
