package canary

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// counts are what an API server counted of the storing of Secrets.
type counts struct {
	// process tells one run of one server from others.
	process string
	// stored counts Secrets that were stored, by provider.
	stored map[string]float64
	// unlabelled counts what was stored encrypted where no label tells of what resource.
	unlabelled float64
	// transformed says that a series of the metric is there, of whatever resource: where
	// there is none, an API server without a configuration looks like one that hides it.
	transformed bool
	// configured and hidden say that an encryption configuration was loaded, and that
	// metrics were turned off.
	configured, hidden bool
	// written counts the requests that wrote Secrets.
	written float64
}

// silent reports whether that nothing was counted may have another reason than that
// nothing was encrypted.
func (c *counts) silent() bool { return !c.transformed && (c.configured || c.hidden) }

var (
	labelPattern = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"`)
	// providerPattern takes the provider out of the prefix of stored values:
	// k8s:enc:aescbc:v1:, and k8s:enc:kms:v2:<name>: of a plugin.
	providerPattern = regexp.MustCompile(`^k8s:enc:([a-z0-9]+):(v[0-9]+):`)
)

// count reads metrics in the text format of Prometheus.
func count(text io.Reader) (*counts, error) {
	c := &counts{stored: map[string]float64{}}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		name, rest := lines.Text(), ""
		if at := strings.IndexAny(name, "{ "); at >= 0 {
			name, rest = name[:at], name[at:]
		}
		switch name {
		case "process_start_time_seconds":
			c.process = strings.TrimSpace(rest)
		case "apiserver_storage_transformation_operations_total":
			c.transformation(series(rest))
		case "apiserver_encryption_config_controller_last_config_info":
			c.configured = true
		case "disabled_metrics_total":
			_, n := series(rest)
			c.hidden = c.hidden || n > 0
		case "apiserver_request_total":
			if strings.Contains(rest, `"secrets"`) {
				c.request(series(rest))
			}
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading metrics: %w", err)
	}
	return c, nil
}

// series takes labels and value apart.
func series(rest string) (map[string]string, float64) {
	labels := map[string]string{}
	end := strings.LastIndex(rest, "}")
	if end > 0 {
		for _, match := range labelPattern.FindAllStringSubmatch(rest[:end], -1) {
			labels[match[1]] = match[2]
		}
	}
	fields := strings.Fields(rest[end+1:])
	if len(fields) == 0 {
		return labels, 0
	}
	n, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return labels, 0
	}
	return labels, n
}

func (c *counts) transformation(labels map[string]string, n float64) {
	c.transformed = true
	if labels["transformation_type"] != "to_storage" || labels["status"] != "OK" {
		return
	}
	provider := providerOf(labels["transformer_prefix"])
	resource, labelled := labels["resource"]
	switch {
	case provider == "":
	case !labelled:
		c.unlabelled += n
	case resource == "secrets":
		c.stored[provider] += n
	}
}

// providerOf names a provider by the prefix of what it stores; empty is none: what
// encrypts under several keys counts each key as well. In the clear there is no prefix.
func providerOf(prefix string) string {
	if prefix == "" || prefix == control.InTheClear {
		return control.InTheClear
	}
	match := providerPattern.FindStringSubmatch(prefix)
	switch {
	case match == nil:
		return ""
	case match[1] == "kms":
		return "kms " + match[2]
	default:
		return match[1]
	}
}

func (c *counts) request(labels map[string]string, n float64) {
	if labels["resource"] != "secrets" || labels["group"] != "" || labels["subresource"] != "" || labels["dry_run"] != "" || !strings.HasPrefix(labels["code"], "2") {
		return
	}
	switch labels["verb"] {
	case "POST", "PUT", "PATCH", "APPLY":
		c.written += n
	}
}
