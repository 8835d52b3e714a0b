package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// holdCommand is how the tool starts itself as the first process of a sandbox. Nobody types it.
const holdCommand = "hold-sandbox"

// held is what the first process says once its namespaces are furnished.
const held = "held"

// sandboxFolders are those in which a node's programs leave things behind, under names
// that no flag changes. In a sandbox each is an empty one in memory.
var sandboxFolders = []string{"/run", "/var/lib", "/var/log"}

// kernelSettings are those of the whole machine that a kubelet sets when it starts. No namespace holds
// them, so a node finds files in their place that say what it wants to read.
var kernelSettings = map[string]string{
	"/proc/sys/kernel/keys/root_maxbytes": "25000000",
	"/proc/sys/kernel/keys/root_maxkeys":  "1000000",
	"/proc/sys/kernel/panic":              "10",
	"/proc/sys/kernel/panic_on_oops":      "1",
	"/proc/sys/vm/overcommit_memory":      "1",
	"/proc/sys/vm/panic_on_oom":           "0",
}

// kubeletFolder is where the kubelet keeps volumes and sockets, seen from inside.
const kubeletFolder = "/var/lib/kubelet"

// sandbox is a network, a process tree and a view of the file system of a node's own. All
// three end with its first process, and that ends with the tool, however the tool ends: so
// the kernel itself takes away every process, mount, link and rule that a killed node had.
type sandbox struct {
	first  *exec.Cmd
	inside chan<- func() // runs where the node's programs run
	atNet  chan<- func() // runs in the node's network, with the host's files and processes
}

// newSandbox makes the namespaces. What it starts ends with close. The folder, unless it is "", is
// what the kubelet finds as its own: on a disk, and under a path that is short enough for its sockets.
func newSandbox(kubelet string) (*sandbox, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding this program: %w", err)
	}
	s := &sandbox{first: exec.Command(self, holdCommand, kubelet)}
	s.first.SysProcAttr = ownGroup()
	s.first.SysProcAttr.Cloneflags = unix.CLONE_NEWNET | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC
	s.first.Stderr = nil
	answer, err := s.first.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("making a sandbox: %w", err)
	}
	if err := startedByNursery(s.first); err != nil {
		return nil, fmt.Errorf("making network, process and mount namespaces: %w", err)
	}
	line, err := bufio.NewReader(answer).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, errors.Join(err, s.close())
	}
	if line != held+"\n" {
		return nil, errors.Join(fmt.Errorf("furnishing a sandbox: %s", line), s.close())
	}
	const network = unix.CLONE_NEWNET
	if s.atNet, err = s.thread(network); err == nil {
		s.inside, err = s.thread(network | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// thread returns a queue whose jobs run one by one on an operating system thread that is in
// these namespaces; what they start is born there. The thread lives as long as the sandbox,
// because Linux sends the parent-death signal when the thread ends that started a child.
func (s *sandbox) thread(namespaces int) (chan<- func(), error) {
	jobs, joined := make(chan func()), make(chan error, 1)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		err := joinNamespaces(s.pid(), namespaces)
		joined <- err
		if err != nil {
			return
		}
		for job := range jobs {
			job()
		}
	}()
	if err := <-joined; err != nil {
		return nil, fmt.Errorf("entering the sandbox: %w", err)
	}
	return jobs, nil
}

func joinNamespaces(pid, namespaces int) error {
	// A mount namespace cannot be entered by a thread that shares its working folder with others.
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return err
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	return errors.Join(unix.Setns(fd, namespaces), unix.Close(fd))
}

func (s *sandbox) pid() int { return s.first.Process.Pid }

// start starts a command among the node's programs. It dies with the first process instead of with
// its parent, whom it cannot see: Go's check for a parent that is dead already would always find it so.
func (s *sandbox) start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr != nil {
		cmd.SysProcAttr.Pdeathsig = 0
	}
	return startedOn(s.inside, cmd)
}

// startAtNet starts a command of the caller, which sees the host's files and the node's network.
func (s *sandbox) startAtNet(cmd *exec.Cmd) error { return startedOn(s.atNet, cmd) }

// atNetwork runs work in the node's network.
func (s *sandbox) atNetwork(work func()) {
	done := make(chan struct{})
	s.atNet <- func() {
		defer close(done)
		work()
	}
	<-done
}

// close ends the first process. The kernel ends all others with it, and only then tells us.
func (s *sandbox) close() error {
	if err := s.first.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending the sandbox: %w", err)
	}
	var killed *exec.ExitError
	if err := s.first.Wait(); err != nil && !errors.As(err, &killed) {
		return fmt.Errorf("ending the sandbox: %w", err)
	}
	for _, jobs := range []chan<- func(){s.inside, s.atNet} {
		if jobs != nil {
			close(jobs)
		}
	}
	return nil
}

// holdSandbox is the whole life of a sandbox's first process.
func holdSandbox(out io.Writer, kubelet string) int {
	if err := furnish(kubelet); err != nil {
		fmt.Fprintln(out, err)
		return exitFailed
	}
	// Orphans become children of the first process. Ignoring their signal lets the kernel bury them.
	signal.Ignore(syscall.SIGCHLD, syscall.SIGHUP, syscall.SIGPIPE)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	fmt.Fprintln(out, held)
	<-end
	return exitOK
}

// furnish gives the new namespaces what their programs look for.
func furnish(kubelet string) error {
	// First of all nothing that is mounted here may show outside.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cutting the mounts off from the host: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	for _, folder := range sandboxFolders {
		if err := unix.Mount("tmpfs", folder, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=755"); err != nil {
			return fmt.Errorf("mounting %s: %w", folder, err)
		}
	}
	if err := hideKernelSettings(); err != nil {
		return err
	}
	if kubelet != "" {
		if err := errors.Join(os.Mkdir(kubeletFolder, 0o700), unix.Mount(kubelet, kubeletFolder, "", unix.MS_BIND, "")); err != nil {
			return fmt.Errorf("mounting %s: %w", kubeletFolder, err)
		}
	}
	// Within the node mounts pass from the kubelet to the containers, as on a machine.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SHARED, ""); err != nil {
		return fmt.Errorf("sharing mounts inside the sandbox: %w", err)
	}
	return nil
}

func hideKernelSettings() error {
	for setting, value := range kernelSettings {
		if _, err := os.Stat(setting); errors.Is(err, os.ErrNotExist) {
			continue // a kernel without it: the kubelet does not miss it either
		}
		file := "/run/" + filepath.Base(setting)
		if err := errors.Join(os.WriteFile(file, []byte(value+"\n"), 0o600), unix.Mount(file, setting, "", unix.MS_BIND, "")); err != nil {
			return fmt.Errorf("hiding %s: %w", setting, err)
		}
	}
	return nil
}
