package controllerstest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ControllerManager is the kube-controller-manager with some of its controllers.
type ControllerManager struct {
	command *exec.Cmd
	folder  string
}

// RunControllerManager starts Kubernetes' own controllers of the given names.
func (c *Cluster) RunControllerManager(names ...string) (*ControllerManager, error) {
	folder, err := os.MkdirTemp("", "controllerstest-")
	if err != nil {
		return nil, fmt.Errorf("making a folder: %w", err)
	}
	m := &ControllerManager{folder: folder}
	kubeconfig, log := filepath.Join(folder, "kubeconfig"), filepath.Join(folder, "log")
	if err := os.WriteFile(kubeconfig, c.environment.KubeConfig, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("writing the kubeconfig: %w", err), m.clean())
	}
	port, err := freePort()
	if err != nil {
		return nil, errors.Join(err, m.clean())
	}
	out, err := os.Create(log)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the log: %w", err), m.clean())
	}
	defer out.Close()
	m.command = exec.Command(filepath.Join(os.Getenv("KUBEBUILDER_ASSETS"), "kube-controller-manager"), //nolint:gosec,noctx // the caller's own tools, stopped by Stop
		"--kubeconfig="+kubeconfig, "--controllers="+strings.Join(names, ","), "--leader-elect=false",
		"--bind-address=127.0.0.1", "--secure-port="+strconv.Itoa(port), "--cert-dir="+folder,
		"--kube-api-qps=500", "--kube-api-burst=1000",
	)
	m.command.Stdout, m.command.Stderr = out, out
	if err := m.command.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting kube-controller-manager: %w", err), m.clean())
	}
	return m, nil
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // closed at once
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("looking for a free port: %T has none", listener.Addr())
	}
	return address.Port, nil
}

// Stop ends it.
func (m *ControllerManager) Stop() error {
	_ = m.command.Process.Signal(syscall.SIGTERM)
	ended := make(chan struct{})
	go func() {
		_ = m.command.Wait() // it says that it was ended by a signal
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		_ = m.command.Process.Kill()
		<-ended
	}
	return m.clean()
}

func (m *ControllerManager) clean() error {
	if err := os.RemoveAll(m.folder); err != nil {
		return fmt.Errorf("removing the folder: %w", err)
	}
	return nil
}

// PlayKubelet makes every pod of a namespace running and ready that nobody keeps
// back by the label ready=never, until the context ends.
func (c *Cluster) PlayKubelet(ctx context.Context, namespace string) error {
	watching, err := c.Admin.Watch(ctx, &corev1.PodList{}, client.InNamespace(namespace))
	if err != nil {
		return fmt.Errorf("watching pods: %w", err)
	}
	go func() {
		defer watching.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case event, open := <-watching.ResultChan():
				if !open {
					return
				}
				if pod, isPod := event.Object.(*corev1.Pod); isPod && event.Type != watch.Deleted {
					c.start(ctx, pod)
				}
			}
		}
	}()
	return nil
}

func (c *Cluster) start(ctx context.Context, pod *corev1.Pod) {
	if pod.Status.Phase == corev1.PodRunning || !pod.DeletionTimestamp.IsZero() {
		return
	}
	ready := corev1.ConditionTrue
	if pod.Labels["ready"] == "never" {
		ready = corev1.ConditionFalse
	}
	started := pod.DeepCopy()
	started.Status.Phase = corev1.PodRunning
	started.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready, LastTransitionTime: metav1.Now()}}
	// Somebody may have been faster, or the pod is gone: the next event tells.
	_ = c.Admin.Status().Patch(ctx, started, client.MergeFrom(pod))
}
