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
	"net/textproto"
	"strings"
	"sync"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

const (
	// probePatience is more than any probe should be given.
	probePatience = 30 * time.Second
	// maxProbeHead is how long the head of an answer may be. Nothing is read of its body.
	maxProbeHead = 32 << 10
	// probeAgent is what applications tell probes by that are asked without a name.
	probeAgent = "kube-probe/phi-proxy"
)

// asker asks each question of a configuration once at a time: whoever asks it meanwhile
// hears the same answer. So however often the port is asked, the application is not.
type asker struct {
	dial func(ctx context.Context, port int) (net.Conn, error)

	mu      sync.Mutex
	pending map[string]*asked
}

// asked is a question that is under way.
type asked struct {
	done chan struct{}
	well bool
	// hearers wait for the answer; without any it is given up.
	hearers int
	stop    context.CancelFunc
}

// ask reports whether the application is well, or false once the context ends.
func (a *asker) ask(ctx context.Context, probe *config.Probe) bool {
	q := a.join(ctx, probe)
	defer a.leave(probe.Path, q)
	select {
	case <-q.done:
		return q.well
	case <-ctx.Done():
		return false
	}
}

func (a *asker) join(ctx context.Context, probe *config.Probe) *asked {
	a.mu.Lock()
	defer a.mu.Unlock()
	if q := a.pending[probe.Path]; q != nil {
		q.hearers++
		return q
	}
	if a.pending == nil {
		a.pending = map[string]*asked{}
	}
	// The end of whoever asked first is not that of the others.
	alone, stop := context.WithTimeout(context.WithoutCancel(ctx), probePatience)
	q := &asked{done: make(chan struct{}), hearers: 1, stop: stop}
	a.pending[probe.Path] = q
	go func() {
		q.well = a.put(alone, probe) == nil
		a.over(probe.Path, q)
		close(q.done)
	}()
	return q
}

func (a *asker) leave(path string, q *asked) {
	a.mu.Lock()
	q.hearers--
	left := q.hearers > 0
	a.mu.Unlock()
	if !left {
		a.over(path, q)
	}
}

// over ends a question; who comes now puts it anew.
func (a *asker) over(path string, q *asked) {
	a.mu.Lock()
	defer a.mu.Unlock()
	q.stop()
	if a.pending[path] == q {
		delete(a.pending, path)
	}
}

// probe asks the application what the kubelet wants to know. Only the verdict goes
// back: the port is open to the node, and what an application says is not for it.
func (p *proxy) probe(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	current := p.current
	p.mu.Unlock()
	status := http.StatusServiceUnavailable
	if found := probeAt(current, r.URL.Path); found == nil {
		status = http.StatusNotFound
	} else if p.probes.ask(r.Context(), found) {
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

// put returns nil where the application is well.
func (a *asker) put(ctx context.Context, probe *config.Probe) error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return a.dial(ctx, probe.Port) }
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
		return askHTTP(ctx, probe, dial)
	}
}

type dialer func(ctx context.Context, network, address string) (net.Conn, error)

var errUnwell = errors.New("the application does not say that it is well")

// askHTTP asks as the kubelet does: any certificate is taken, and every status from 200
// to 399 is well.
func askHTTP(ctx context.Context, probe *config.Probe, dial dialer) error {
	scheme := "http"
	if probe.Scheme == config.SchemeHTTPS {
		scheme = "https"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+fmt.Sprintf("127.0.0.1:%d", probe.Port)+probe.Target, nil)
	if err != nil {
		return err
	}
	req.Header = http.Header{"Accept": {"*/*"}, "User-Agent": {probeAgent}}
	// The first of a name replaces what stands there otherwise, as with the kubelet.
	given := http.Header{}
	for _, f := range probe.Fields {
		name := textproto.CanonicalMIMEHeaderKey(f.Name)
		if given.Add(name, f.Value); name == "Host" {
			req.Host = f.Value
			continue
		}
		req.Header[name] = given[name]
	}
	req.Header.Set("Connection", "close")
	transport := &http.Transport{
		DialContext:            dial,
		DisableKeepAlives:      true,
		DisableCompression:     true,
		MaxResponseHeaderBytes: maxProbeHead,
		TLSClientConfig:        &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}, //nolint:gosec // the application is in the same pod, and the kubelet does not ask for more
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
	transport := &http.Transport{DialContext: dial, Protocols: &protocols, MaxResponseHeaderBytes: maxProbeHead}
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
