package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A sandbox starts this program anew as its first process; here that is the test binary.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == holdCommand {
		os.Exit(holdSandbox(os.Stdout, os.Args[2]))
	}
	os.Exit(m.Run())
}

// nodeCache skips where there can be no real node, and where its programs were never asked for.
func nodeCache(t *testing.T) cache {
	t.Helper()
	c := realCache(t)
	if missing := c.missing(nodeComponents); len(missing) > 0 {
		t.Skipf("skipped: %d programs of a node are not in %s; run `go run . build --node` first", len(missing), c.dir)
	}
	if why := nodeObstacle(t.Context(), nodeFolders(c), t.Output()); why != "" {
		t.Skip("skipped: no real node here: " + why)
	}
	return c
}

// traces is what a node could leave on the machine.
func traces(t *testing.T) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for name, command := range map[string]string{
		"links":   "ip -o link | cut -d: -f2",
		"rules":   "nft list tables",
		"kernel":  "cd /proc/sys && head vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops",
		"mounts":  "cut -d' ' -f2 /proc/mounts",
		"folders": "ls -d /var/lib/cni /var/lib/kubelet /var/log/pods /var/log/containers /run/containerd /run/netns /opt/containerd 2>/dev/null || true",
	} {
		out, err := exec.Command("sh", "-c", command).CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", command, err, out)
		}
		seen[name] = string(out)
	}
	return seen
}

// cgroups are those of all clusters of the session.
func (s *session) cgroups(t *testing.T) []string {
	t.Helper()
	var found []string
	for _, dir := range names(t, s.tmp) {
		for _, pattern := range []string{"", "*"} {
			trees, err := filepath.Glob(filepath.Join(cgroupRoot, pattern, dir))
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, trees...)
		}
	}
	return found
}

// insideSandbox are the processes of the session's node, whatever they call themselves.
func (s *session) insideSandbox(t *testing.T) (count func() int) {
	t.Helper()
	home := ""
	for _, pid := range s.processes(t) {
		if slices.Contains(s.arguments(t, pid), holdCommand) {
			home, _ = os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
		}
	}
	if home == "" {
		t.Fatal("no process holds the sandbox")
	}
	return func() int {
		spaces, err := filepath.Glob("/proc/[0-9]*/ns/pid")
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for _, space := range spaces {
			if its, err := os.Readlink(space); err == nil && its == home {
				n++
			}
		}
		return n
	}
}

