package cluster

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Metrics asks the manager for its metrics with a token, and returns what it
// answers. The manager signs its own certificate for this port.
func (o *Operator) Metrics(ctx context.Context, token string) (status int, text string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("https://127.0.0.1:%d/metrics", o.ports[1]), http.NoBody)
	if err != nil {
		return 0, "", fmt.Errorf("asking for metrics: %w", err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	plain := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // loopback, to a process of ours
	}}
	response, err := plain.Do(request)
	if err != nil {
		return 0, "", fmt.Errorf("asking for metrics: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, "", fmt.Errorf("reading metrics: %w", err)
	}
	return response.StatusCode, string(body), nil
}

// MetricsReader makes a ServiceAccount that may read the metrics and returns a
// token of it.
func (c *Cluster) MetricsReader(ctx context.Context) (string, error) {
	const name = "metrics-reader"
	for _, arguments := range [][]string{
		{"create", "serviceaccount", name, "-n", Namespace},
		{"create", "clusterrolebinding", name, "--clusterrole=hipaa-operator-metrics-reader", "--serviceaccount=" + Namespace + ":" + name},
	} {
		if out, err := c.Run(ctx, arguments...); err != nil && !strings.Contains(out, "already exists") {
			return "", fmt.Errorf("making a reader of metrics: %w\n%s", err, out)
		}
	}
	token, err := c.Run(ctx, "create", "token", name, "-n", Namespace)
	if err != nil {
		return "", fmt.Errorf("making a token of the reader of metrics: %w\n%s", err, token)
	}
	return strings.TrimSpace(token), nil
}

// Sum adds up the series of a metric whose labels contain a text, in the text
// format of Prometheus.
func Sum(metrics, name, labels string) (float64, error) {
	sum := 0.0
	lines := bufio.NewScanner(strings.NewReader(metrics))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		series, value, found := strings.Cut(lines.Text(), "} ")
		if !found || !strings.HasPrefix(series, name+"{") || !strings.Contains(series, labels) {
			continue
		}
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the value of %s: %w", name, err)
		}
		sum += n
	}
	return sum, nil
}
