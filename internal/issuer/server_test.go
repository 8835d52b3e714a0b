package issuer

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-json-experiment/json"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// What is wrong by itself is refused before the API server is asked: here there is
// none to ask.
func TestNobodyIsAskedAboutABadRequest(t *testing.T) {
	_, csr, err := pki.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(enrol.NewRequest(csr))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		method, path, token, body string
		want                      int
	}{
		"another path":        {path: "/", want: http.StatusNotFound},
		"another method":      {method: http.MethodGet, want: http.StatusMethodNotAllowed},
		"no token":            {token: "none", want: http.StatusUnauthorized},
		"a basic credential":  {token: "Basic YTpi", want: http.StatusUnauthorized},
		"some other token":    {token: "Bearer a", want: http.StatusUnauthorized},
		"one of another use":  {token: formed(`{"aud":["https://kubernetes.default.svc"]}`), want: http.StatusUnauthorized},
		"one of no use":       {token: formed(`{}`), want: http.StatusUnauthorized},
		"one cut off":         {token: formed(`{"aud":["issuer.hipaa-operator.io"]`), want: http.StatusUnauthorized},
		"one of two parts":    {token: strings.TrimSuffix(good, ".c"), want: http.StatusUnauthorized},
		"one not signed":      {token: strings.TrimSuffix(good, "c"), want: http.StatusUnauthorized},
		"one of four parts":   {token: good + ".d", want: http.StatusUnauthorized},
		"a huge one":          {token: good + strings.Repeat("c", maxToken), want: http.StatusUnauthorized},
		"no body":             {body: " ", want: http.StatusBadRequest},
		"a huge body":         {body: strings.Repeat(" ", enrol.MaxRequest) + string(body), want: http.StatusBadRequest},
		"something else":      {body: `{"version":1,"csr":"AAAA"}`, want: http.StatusBadRequest},
		"of a newer version":  {body: strings.Replace(string(body), `"version":1`, `"version":2`, 1), want: http.StatusBadRequest},
		"with another member": {body: strings.Replace(string(body), `{`, `{"id":"spiffe://cluster.local/ns/ehr/sa/db",`, 1), want: http.StatusBadRequest},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := NewServer(nil, nil, nil, clocktesting.NewFakePassiveClock(start))
			answer := httptest.NewRecorder()
			s.ServeHTTP(answer, request(t, cmp.Or(test.method, http.MethodPost), cmp.Or(test.path, enrol.Path), cmp.Or(test.token, good), cmp.Or(test.body, string(body))))
			if answer.Code != test.want {
				t.Errorf("got %d: %s", answer.Code, answer.Body)
			}
			var no enrol.Refusal
			if err := json.Unmarshal(answer.Body.Bytes(), &no); err != nil || no.Error == "" {
				t.Errorf("it gave no reason: %s, %v", answer.Body, err)
			}
		})
	}
}

// full is a server with all hands full: it says 503 where it would ask the API server.
func full(t *testing.T) (s *Server, ask func(from, token string) *httptest.ResponseRecorder) {
	t.Helper()
	s = NewServer(nil, nil, nil, clocktesting.NewFakePassiveClock(start))
	for range inHand {
		s.hands <- struct{}{}
	}
	_, csr, err := pki.NewRequest()
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(enrol.NewRequest(csr))
	if err != nil {
		t.Fatal(err)
	}
	return s, func(from, token string) *httptest.ResponseRecorder {
		t.Helper()
		answer := httptest.NewRecorder()
		r := request(t, http.MethodPost, enrol.Path, token, string(body))
		r.RemoteAddr = from + ":1"
		s.ServeHTTP(answer, r)
		return answer
	}
}

func TestWhoAsksTooOftenIsToldToWait(t *testing.T) {
	_, ask := full(t)
	for range reviewBurst {
		if answer := ask("10.0.0.1", good); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "5" {
			t.Fatalf("with all hands full it answers %d, %v", answer.Code, answer.Header())
		}
	}
	answer := ask("10.0.0.1", good)
	if answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") != "5" {
		t.Errorf("got %d, %v", answer.Code, answer.Header())
	}
	if answer := ask("10.0.0.2", good); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("a neighbour is answered %d", answer.Code)
	}
}

// Neither who shows nothing of use nor who shows more of it than it may takes what all
// share.
func TestNobodyDrawsForNothingOnWhatAllShare(t *testing.T) {
	s, ask := full(t)
	for range 2 * atOnce {
		if answer := ask("10.0.0.1", "none"); answer.Code != http.StatusUnauthorized {
			t.Fatalf("got %d", answer.Code)
		}
		if answer := ask("10.0.0.2", good); answer.Code < http.StatusTooManyRequests {
			t.Fatalf("got %d", answer.Code)
		}
	}
	if answer := ask("10.0.0.3", good); answer.Code != http.StatusServiceUnavailable {
		t.Errorf("a stranger to all this is answered %d", answer.Code)
	}
	if left := s.all.byKey[""].TokensAt(start); left != atOnce-reviewBurst-1 {
		t.Errorf("%v are left of %d", left, atOnce)
	}
}

// formed is a token of three parts that says this of itself.
func formed(claims string) string {
	return "Bearer a." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c"
}

// good is one that is worth asking the API server about.
var good = formed(`{"aud":["issuer.hipaa-operator.io"]}`)

func request(t *testing.T, method, path, token, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", token)
	return r
}
