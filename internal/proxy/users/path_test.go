package users

import (
	"strings"
	"testing"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

func TestAPathHasOneReading(t *testing.T) {
	for give, want := range map[string]string{
		"/":                        "/",
		"/Patient/1?_id=%2e%2e":    "/patient/1",
		"//admin///x":              "/admin/x",
		"/%61dmin":                 "/admin",
		"/%41dmin":                 "/admin",
		"/admin;jsessionid=1/x;y":  "/admin/x",
		"/a%20b%C3%A4":             "/a b\xc3\xa4",
		"/fhir/$export":            "/fhir/$export",
		"/x.y/..z/z../.../.hidden": "/x.y/..z/z../.../.hidden",
		"/100%25":                  "/100%",
		"/a%7Cb":                   "/a|b",
		"*":                        "*",
		"/public/../admin":         "",
		"/public/./admin":          "",
		"/public/..":               "",
		"/public/%2e%2e/admin":     "",
		"/public/.%2e/admin":       "",
		"/public/..;/admin":        "",
		"/public/%2e;x=1/admin":    "",
		"/public%2fadmin":          "",
		"/public%5cadmin":          "",
		"/public%3b/admin":         "",
		"/public%3fadmin":          "",
		"/public%00":               "",
		"/%2561dmin":               "",
	} {
		got, ok := plainPath(nil, []byte(give))
		if ok != (want != "") || ok && string(got) != want {
			t.Errorf("plainPath(%q) = %q, %v; want %q", give, got, ok, want)
		}
	}
}

func TestWhichRouteCounts(t *testing.T) {
	s := &state{routes: routesOf(&config.Users{Routes: []config.Route{
		{Name: "exact", Paths: []string{"/Poll"}},
		{Name: "below", Paths: []string{"/admin/*"}, Methods: []string{"GET"}},
		{Name: "port", Paths: []string{"/*"}, Ports: []string{"rpc"}},
	}})}
	for name, tc := range map[string]struct{ port, method, path, want string }{
		"the whole path":              {"http", "GET", "/poll", "exact"},
		"with a slash behind":         {"http", "GET", "/poll/", "exact"},
		"what only begins alike":      {"http", "GET", "/pollution", ""},
		"what is below a whole path":  {"http", "GET", "/poll/1", ""},
		"below":                       {"http", "GET", "/admin/x/y", "below"},
		"the path itself":             {"http", "GET", "/admin", "below"},
		"beside":                      {"http", "GET", "/administrator", ""},
		"by another method":           {"http", "POST", "/admin/x", ""},
		"everything of another port":  {"rpc", "POST", "/patients.Get/One", "port"},
		"the first of several counts": {"rpc", "GET", "/poll", "exact"},
	} {
		q := &Call{Port: tc.port}
		q.Request = request(t, tc.method+" "+tc.path+" HTTP/1.1\r\nHost: a\r\n\r\n")
		path, _ := plainPath(nil, []byte(tc.path))
		if got := s.routeOf(q, path).Name; got != tc.want {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// FuzzPath: what a path is read as is read so again, so that no second decoding finds
// another route, and it never climbs.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/a/b", "/a;b/c", "/%61", "//", "/..;/x", "/%2525"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, target string) {
		for i := range len(target) {
			if target[i] == '%' && (i+2 >= len(target) || !isHex(target[i+1]) || !isHex(target[i+2])) {
				return // http1 refuses it
			}
		}
		path, ok := plainPath(nil, []byte(target))
		if !ok {
			return
		}
		if strings.Contains(string(path), "/../") || strings.Contains(string(path), "//") || strings.HasSuffix(string(path), "/..") {
			t.Errorf("%q is read as %q", target, path)
		}
	})
}
