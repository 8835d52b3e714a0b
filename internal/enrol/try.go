package enrol

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const (
	tryTimeout = 10 * time.Second
	maxToken   = 16 << 10
	maxHeader  = 16 << 10
	// maxSentence bounds what is repeated of a refusal, in bytes.
	maxSentence = 512
)

// RefusedError is an answer of the issuer that is not a certificate.
type RefusedError struct {
	// Status is the HTTP status.
	Status int
	// Sentence is why, in the issuer's words, cut to a line.
	Sentence string
	// RetryAfter is how long the issuer advises to wait, zero if it does not.
	RetryAfter time.Duration
}

// Error is the refusal as readiness tells it.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("the issuer refused: %s (status %d)", e.Sentence, e.Status)
}

// errUnreached is that nobody answered who could prove to be the issuer, or not to
// the end.
var errUnreached = errors.New("reaching the issuer")

// Unreachable reports whether a try failed because the issuer is out of reach, or
// cannot decide for its part. One that says no is there.
func Unreachable(err error) bool {
	if refused, is := errors.AsType[*RefusedError](err); is {
		return refused.Status >= http.StatusInternalServerError
	}
	return errors.Is(err, errUnreached)
}

// try asks once, with a new key.
func (e *Enrolment) try(ctx context.Context) (*credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, tryTimeout)
	defer cancel()
	trusted, err := e.trusted()
	if err != nil {
		return nil, err
	}
	token, err := readToken(e.options.TokenFile)
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w", err)
	}
	key, csr, err := pki.NewRequest()
	if err != nil {
		return nil, err
	}
	response, err := e.ask(ctx, trusted, token, csr)
	if err != nil {
		return nil, err
	}
	fresh, err := accept(response, key, e.options.Clock.Now())
	if err != nil {
		return nil, fmt.Errorf("judging the issuer's answer: %w", err)
	}
	return fresh, nil
}

// readToken reads a file that holds one token and nothing else.
func readToken(file string) (string, error) {
	text, err := readBounded(file, maxToken)
	if err != nil {
		return "", err
	}
	token := strings.TrimSpace(string(text))
	for _, c := range token {
		if c <= ' ' || c > '~' {
			return "", errNoToken
		}
	}
	return token, nil
}

// errNoToken means that a file holds something else.
var errNoToken = errors.New("the file holds no token; mount the projected one")

// trusted is the roots under which the issuer must be.
func (e *Enrolment) trusted() (pki.Bundle, error) {
	if e.options.Roots != nil {
		return e.options.Roots()
	}
	if held := e.held.Load(); held != nil {
		return held.bundle, nil
	}
	text, err := readBounded(e.options.BundleFile, pki.MaxBundle)
	if err != nil {
		return nil, fmt.Errorf("reading the first trust: %w", err)
	}
	return pki.ParseBundle(text)
}

// ask sends the request over a connection of its own: what was trusted last time
// may not be any more.
func (e *Enrolment) ask(ctx context.Context, trusted pki.Bundle, token string, csr []byte) (Response, error) {
	body, err := json.Marshal(NewRequest(csr))
	if err != nil {
		return Response{}, fmt.Errorf("writing a request: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.options.URL+Path, bytes.NewReader(body))
	if err != nil {
		return Response{}, fmt.Errorf("writing a request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "Bearer "+token)
	client := http.Client{
		// A redirect would show the token to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		// No proxy of the environment: the application's settings are not ours.
		Transport: &http.Transport{
			DialContext:            e.options.Dial,
			DisableKeepAlives:      true,
			MaxResponseHeaderBytes: maxHeader,
			TLSClientConfig: &tls.Config{
				MinVersion: tls.VersionTLS13,
				ServerName: e.host,
				RootCAs:    trusted.Pool(),
				Time:       e.options.Clock.Now,
			},
		},
	}
	answer, err := client.Do(request)
	if err != nil {
		return Response{}, fmt.Errorf("%w: %w", errUnreached, err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return Response{}, refusal(answer)
	}
	return readResponse(answer.Body)
}

// accept takes what was answered for our key, under the roots that came with it.
func accept(response Response, key *ecdsa.PrivateKey, now time.Time) (*credentials, error) {
	bundle, err := pki.ParseBundle(response.Bundle)
	if err != nil {
		return nil, err
	}
	chain, err := pki.ParseChain(response.Chain)
	if err != nil {
		return nil, err
	}
	id, err := pki.Verify(chain, bundle, pki.Acceptance{At: now, Usage: x509.ExtKeyUsageAny})
	if err != nil {
		return nil, err
	}
	if public, ok := chain[0].PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the certificate is of another key")
	}
	return &credentials{
		id:          id,
		certificate: &tls.Certificate{Certificate: response.Chain, PrivateKey: key, Leaf: chain[0]},
		bundle:      bundle,
		pool:        bundle.Pool(),
	}, nil
}

// refusal reads why not. Whatever stands in the way may have answered in the
// issuer's place, so no word of it is believed to be a line.
func refusal(answer *http.Response) error {
	refused := &RefusedError{Status: answer.StatusCode, Sentence: "it gave no reason"}
	var told Refusal
	if err := read(answer.Body, MaxRequest, &told); err == nil && told.Error != "" {
		refused.Sentence = line(told.Error)
	}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil && seconds > 0 {
		refused.RetryAfter = time.Duration(min(seconds, int(longest/time.Second))) * time.Second
	}
	return refused
}

// line is a text without control characters, cut to what a person reads.
func line(text string) string {
	text = strings.ToValidUTF8(text[:min(len(text), maxSentence)], "")
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}

// readBounded reads a file that has something in it, and no more than belongs there.
func readBounded(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	switch {
	case err != nil:
		return nil, err
	case int64(len(text)) > most:
		return nil, fmt.Errorf("it is longer than %d bytes", most)
	case len(bytes.TrimSpace(text)) == 0:
		return nil, errors.New("it is empty")
	}
	return text, nil
}
