package certificates

import (
	"net/http"
	"strings"

	"k8s.io/client-go/transport"
)

// narrowSecrets makes lists and watches of Secrets ask for one name. The API
// server then needs no more than a right on that name.
func narrowSecrets(name string) transport.WrapperFunc {
	return func(next http.RoundTripper) http.RoundTripper {
		return narrowTransport{next: next, selector: "metadata.name=" + name}
	}
}

type narrowTransport struct {
	next     http.RoundTripper
	selector string
}

// RoundTrip sends a request on, narrowed where it is about all Secrets.
func (t narrowTransport) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet || !strings.HasSuffix(request.URL.Path, "/secrets") {
		return t.next.RoundTrip(request)
	}
	narrowed := request.Clone(request.Context())
	query := narrowed.URL.Query()
	query.Set("fieldSelector", t.selector)
	narrowed.URL.RawQuery = query.Encode()
	return t.next.RoundTrip(narrowed)
}
