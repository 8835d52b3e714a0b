package proxy

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// admin serves readiness and metrics.
func (p *proxy) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", p.readyz)
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{Registry: p.registry}))
	return mux
}

// readyz says what is there and what is missing, one line each. What could not be taken
// is told also while the one before is in use.
func (p *proxy) readyz(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	status := http.StatusOK
	var text strings.Builder
	line := func(name string, ok bool, problem error) {
		mark, word := "[+]", "ok"
		if !ok {
			mark, word, status = "[-]", "no", http.StatusServiceUnavailable
		}
		if problem != nil {
			// A line each, also where the error has several.
			word += ": " + strings.ReplaceAll(problem.Error(), "\n", "; ")
		}
		fmt.Fprintf(&text, "%s%s %s\n", mark, name, word)
	}
	line("certificate", p.certified(), p.certificate)
	// A port that does not open keeps a new proxy from being sent callers, and does not
	// take them from one that serves others already.
	line("configuration", p.current != nil && p.whole, p.configuration)
	if silence := p.ways.answering.silence(); silence != nil {
		line("names", false, silence)
	}
	line("in service", !p.ending, nil)
	if p.current != nil {
		line("signature", true, p.signature())
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text.String())) // the caller may be gone
}

// certified reports whether peers may take this proxy's certificate. One that has ended
// counts for those who know it, as long as the grace lasts: a proxy that called itself
// not ready then would turn the grace into an outage.
func (p *proxy) certified() bool {
	c := p.keeper.Certificate()
	if c == nil {
		return false
	}
	late := p.Now().Sub(c.Leaf.NotAfter)
	return late <= 0 || p.current != nil && late < time.Duration(p.current.OutageGrace) && p.keeper.outage()
}
