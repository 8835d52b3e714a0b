package enrol

import (
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
)

const (
	// Path is where the issuer takes requests, by POST.
	Path = "/v1/certificate"
	// Audience is that of the tokens by which pods ask. Tokens of that audience are
	// given to nodes for their pods, and to nobody else.
	Audience = "issuer.hipaa-operator.io"
	// BundleName is the ConfigMap of the operator's namespace in which the issuer
	// publishes the roots, and BundleKey its key.
	BundleName = "hipaa-operator-bundle"
	BundleKey  = "bundle.pem"
	// ServiceName is the Service of that namespace through which the issuer is reached.
	ServiceName = "hipaa-operator-issuer"
	// MaxRequest and MaxResponse bound bodies in bytes.
	MaxRequest  = 8 << 10
	MaxResponse = 128 << 10

	wireVersion = 1
)

// Request asks for a certificate. Who asks stands in the token beside it.
type Request struct {
	// Version is 1.
	Version int `json:"version"`
	// CSR is a PKCS #10 request in DER; only its key counts.
	CSR []byte `json:"csr"`
}

// Response grants one.
type Response struct {
	// Chain has the certificate first, each in DER, and ends below the root.
	Chain [][]byte `json:"chain"`
	// Bundle is the roots to trust from now on, in PEM.
	Bundle []byte `json:"bundle"`
}

// Refusal says why there is none. A header Retry-After says that asking again helps.
type Refusal struct {
	// Error is a sentence for people.
	Error string `json:"error"`
}

// NewRequest is a request of this version.
func NewRequest(csr []byte) Request { return Request{Version: wireVersion, CSR: csr} }

// ReadRequest reads a request from whoever sends one.
func ReadRequest(body io.Reader) (Request, error) {
	var request Request
	if err := read(body, MaxRequest, &request, json.RejectUnknownMembers(true)); err != nil {
		return Request{}, err
	}
	if request.Version != wireVersion {
		return Request{}, fmt.Errorf("reading a request: version %d instead of %d", request.Version, wireVersion)
	}
	return request, nil
}

// readResponse reads what the issuer answers. A newer issuer may say more.
func readResponse(body io.Reader) (Response, error) {
	var response Response
	err := read(body, MaxResponse, &response)
	return response, err
}

func read(body io.Reader, most int, into any, options ...json.Options) error {
	text, err := io.ReadAll(io.LimitReader(body, int64(most)+1))
	if err != nil {
		return fmt.Errorf("reading a body: %w", err)
	}
	if len(text) > most {
		return fmt.Errorf("reading a body: longer than %d bytes", most)
	}
	if err := json.Unmarshal(text, into, options...); err != nil {
		// What the decoder says quotes the body.
		return errors.New("reading a body: it is no JSON of the kind that belongs here")
	}
	return nil
}
