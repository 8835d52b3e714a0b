package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// restClient speaks JSON to one server as one user.
type restClient struct {
	server string
	http   *http.Client
}

// statusError is an answer other than success.
type statusError struct {
	code   int
	reason string
}

func (e statusError) Error() string { return fmt.Sprintf("HTTP %d: %s", e.code, e.reason) }

// answered tells whether err is an answer with this HTTP status code.
func answered(err error, code int) bool {
	var s statusError
	return errors.As(err, &s) && s.code == code
}

// client returns a client of the server as the login's user.
func (l login) client() (restClient, error) {
	cert, err := tls.X509KeyPair(l.cert, l.key)
	if err != nil {
		return restClient{}, fmt.Errorf("reading the login of %s: %w", l.user, err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(l.ca) {
		return restClient{}, fmt.Errorf("reading the login of %s: no authority", l.user)
	}
	return restClient{server: l.server, http: &http.Client{Transport: &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: 30 * time.Second,
	}}}, nil
}

// request is one call.
type request struct {
	method, path string
	// contentType of the body; "" means JSON.
	contentType string
	body        any
}

// do makes the call and decodes the answer into out, unless out is nil.
func (c restClient) do(ctx context.Context, r request, out any) error {
	answer, err := c.open(ctx, r)
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		_, err = io.Copy(io.Discard, answer)
		return err
	}
	if err := json.NewDecoder(answer).Decode(out); err != nil {
		return fmt.Errorf("reading %s %s: %w", r.method, r.path, err)
	}
	return nil
}

// open makes the call and returns the body of a successful answer.
func (c restClient) open(ctx context.Context, r request) (io.ReadCloser, error) {
	body, err := json.Marshal(r.body)
	if err != nil {
		return nil, fmt.Errorf("writing %s %s: %w", r.method, r.path, err)
	}
	if r.body == nil {
		body = nil
	}
	call, err := http.NewRequestWithContext(ctx, r.method, c.server+r.path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	call.Header.Set("User-Agent", "hipaa-localcluster")
	call.Header.Set("Content-Type", r.contentType)
	if r.contentType == "" {
		call.Header.Set("Content-Type", "application/json")
	}
	answer, err := c.http.Do(call)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode < 300 {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 2048))
	return nil, fmt.Errorf("%s %s: %w", r.method, r.path, statusError{answer.StatusCode, string(bytes.TrimSpace(text))})
}
