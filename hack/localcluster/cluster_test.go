package main

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// These tests start real clusters. They need the programs in the cache, and never build them.

// session is one run of the tool in a temporary folder of its own.
type session struct {
	tmp, kubeconfig, marker string
	cmd                     *exec.Cmd
	out                     *bytes.Buffer // read it only after the end
	ended                   chan error
}

func realCache(t *testing.T) cache {
	t.Helper()
	if testing.Short() {
		t.Skip("skipped: -short, and this test starts a real cluster")
	}
	c, err := openCache(os.Getenv)
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	if missing := c.missing(allComponents); len(missing) > 0 {
		t.Skipf("skipped: %d of Kubernetes' programs are not in %s; run `go run . build` first", len(missing), c.dir)
	}
	return c
}

// startTool builds the tool and runs it; wrap goes before its command line.
func startTool(t *testing.T, wrap []string, args ...string) *session {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "localcluster")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("building the tool: %v\n%s", err, out)
	}
	s := &session{
		tmp: filepath.Join(dir, "tmp"), kubeconfig: filepath.Join(dir, "kubeconfig"), marker: filepath.Join(dir, "marker"),
		out: &bytes.Buffer{}, ended: make(chan error, 1),
	}
	if err := os.Mkdir(s.tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	line := append(append(wrap, program, args[0], "--kubeconfig", s.kubeconfig), args[1:]...)
	s.cmd = exec.Command(line[0], line[1:]...)
	s.cmd.Env = append(os.Environ(), "TMPDIR="+s.tmp, "MARKER="+s.marker)
	s.cmd.Stdout, s.cmd.Stderr = s.out, s.out
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	t.Cleanup(func() {
		for _, pid := range s.processes(t) { // only after a failure
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return s
}

func (s *session) awaitReady(t *testing.T) {
	t.Helper()
	for ready := false; !ready; {
		eventually(t, "the kubeconfig is written", func() bool {
			if len(s.ended) > 0 {
				return true
			}
			_, err := os.Stat(s.kubeconfig)
			ready = err == nil
			return ready
		})
		if !ready {
			t.Fatalf("the tool ended (or hangs) before the cluster was ready:\n%s", s.out)
		}
	}
}

func (s *session) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// exitCode waits for the tool's end.
func (s *session) exitCode(t *testing.T) int {
	t.Helper()
	err := <-s.ended
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return s.cmd.ProcessState.ExitCode()
}

// processes are those whose command line names the session's folder: the tool and every server.
func (s *session) processes(t *testing.T) []int {
	t.Helper()
	out, err := exec.Command("ps", "-A", "-o", "pid=", "-o", "args=").Output()
	if err != nil {
		t.Skipf("skipped: ps is needed to look for processes: %v", err)
	}
	var pids []int
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		if strings.Contains(line, filepath.Dir(s.tmp)) {
			pid, err := strconv.Atoi(fields[0])
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// arguments are the words of a process's command line; a process that is gone has one empty word.
func (s *session) arguments(t *testing.T, pid int) []string {
	t.Helper()
	out, err := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output()
	if words := strings.Fields(string(out)); err == nil && len(words) > 0 {
		return words
	}
	return []string{""}
}

func (s *session) wantNoProcess(t *testing.T) {
	t.Helper()
	eventually(t, "no process of the cluster is left", func() bool { return len(s.processes(t)) == 0 })
}

func (s *session) wantNothingLeft(t *testing.T) {
	t.Helper()
	s.wantNoProcess(t)
	if left := names(t, s.tmp); len(left) > 0 {
		t.Errorf("left %v in the temporary folder", left)
	}
	if _, err := os.Stat(s.kubeconfig); err == nil {
		t.Error("left the kubeconfig")
	}
}

// kubectl fails the test unless the command succeeds, and returns its output.
func (s *session) kubectl(t *testing.T, c cache, stdin string, args ...string) string {
	t.Helper()
	out, err := s.tryKubectl(c, stdin, args...)
	if err != nil {
		t.Fatalf("kubectl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (s *session) tryKubectl(c cache, stdin string, args ...string) (string, error) {
	cmd := exec.Command(c.path(kubectlComponent), append([]string{"--kubeconfig", s.kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

const testManifest = `
apiVersion: v1
kind: Namespace
metadata: {name: clinic}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: clinic}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      initContainers:
      - {name: proxy, image: example.org/proxy, restartPolicy: Always, startupProbe: {tcpSocket: {port: 15000}}}
      containers:
      - {name: web, image: example.org/web}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: web, namespace: clinic}
spec:
  minAvailable: 2
  selector: {matchLabels: {app: web}}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once, namespace: clinic}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: once, image: example.org/once}]
`

func TestUpRunsPodsAndStopsWithoutATrace(t *testing.T) {
	c := realCache(t)
	audit := filepath.Join(t.TempDir(), "audit.log")
	s := startTool(t, nil, "up", "--simulated-node", "--print-env", "--audit-log", audit)
	s.awaitReady(t)
	s.kubectl(t, c, testManifest, "apply", "-f", "-")
	s.kubectl(t, c, "", "-n", "clinic", "rollout", "status", "deployment/web", "--timeout=60s")
	s.kubectl(t, c, "", "-n", "clinic", "wait", "--for=condition=complete", "job/once", "--timeout=60s")
	pods := s.kubectl(t, c, "", "-n", "clinic", "get", "pods", "-l", "app=web", "--no-headers")
	if strings.Count(pods, "2/2") != 2 || strings.Count(pods, "Running") != 2 {
		t.Errorf("want two running pods with a sidecar each, got\n%s", pods)
	}
	s.wantEvictionRefused(t, c)
	s.kubectl(t, c, "", "-n", "clinic", "create", "token", "default")
	s.wantMetrics(t, c)
	s.kubectl(t, c, "", "delete", "namespace", "clinic", "--timeout=60s")

	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != exitOK {
		t.Errorf("exit code %d", code)
	}
	s.wantNothingLeft(t)
	if events := readFile(t, audit); !strings.Contains(events, `"name":"web"`) || strings.Contains(events, "responseObject") {
		t.Error("the audit log misses the deployment, or holds bodies")
	}
	for _, want := range []string{"is ready after", "export KUBECONFIG='" + s.kubeconfig + "'", "Stopping"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("output lacks %q:\n%s", want, s.out)
		}
	}
}

// wantEvictionRefused asks to evict a pod that its disruption budget protects.
func (s *session) wantEvictionRefused(t *testing.T, c cache) {
	t.Helper()
	eventually(t, "the budget is observed", func() bool {
		out, err := s.tryKubectl(c, "", "-n", "clinic", "get", "pdb", "web", "-o", "jsonpath={.status.currentHealthy}")
		return err == nil && out == "2"
	})
	name := s.kubectl(t, c, "", "-n", "clinic", "get", "pods", "-l", "app=web", "-o", "jsonpath={.items[0].metadata.name}")
	out, err := s.tryKubectl(c, `{"apiVersion":"policy/v1","kind":"Eviction","metadata":{"name":"`+name+`","namespace":"clinic"}}`,
		"create", "-f", "-", "--raw", "/api/v1/namespaces/clinic/pods/"+name+"/eviction")
	if err == nil || !strings.Contains(out, "disruption budget") {
		t.Errorf("evicting a protected pod: %v\n%s", err, out)
	}
}

// wantMetrics reads the metrics of every server as the admin does.
func (s *session) wantMetrics(t *testing.T, c cache) {
	t.Helper()
	if out := s.kubectl(t, c, "", "get", "--raw", "/metrics"); !strings.Contains(out, "apiserver_request_total") {
		t.Error("no metrics of the API server")
	}
	dirs, err := filepath.Glob(filepath.Join(s.tmp, workdirPrefix+"*"))
	if err != nil || len(dirs) != 1 {
		t.Fatalf("finding the cluster's folder: %v, %v", dirs, err)
	}
	pki := filepath.Join(dirs[0], "pki")
	for server, metric := range map[string]string{"kube-controller-manager": "workqueue_adds_total", "kube-scheduler": "scheduler_schedule_attempts_total"} {
		log := readFile(t, filepath.Join(dirs[0], server+".log"))
		address := regexp.MustCompile(`Serving securely on (127\.0\.0\.1:\d+)`).FindStringSubmatch(log)
		if address == nil {
			t.Fatalf("%s does not say where it serves", server)
		}
		l, err := readLogin("https://"+address[1], "admin", pairIn(pki, "ca").cert, pairIn(pki, "admin"))
		if err != nil {
			t.Fatal(err)
		}
		client, err := l.client()
		if err != nil {
			t.Fatal(err)
		}
		body, err := client.open(t.Context(), request{method: http.MethodGet, path: "/metrics"})
		if err != nil {
			t.Fatalf("reading the metrics of %s: %v", server, err)
		}
		var text bytes.Buffer
		_, err = text.ReadFrom(body)
		if err = errors.Join(err, body.Close()); err != nil || !strings.Contains(text.String(), metric) {
			t.Errorf("%s: %v, no %s", server, err, metric)
		}
	}
}

func TestKilledToolLeavesNoProcess(t *testing.T) {
	realCache(t)
	if runtime.GOOS != "linux" {
		t.Skip("skipped: only Linux has a parent-death signal")
	}
	s := startTool(t, nil, "up")
	s.awaitReady(t)
	if got := len(s.processes(t)); got < 5 {
		t.Fatalf("found %d processes, want the tool and four servers", got)
	}
	s.signal(t, syscall.SIGKILL)
	if code := s.exitCode(t); code != -1 {
		t.Errorf("exit code %d of a killed process", code)
	}
	s.wantNoProcess(t)
}

func TestToolStopsWhenItsParentDies(t *testing.T) {
	realCache(t)
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("skipped: these tests run under nohup, where the tool outlives its parent")
	}
	// The shell does what `go run` does: it waits, and passes no signal on.
	s := startTool(t, []string{"sh", "-c", `"$@" & wait`, "sh"}, "up")
	s.awaitReady(t)
	s.signal(t, syscall.SIGKILL)
	s.wantNothingLeft(t)
}

func TestToolUnderNohupOutlivesItsParent(t *testing.T) {
	c := realCache(t)
	s := startTool(t, []string{"sh", "-c", `trap '' HUP; "$@" & wait`, "sh"}, "up")
	s.awaitReady(t)
	s.signal(t, syscall.SIGKILL)
	<-time.After(3 * parentInterval)
	s.kubectl(t, c, "", "get", "--raw", "/readyz")
	for _, pid := range s.processes(t) {
		if slices.Contains(s.arguments(t, pid), "up") {
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	s.wantNothingLeft(t)
}

func TestToolStopsWhenAServerDies(t *testing.T) {
	c := realCache(t)
	s := startTool(t, nil, "up")
	s.awaitReady(t)
	killServer(t, s, c.path(schedulerComponent))
	if code := s.exitCode(t); code != exitFailed {
		t.Errorf("exit code %d", code)
	}
	if out := s.out.String(); !strings.Contains(out, "kube-scheduler ended early (signal: killed); the end of its log:\n  ") {
		t.Errorf("output does not say what happened:\n%s", out)
	}
	s.wantNothingLeft(t)
}

// killServer ends the one process of the session that runs this program.
func killServer(t *testing.T, s *session, program string) {
	t.Helper()
	for _, pid := range s.processes(t) {
		if s.arguments(t, pid)[0] == program {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("%s does not run", program)
}

func TestRunExitsAsItsCommandDoes(t *testing.T) {
	realCache(t)
	// The command leaves a process behind, which must go too; its last argument makes it one of the session's.
	s := startTool(t, nil, "run", "--", "sh", "-c", `kubectl get namespace kube-system -o name && (sh -c 'sleep 1000; :' "$KUBECONFIG" &) ; exit 7`)
	if code := s.exitCode(t); code != 7 {
		t.Errorf("exit code %d, want the command's 7:\n%s", code, s.out)
	}
	if !strings.Contains(s.out.String(), "namespace/kube-system") {
		t.Errorf("kubectl did not reach the cluster:\n%s", s.out)
	}
	s.wantNothingLeft(t)
}

func TestRunPassesTheSignalOn(t *testing.T) {
	realCache(t)
	s := startTool(t, nil, "run", "--", "sh", "-c", `trap 'exit 9' TERM; touch "$MARKER"; while :; do sleep 0.05; done`)
	eventually(t, "the command runs", func() bool { _, err := os.Stat(s.marker); return err == nil })
	s.signal(t, syscall.SIGTERM)
	if code := s.exitCode(t); code != 9 {
		t.Errorf("exit code %d, want the command's 9:\n%s", code, s.out)
	}
	s.wantNothingLeft(t)
}
