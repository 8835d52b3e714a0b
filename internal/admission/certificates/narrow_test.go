package certificates

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// recorder is the end of the line.
type recorder struct{ got *http.Request }

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	r.got = request
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestOnlyListsOfSecretsAreNarrowed(t *testing.T) {
	tests := map[string]struct {
		method, give, want string
	}{
		"a list":               {http.MethodGet, "https://api/api/v1/namespaces/op/secrets?limit=500", "https://api/api/v1/namespaces/op/secrets?fieldSelector=metadata.name%3Dcert&limit=500"},
		"a watch":              {http.MethodGet, "https://api/api/v1/namespaces/op/secrets?watch=true", "https://api/api/v1/namespaces/op/secrets?fieldSelector=metadata.name%3Dcert&watch=true"},
		"one of another name":  {http.MethodGet, "https://api/api/v1/namespaces/op/secrets/other", "https://api/api/v1/namespaces/op/secrets/other"},
		"other kinds":          {http.MethodGet, "https://api/api/v1/namespaces/op/configmaps", "https://api/api/v1/namespaces/op/configmaps"},
		"a write":              {http.MethodPost, "https://api/api/v1/namespaces/op/secrets", "https://api/api/v1/namespaces/op/secrets"},
		"a selector of others": {http.MethodGet, "https://api/api/v1/namespaces/op/secrets?fieldSelector=type%3Dx", "https://api/api/v1/namespaces/op/secrets?fieldSelector=metadata.name%3Dcert"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request, err := http.NewRequestWithContext(t.Context(), test.method, test.give, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			end := &recorder{}
			response, err := narrowSecrets("cert")(end).RoundTrip(request)
			if err != nil || response.Body.Close() != nil {
				t.Fatalf("got %v, %v", response, err)
			}
			if diff := cmp.Diff(test.want, end.got.URL.String()); diff != "" {
				t.Errorf("asked for (-want +got):\n%s", diff)
			}
			if request.URL.String() != test.give {
				t.Errorf("the caller's request was changed to %s", request.URL)
			}
		})
	}
}
