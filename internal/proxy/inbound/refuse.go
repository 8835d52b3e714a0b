package inbound

import (
	"net/http"
	"strconv"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
)

// refusal is an answer of the proxy itself.
type refusal struct {
	status int
	reason string
	text   string
	// cited says that a safeguard of the configuration refuses, not the protocol.
	cited bool
}

var (
	refuseStranger = &refusal{http.StatusForbidden, reasonNotAllowed, "this peer may not call this workload; declare it in spec.access.from of the PHIWorkload", true}
	refuseSilent   = &refusal{http.StatusBadGateway, reasonUpstream, "the application does not answer", false}
	refuseLate     = &refusal{http.StatusGatewayTimeout, reasonUpstream, "the application takes too long to answer", false}
	refuseSlow     = &refusal{http.StatusRequestTimeout, reasonSlow, "the request takes too long to arrive", false}
)

// refusalOf is the answer to a message that is refused.
func refusalOf(r *http1.RefusalError) *refusal {
	return &refusal{status: r.Status, reason: r.Reason, text: r.Text}
}

// body is what the caller reads: plain sentences of our own, so nothing needs escapes.
func (f *refusal) body(r *rules) []byte {
	text := append([]byte(`{"error":"`), f.text...)
	if f.cited {
		text = append(text, `","control":"`...)
		text = append(text, r.refusal.Control...)
		text = append(text, `","citation":"`...)
		text = append(text, r.refusal.Citation...)
	}
	return append(text, "\"}\n"...)
}

// append writes the answer as HTTP/1.1; the connection ends after it.
func (f *refusal) append(to []byte, r *rules, isHead bool) []byte {
	body := f.body(r)
	to = append(to, "HTTP/1.1 "...)
	to = strconv.AppendInt(to, int64(f.status), 10)
	to = append(to, ' ')
	to = append(to, http.StatusText(f.status)...)
	to = append(to, "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: "...)
	to = strconv.AppendInt(to, int64(len(body)), 10)
	to = append(to, "\r\n\r\n"...)
	if isHead {
		return to
	}
	return append(to, body...)
}

// write answers a request of HTTP/2.
func (f *refusal) write(w http.ResponseWriter, r *rules) {
	body := f.body(r)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // the caller may be gone
}
