package inbound

import (
	"net/http"
	"strconv"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/users"
)

// refusal is an answer of the proxy itself.
type refusal struct {
	status int
	reason string
	text   string
	// cited says that a safeguard of the configuration refuses, not the protocol.
	cited bool
	// safeguard is the one that refuses, where it is not that of the port.
	safeguard config.Refusal
	// fields are said beside what every refusal says.
	fields []users.Field
	// lasting says that the connection may go on.
	lasting bool
}

var (
	refuseStranger = &refusal{status: http.StatusForbidden, reason: reasonNotAllowed, text: "this peer may not call this workload; declare it in spec.access.from of the PHIWorkload", cited: true}
	refuseSilent   = &refusal{status: http.StatusBadGateway, reason: reasonUpstream, text: "the application does not answer"}
	refuseLate     = &refusal{status: http.StatusGatewayTimeout, reason: reasonUpstream, text: "the application takes too long to answer"}
	// refuseGone is said by an end without an answer.
	refuseGone = &refusal{reason: reasonUpstream}
	refuseFull = &refusal{status: http.StatusServiceUnavailable, reason: reasonCrowded, text: "too many requests are under way; try again soon"}
	refuseSlow = &refusal{status: http.StatusRequestTimeout, reason: reasonSlow, text: "the request takes too long to arrive"}
)

// refusalOf is the answer to a message that is refused.
func refusalOf(r *http1.RefusalError) *refusal {
	return &refusal{status: r.Status, reason: r.Reason, text: r.Text}
}

// body is what the caller reads: plain sentences of our own, so nothing needs escapes.
func (f *refusal) body(r *rules) []byte {
	text := append([]byte(`{"error":"`), f.text...)
	safeguard := f.safeguard
	if f.cited && safeguard == (config.Refusal{}) {
		safeguard = r.refusal
	}
	if safeguard != (config.Refusal{}) {
		text = append(text, `","control":"`...)
		text = append(text, safeguard.Control...)
		text = append(text, `","citation":"`...)
		text = append(text, safeguard.Citation...)
	}
	return append(text, "\"}\n"...)
}

// append writes the answer as HTTP/1.1.
func (f *refusal) append(to []byte, r *rules, isHead, closing bool) []byte {
	body := f.body(r)
	to = append(to, "HTTP/1.1 "...)
	to = strconv.AppendInt(to, int64(f.status), 10)
	to = append(to, ' ')
	to = append(to, http.StatusText(f.status)...)
	to = append(to, "\r\nContent-Type: application/json\r\n"...)
	for _, field := range f.fields {
		to = append(to, field.Name...)
		to = append(to, ": "...)
		to = append(to, field.Value...)
		to = append(to, "\r\n"...)
	}
	if closing {
		to = append(to, "Connection: close\r\n"...)
	}
	to = append(to, "Content-Length: "...)
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
	for _, field := range f.fields {
		w.Header().Add(field.Name, field.Value)
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(f.status)
	_, _ = w.Write(body) // the caller may be gone
}
