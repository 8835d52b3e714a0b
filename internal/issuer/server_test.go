package issuer

import (
	"cmp"
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
			s.ServeHTTP(answer, request(t, cmp.Or(test.method, http.MethodPost), cmp.Or(test.path, enrol.Path), cmp.Or(test.token, "Bearer a"), cmp.Or(test.body, string(body))))
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

func TestWhoAsksTooOftenIsToldToWait(t *testing.T) {
	clock := clocktesting.NewFakePassiveClock(start)
	s := NewServer(nil, nil, nil, clock)
	ask := func(from string) *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		r := request(t, http.MethodPost, enrol.Path, "none", "{}")
		r.RemoteAddr = from + ":1"
		s.ServeHTTP(answer, r)
		return answer
	}
	for range addressBurst {
		if answer := ask("10.0.0.1"); answer.Code != http.StatusUnauthorized {
			t.Fatalf("got %d", answer.Code)
		}
	}
	answer := ask("10.0.0.1")
	if answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") != "5" {
		t.Errorf("got %d, %v", answer.Code, answer.Header())
	}
	if answer := ask("10.0.0.2"); answer.Code != http.StatusUnauthorized {
		t.Errorf("a neighbour is answered %d", answer.Code)
	}
	for range inHand {
		s.hands <- struct{}{}
	}
	if answer := ask("10.0.0.3"); answer.Code != http.StatusServiceUnavailable || answer.Header().Get("Retry-After") != "5" {
		t.Errorf("with all hands full it answers %d, %v", answer.Code, answer.Header())
	}
}

func request(t *testing.T, method, path, token, body string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Authorization", token)
	return r
}