// podProcesses counts the processes in the session's cgroups.
func podProcesses(t *testing.T, cgroups []string) int {
	t.Helper()
	count := 0
	for _, tree := range cgroups {
		err := filepath.WalkDir(tree, func(path string, _ os.DirEntry, err error) error {
			if err == nil && filepath.Base(path) == "cgroup.procs" {
				var content []byte
				content, err = os.ReadFile(path)
				count += bytes.Count(content, []byte("\n"))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return count
}

func (s *session) wantCgroupsGone(t *testing.T, cgroups []string) {
	t.Helper()
	for _, tree := range cgroups {
		if _, err := os.Stat(tree); err == nil {
			t.Errorf("left the cgroup %s", tree)
		}
	}
}

func TestRealNodesSideBySideLeaveNothing(t *testing.T) {
	c := nodeCache(t)
	before := traces(t)
	var sessions []*session
	for range 2 {
		sessions = append(sessions, startTool(t, nil, "up", "--node"))
	}
	for _, s := range sessions {
		s.awaitReady(t)
		// Both have the same addresses, each in a network of its own; the relay keeps the API servers apart.
		if out := s.kubectl(t, c, "", "get", "node", realNodeName, "-o", "jsonpath={.status.addresses[0].address}"); out != bridgeAddress {
			t.Errorf("the node's address is %q", out)
		}
		if diff := cmp.Diff(before, traces(t)); diff != "" {
			t.Errorf("a running node shows on the machine (-before +now):\n%s", diff)
		}
	}
	for _, s := range sessions {
		cgroups, inside := s.cgroups(t), s.insideSandbox(t)
		if podProcesses(t, cgroups) == 0 || inside() == 0 {
			t.Error("no pod runs in the cluster's cgroups")
		}
		s.signal(t, syscall.SIGTERM)
		if code := s.exitCode(t); code != exitOK {
			t.Errorf("exit code %d:\n%s", code, s.out)
		}
		s.wantNothingLeft(t)
		s.wantCgroupsGone(t, cgroups)
		if n := inside(); n > 0 {
			t.Errorf("%d processes of the node still run", n)
		}
	}
	if diff := cmp.Diff(before, traces(t)); diff != "" {
		t.Errorf("left traces (-before +after):\n%s", diff)
	}
}

func TestTheKernelClearsUpAfterAKilledTool(t *testing.T) {
	nodeCache(t)
	before := traces(t)
	s := startTool(t, nil, "up", "--node")
	s.awaitReady(t)
	cgroups, inside := s.cgroups(t), s.insideSandbox(t)
	s.signal(t, syscall.SIGKILL)
	eventually(t, "every process has ended", func() bool {
		return len(s.processes(t)) == 0 && podProcesses(t, cgroups) == 0 && inside() == 0
	})
	if diff := cmp.Diff(before, traces(t)); diff != "" {
		t.Errorf("left traces (-before +after):\n%s", diff)
	}
	// What the kernel keeps are files and empty cgroups; they go with the next sweep.
	t.Setenv("TMPDIR", s.tmp)
	old := time.Now().Add(-time.Hour)
	for _, dir := range names(t, s.tmp) {
		if err := os.Chtimes(workdirLock(filepath.Join(s.tmp, dir)), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, errOut := runTool(t, nil, "down"); code != exitOK {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	wantNoWorkdir(t)
	s.wantCgroupsGone(t, cgroups)
}

func TestRunStandsInTheNodesNetwork(t *testing.T) {
	nodeCache(t)
	// The pods' network is there for the command, and the way out of the machine is not.
	s := startTool(t, nil, "run", "--node", "--network-policies", "--", "sh", "-ec", `
kubectl run probe --image=localcluster.local/pause:1 --image-pull-policy=Never
kubectl wait --for=condition=Ready pod/probe --timeout=60s
ip route
until nft list table inet localcluster-policies; do sleep 0.1; done
test -S "$LOCALCLUSTER_CONTAINERD"
nsenter --net --target "$LOCALCLUSTER_NODE_PID" true`)
	if code := s.exitCode(t); code != 0 {
		t.Errorf("exit code %d:\n%s", code, s.out)
	}
	if out := s.out.String(); !strings.Contains(out, podRange+" dev "+bridgeName) || strings.Contains(out, "default via") {
		t.Errorf("the command did not stand in the node's network:\n%s", out)
	}
	s.wantNothingLeft(t)
}

func TestWithoutANodeTheControlPlaneRuns(t *testing.T) {
	realCache(t)
	// Below /run a node would hide its own folder; any obstacle is handled alike.
	if runtime.GOOS != "linux" {
		t.Skip("skipped: the folder exists on Linux only")
	}
	dir, err := os.MkdirTemp("/run", "localcluster-test-") //nolint:usetesting // the place is the point
	if err != nil {
		t.Skipf("skipped: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	s := startTool(t, []string{"env", "TMPDIR=" + dir}, "run", "--node", "--", "sh", "-c", `echo "told: $LOCALCLUSTER_NO_NODE"; kubectl get nodes`)
	if code := s.exitCode(t); code != exitOK {
		t.Errorf("exit code %d:\n%s", code, s.out)
	}
	for _, want := range []string{"no real node here: ", "Going on with the control plane alone", "told: ", "No resources found"} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("said nothing of %q:\n%s", want, s.out)
		}
	}
}
