package canary

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	corev1client "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// answer is how one API server stored the Secret.
type answer struct {
	// process tells it from the others.
	process   string
	providers []string
}

// inconclusive is an answer that shows nothing; its text goes into verdicts.
type inconclusive string

func (e inconclusive) Error() string { return string(e) }

// sentenceOf is what verdicts say of an error: never what a server answered.
func sentenceOf(err error) string {
	reason, is := errors.AsType[inconclusive](err)
	switch {
	case is:
		return string(reason)
	case apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err):
		return "the operator may not read the metrics of the API server, or not write its own Secret"
	case apierrors.IsNotFound(err):
		return "the Secret " + SecretName + " is not installed"
	default:
		return "an API server could not be reached, or did not answer"
	}
}

// askOne writes the Secret by way of one API server, and compares what that counted
// before and after. Both are asked over one connection, which leads to one server
// unless something between them shares it out. A server that was asked before is not
// written to again.
func (c *Canary) askOne(ctx context.Context, target *rest.Config, asked map[string]bool) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	core, closeIdle, err := oneConnection(target)
	if err != nil {
		return answer{}, err
	}
	defer closeIdle()
	before, err := read(ctx, core)
	if err != nil {
		return answer{}, err
	}
	switch {
	case before.process == "":
		return answer{}, inconclusive("its metrics do not say which process they are of")
	case asked[before.process]:
		return answer{process: before.process}, nil
	}
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"hipaa-operator.io/canary":%q}}}`, rand.Text())
	if _, err := core.Secrets(c.Namespace).Patch(ctx, SecretName, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
		return answer{}, fmt.Errorf("writing the Secret: %w", err)
	}
	after, err := read(ctx, core)
	if err != nil {
		return answer{}, err
	}
	providers, err := between(before, after)
	return answer{process: before.process, providers: providers}, err
}

// largestMetrics bounds what is read of an API server; that of a large cluster counts
// some ten megabytes.
const largestMetrics = 256 << 20

func read(ctx context.Context, core *corev1client.CoreV1Client) (*counts, error) {
	text, err := core.RESTClient().Get().AbsPath("/metrics").Stream(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the metrics of the API server: %w", err)
	}
	defer func() { _ = text.Close() }()
	return count(io.LimitReader(text, largestMetrics))
}

// oneConnection is a client that connects once and no more.
func oneConnection(target *rest.Config) (*corev1client.CoreV1Client, func(), error) {
	target = rest.CopyConfig(target)
	dial := target.Dial
	if dial == nil {
		dial = (&net.Dialer{Timeout: 10 * time.Second}).DialContext
	}
	var connected atomic.Bool
	target.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if connected.Swap(true) {
			return nil, inconclusive("the connection to the API server did not last")
		}
		return dial(ctx, network, address)
	}
	if target.Proxy == nil {
		target.Proxy = http.ProxyFromEnvironment // as by default; client-go shares no transport with a function in it
	}
	h, err := rest.HTTPClientFor(target)
	if err != nil {
		return nil, nil, fmt.Errorf("making a client for one API server: %w", err)
	}
	core, err := corev1client.NewForConfigAndClient(target, h)
	if err != nil {
		return nil, nil, fmt.Errorf("making a client for one API server: %w", err)
	}
	return core, h.CloseIdleConnections, nil
}

// between says under which providers Secrets were stored from one reading to the next.
func between(before, after *counts) ([]string, error) {
	if before.process != after.process {
		return nil, inconclusive("what stands before the API servers shares one connection out among them")
	}
	var providers []string
	for provider, n := range after.stored {
		if n > before.stored[provider] {
			providers = append(providers, provider)
		}
	}
	slices.Sort(providers)
	switch {
	case len(providers) > 0:
		return providers, nil
	case after.unlabelled > before.unlabelled:
		return nil, inconclusive("its metrics do not tell Secrets from other resources")
	case after.written <= before.written:
		return nil, inconclusive("what stands before the API servers led the writing to another one than the reading")
	case after.silent():
		return nil, inconclusive("it has an encryption configuration, or hides metrics, and counted nothing")
	default:
		return []string{control.InTheClear}, nil
	}
}
