package proxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// probePatience is more than any probe should be given.
const probePatience = 30 * time.Second

// probe asks the application what the kubelet wants to know. Only the verdict goes
// back: the port is open to the node, and what an application says is not for it.
func (p *proxy) probe(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	current := p.current
	p.mu.Unlock()
	ctx, cancel := context.WithTimeout(r.Context(), probePatience)
	defer cancel()
	status := http.StatusServiceUnavailable
	if found := probeAt(current, r.URL.Path); found == nil {
		status = http.StatusNotFound
	} else if err := p.ask(ctx, found, r); err == nil {
		status = http.StatusOK
	}
	w.WriteHeader(status)
}

func probeAt(c *config.Configuration, path string) *config.Probe {
	if c == nil {
		return nil
	}
	for i := range c.Probes {
		if c.Probes[i].Path == path {
			return &c.Probes[i]
		}
	}
	return nil
}

// ask returns nil where the application is well.
func (p *proxy) ask(ctx context.Context, probe *config.Probe, r *http.Request) error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return p.server.Dial(ctx, probe.Port) }
	switch probe.Kind {
	case config.ProbeTCP:
		c, err := dial(ctx, "", "")
		if err != nil {
			return err
		}
		return c.Close()
	case config.ProbeGRPC:
		return askGRPC(ctx, probe, dial)
	default:
		return askHTTP(ctx, probe, r, dial)
	}
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

var errUnwell = errors.New("the application does not say that it is well")

// askHTTP asks as the kubelet does: with the fields of the probe, any certificate is
// taken, and every status from 200 to 399 is well.
func askHTTP(ctx context.Context, probe *config.Probe, r *http.Request, dial dialer) error {
	scheme := "http"
	if probe.Scheme == config.SchemeHTTPS {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+fmt.Sprintf("127.0.0.1:%d", probe.Port)+probe.Target, nil)
	if err != nil {
		return err
	}
	req.Header, req.Host = r.Header.Clone(), r.Host
	req.Header.Set("Connection", "close")
	transport := &http.Transport{
		DialContext:       dial,
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // the application is in the same pod, and the kubelet does not ask for more
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	_ = res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode >= 400 {
		return errUnwell
	}
	return nil
}

// askGRPC calls grpc.health.v1.Health/Check, of which one field each way matters.
func askGRPC(ctx context.Context, probe *config.Probe, dial dialer) error {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	transport := &http.Transport{DialContext: dial, Protocols: &protocols}
	defer transport.CloseIdleConnections()
	address := fmt.Sprintf("http://127.0.0.1:%d/grpc.health.v1.Health/Check", probe.Port)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(healthRequest(probe.Service)))
	if err != nil {
		return err
	}
	req.Header = http.Header{"Content-Type": {"application/grpc"}, "Te": {"trailers"}, "User-Agent": {"phi-proxy"}}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	const most = 64
	text, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil {
		return err
	}
	// One message, uncompressed: field 1, SERVING.
	if res.StatusCode != http.StatusOK || !bytes.Equal(text, []byte{0, 0, 0, 0, 2, 8, 1}) || strings.Trim(res.Trailer.Get("Grpc-Status"), "0") != "" {
		return errUnwell
	}
	return nil
}

// healthRequest is one message with field 1, the service.
func healthRequest(service string) []byte {
	var message []byte
	if service != "" {
		message = binary.AppendUvarint([]byte{0x0a}, uint64(len(service)))
		message = append(message, service...)
	}
	return append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...) //nolint:gosec // names of services are short
}
