package prober

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

const (
	// timeout is how long one connection may take, from dialling to its answer.
	timeout = 5 * time.Second
	// maxHeader is the most that is read of an answer in plaintext.
	maxHeader = 16 << 10
	// maxInterim is how many interim answers may come before the one that counts.
	maxInterim = 4
	// agent tells people who look into the logs of a load balancer who asked.
	agent = "hipaa-operator-prober"
)

// asker asks endpoints over the network.
type asker struct{ dialer net.Dialer }

// ask asks an endpoint once. It never fails: who cannot be reached is Unclear.
func (a *asker) ask(ctx context.Context, e control.Endpoint) control.Dialled {
	if e.Ask == control.AskTLS {
		return a.askTLS(ctx, e)
	}
	return a.askPlaintext(ctx, e)
}

func (a *asker) connect(ctx context.Context, e control.Endpoint) (net.Conn, error) {
	conn, err := a.dialer.DialContext(ctx, "tcp", net.JoinHostPort(e.Address, strconv.Itoa(int(e.Port))))
	if err != nil {
		return nil, fmt.Errorf("dialling: %w", err)
	}
	if deadline, set := ctx.Deadline(); set {
		if err := conn.SetDeadline(deadline); err != nil {
			return nil, errors.Join(fmt.Errorf("bounding a connection: %w", err), conn.Close())
		}
	}
	return conn, nil
}

// askTLS speaks TLS 1.2 or later, and then greets with what is older. A refusal counts
// only from somebody who speaks the newer: everybody refuses what he does not speak.
func (a *asker) askTLS(ctx context.Context, e control.Endpoint) control.Dialled {
	spoke, notAfter, err := a.speak(ctx, e)
	if err != nil {
		return control.Dialled{}
	}
	refused := true
	for _, version := range []uint16{version11, version10} {
		switch taken, err := a.greet(ctx, e, version); {
		case err == nil && taken > 0 && taken < version12:
			return control.Dialled{Answer: control.OldAccepted, Version: taken, NotAfter: notAfter}
		case err == nil && taken == 0, isHangUp(err):
		default:
			refused = false
		}
	}
	if spoke && refused {
		return control.Dialled{Answer: control.OldRefused, NotAfter: notAfter}
	}
	return control.Dialled{NotAfter: notAfter}
}

// speak reports whether TLS 1.2 or later is spoken, and the end of the certificate that
// is shown. An error says that nobody could be reached.
func (a *asker) speak(ctx context.Context, e control.Endpoint) (spoke bool, notAfter time.Time, err error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := a.connect(ctx, e)
	if err != nil {
		return false, time.Time{}, err
	}
	defer func() { _ = conn.Close() }() // nothing was written that could be lost
	client := tls.Client(conn, &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: e.Host,
		// Whether callers trust the certificate is theirs to say: what is asked here is
		// which versions are spoken, and nothing secret is said.
		InsecureSkipVerify: true, //nolint:gosec // see above
		// A server that asks for a certificate ends the handshake after this.
		VerifyConnection: func(state tls.ConnectionState) error {
			spoke = true
			if len(state.PeerCertificates) > 0 {
				notAfter = state.PeerCertificates[0].NotAfter.UTC()
			}
			return nil
		},
	})
	if err := client.HandshakeContext(ctx); err != nil && ctx.Err() != nil {
		return spoke, notAfter, fmt.Errorf("speaking TLS: %w", err)
	}
	return spoke, notAfter, nil // how far it came, spoke says
}

// greet offers a version below 1.2, and tells the version that was taken.
func (a *asker) greet(ctx context.Context, e control.Endpoint, version uint16) (uint16, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := a.connect(ctx, e)
	if err != nil {
		return 0, err
	}
	defer func() { _ = conn.Close() }() // nothing was written that could be lost
	var random [32]byte
	if _, err := rand.Read(random[:]); err != nil {
		return 0, fmt.Errorf("making a greeting: %w", err)
	}
	if _, err := conn.Write(greeting(version, e.Host, random)); err != nil {
		return 0, fmt.Errorf("greeting: %w", err)
	}
	return readAnswer(conn)
}

// isHangUp reports whether the other side ended a connection that there was.
func isHangUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// askPlaintext asks for the root by HEAD, and by GET where that is not known. Nothing
// after the header is read, and no redirect is followed.
func (a *asker) askPlaintext(ctx context.Context, e control.Endpoint) control.Dialled {
	answer := a.request(ctx, e, http.MethodHead)
	if answer.Status == http.StatusMethodNotAllowed {
		return a.request(ctx, e, http.MethodGet)
	}
	return answer
}

func (a *asker) request(ctx context.Context, e control.Endpoint, method string) control.Dialled {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := a.connect(ctx, e)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return control.Dialled{Answer: control.Closed}
	case err != nil:
		return control.Dialled{}
	}
	defer func() { _ = conn.Close() }() // nothing was written that could be lost
	request := &http.Request{
		Method: method, URL: &url.URL{Scheme: "http", Host: hostOf(e), Path: "/"}, Host: hostOf(e),
		Header: http.Header{"User-Agent": {agent}}, Close: true,
	}
	if err := request.WithContext(ctx).Write(conn); err != nil {
		return unanswered(err)
	}
	return readPlaintext(conn, request, e)
}

// hostOf is what a caller of an endpoint writes into the header Host.
func hostOf(e control.Endpoint) string {
	host := e.Host
	if host == "" {
		host = e.Address
	}
	if e.Port != 80 {
		return net.JoinHostPort(host, strconv.Itoa(int(e.Port)))
	}
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// readPlaintext reads the header of an answer.
func readPlaintext(from io.Reader, request *http.Request, e control.Endpoint) control.Dialled {
	reader := bufio.NewReader(io.LimitReader(from, maxHeader))
	const begins = "HTTP/"
	switch first, err := reader.Peek(len(begins)); {
	case err != nil:
		return unanswered(err)
	case string(first) != begins:
		return control.Dialled{Answer: control.Rejected}
	}
	for range maxInterim {
		response, err := http.ReadResponse(reader, request) //nolint:bodyclose // nothing of the body is read, and the connection is closed
		if err != nil {
			return control.Dialled{}
		}
		if response.StatusCode >= http.StatusOK {
			return control.Dialled{Status: response.StatusCode, Answer: gradeResponse(response, e)}
		}
	}
	return control.Dialled{}
}

// unanswered is what a connection without an answer comes to.
func unanswered(err error) control.Dialled {
	if isHangUp(err) {
		return control.Dialled{Answer: control.Rejected}
	}
	return control.Dialled{}
}

// gradeResponse says what an answer in plaintext shows. One that refuses the request, or
// tells that nobody is there to answer it, shows nothing of what the same address would
// answer to another.
func gradeResponse(response *http.Response, e control.Endpoint) control.Answer {
	switch status := response.StatusCode; {
	case status == http.StatusBadRequest:
		return control.Rejected
	case status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusMisdirectedRequest,
		status == http.StatusUpgradeRequired, status >= http.StatusInternalServerError:
		return control.Unclear
	case turnsToTLS(response, e):
		return control.Turned
	default:
		return control.Answered
	}
}

// turnsToTLS reports whether an answer sends the caller to the same host by https.
func turnsToTLS(response *http.Response, e control.Endpoint) bool {
	switch response.StatusCode {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return false
	}
	to, err := url.Parse(response.Header.Get("Location"))
	if err != nil || !strings.EqualFold(to.Scheme, "https") {
		return false
	}
	host := e.Host
	if host == "" {
		host = e.Address
	}
	return strings.EqualFold(to.Hostname(), host)
}
