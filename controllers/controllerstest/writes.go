package controllerstest

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"k8s.io/client-go/rest"
)

// writes notes every request of an operator that is not a read.
type writes struct {
	mu   sync.Mutex
	seen []string
}

func (w *writes) list() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

func (w *writes) watch(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodGet {
			w.mu.Lock()
			w.seen = append(w.seen, r.Method+" "+r.URL.Path)
			w.mu.Unlock()
		}
		return next.RoundTrip(r)
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

var (
	requestTotal = regexp.MustCompile(`^apiserver_request_total\{(.*)\} (\S+)$`)
	label        = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// ServerWrites counts, by the API server's own metrics, the writes of anybody to
// the resources that the operator may write, as resource/subresource.
func (c *Cluster) ServerWrites(ctx context.Context) (map[string]float64, error) {
	client, err := rest.HTTPClientFor(c.config)
	if err != nil {
		return nil, fmt.Errorf("making a client: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.config.Host+"/metrics", http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking for metrics: %w", err)
	}
	defer response.Body.Close()
	counts := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		count(lines.Text(), counts)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	return counts, nil
}

func count(line string, counts map[string]float64) {
	metric := requestTotal.FindStringSubmatch(line)
	if metric == nil {
		return
	}
	labels := map[string]string{}
	for _, l := range label.FindAllStringSubmatch(metric[1], -1) {
		labels[l[1]] = l[2]
	}
	if slices.Contains([]string{"GET", "LIST", "WATCH", "CONNECT"}, labels["verb"]) {
		return
	}
	if !slices.Contains([]string{
		"phiworkloads", "complianceprofiles", "controlexceptions", "vendors", "networkpolicies", "pods", "events", "namespaces", "configmaps",
	}, labels["resource"]) {
		return
	}
	value, err := strconv.ParseFloat(metric[2], 64)
	if err != nil {
		return
	}
	counts[strings.TrimSuffix(labels["resource"]+"/"+labels["subresource"], "/")] += value
}
