package cluster

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// Namespace is where the operator is installed, and ServiceAccount who it is.
const (
	Namespace      = "hipaa-operator-system"
	ServiceAccount = "hipaa-operator-manager"
)

// Operator is the manager as a process beside the cluster. The API server
// reaches its webhooks by URL, because a simulated node runs no containers.
type Operator struct {
	cluster *Cluster
	binary  string
	ports   []int
	process *Process
}

// NewOperator builds the manager; Start runs it.
func (c *Cluster) NewOperator(ctx context.Context) (*Operator, error) {
	o := &Operator{cluster: c, binary: filepath.Join(c.Workdir, "manager")}
	if _, err := output(ctx, c.Root, "go", "build", "-o", o.binary, "./cmd/manager"); err != nil {
		return nil, fmt.Errorf("building the manager: %w", err)
	}
	var err error
	if o.ports, err = freePorts(3); err != nil {
		return nil, err
	}
	return o, nil
}

// Start runs the manager, with the rights of its ServiceAccount and no others,
// and waits until it is ready. Where it ends before, because what it needs is not
// there yet, it is run again, as a kubelet would. One that runs is left alone.
func (o *Operator) Start(ctx context.Context) error {
	if o.process != nil && o.process.Alive() == nil {
		return nil
	}
	kubeconfig, err := o.cluster.identity(ctx, ServiceAccount)
	if err != nil {
		return err
	}
	if err := o.launch(kubeconfig); err != nil {
		return err
	}
	return Eventually(ctx, "the operator", time.Minute, func() error {
		if ended := o.process.Alive(); ended != nil {
			return cmp.Or(o.launch(kubeconfig), errors.New(ended.Error()))
		}
		if err := o.mountCertificate(ctx); err != nil {
			return err
		}
		return ready(ctx, fmt.Sprintf("http://127.0.0.1:%d/readyz", o.ports[2]))
	})
}

func (o *Operator) launch(kubeconfig string) (err error) {
	o.process, err = Launch(o.Log(), []string{"KUBECONFIG=" + kubeconfig}, o.binary,
		"--namespace="+Namespace,
		fmt.Sprintf("--webhook-port=%d", o.ports[0]),
		"--webhook-base-url="+o.baseURL(),
		"--webhook-cert-dir="+o.certificates(),
		fmt.Sprintf("--metrics-bind-address=127.0.0.1:%d", o.ports[1]),
		fmt.Sprintf("--health-probe-bind-address=127.0.0.1:%d", o.ports[2]),
	)
	if err != nil {
		return fmt.Errorf("starting the manager: %w", err)
	}
	return nil
}

// identity writes a kubeconfig with a token of a ServiceAccount of the operator's
// namespace, once the API server has that.
func (c *Cluster) identity(ctx context.Context, account string) (string, error) {
	var token string
	err := Eventually(ctx, "ServiceAccount "+account, time.Minute, func() error {
		out, err := c.Run(ctx, "create", "token", account, "-n", Namespace, "--duration=12h")
		token = strings.TrimSpace(out)
		return err
	})
	if err != nil {
		return "", err
	}
	config, err := clientcmd.LoadFromFile(c.Kubeconfig)
	if err != nil {
		return "", fmt.Errorf("reading the administrator's kubeconfig: %w", err)
	}
	config.AuthInfos = map[string]*clientcmdapi.AuthInfo{account: {Token: token}}
	for _, named := range config.Contexts {
		named.AuthInfo = account
	}
	path := filepath.Join(c.Workdir, account+".kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		return "", fmt.Errorf("writing the kubeconfig of %s: %w", account, err)
	}
	return path, nil
}

// mountCertificate does what a kubelet would: it puts the Secret with the
// webhook's certificate where the manager reads it.
func (o *Operator) mountCertificate(ctx context.Context) error {
	out, err := o.cluster.Run(ctx, "get", "secret", "hipaa-operator-webhook-cert", "-n", Namespace, "-o", "json")
	if err != nil {
		return fmt.Errorf("reading the webhook's certificate: %w\n%s", err, out)
	}
	var secret corev1.Secret
	if err := json.Unmarshal([]byte(out), &secret); err != nil {
		return fmt.Errorf("decoding the webhook's certificate: %w", err)
	}
	if len(secret.Data["tls.crt"]) == 0 {
		return errors.New("the webhook's certificate is not made yet")
	}
	if err := os.MkdirAll(o.certificates(), 0o700); err != nil {
		return fmt.Errorf("making the folder of certificates: %w", err)
	}
	for name, content := range secret.Data {
		if err := os.WriteFile(filepath.Join(o.certificates(), name), content, 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
	}
	return nil
}

func (o *Operator) baseURL() string { return fmt.Sprintf("https://localhost:%d", o.ports[0]) }

func (o *Operator) certificates() string { return filepath.Join(o.cluster.Workdir, "certs") }

// Log is the file with the manager's output.
func (o *Operator) Log() string { return filepath.Join(o.cluster.Workdir, "manager.log") }

// Stop ends the manager; Start runs it again.
func (o *Operator) Stop() {
	if o.process != nil {
		o.process.Stop()
	}
}

// Pause holds the manager without ending it: an outage on demand.
func (o *Operator) Pause() error { return o.process.signal(stopSignal) }

// Resume lets a paused manager go on.
func (o *Operator) Resume() error { return o.process.signal(continueSignal) }

// PID is the manager's process id.
func (o *Operator) PID() int { return o.process.PID() }

func freePorts(n int) ([]int, error) {
	ports := make([]int, n)
	for i := range ports {
		listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, fmt.Errorf("looking for a free port: %w", err)
		}
		defer func() { _ = listener.Close() }()
		address, err := netip.ParseAddrPort(listener.Addr().String())
		if err != nil {
			return nil, fmt.Errorf("reading a free port: %w", err)
		}
		ports[i] = int(address.Port())
	}
	return ports, nil
}

func ready(ctx context.Context, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("answered %s", response.Status)
	}
	return nil
}
