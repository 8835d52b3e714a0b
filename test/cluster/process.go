package cluster

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

const (
	stopSignal     = syscall.SIGSTOP
	continueSignal = syscall.SIGCONT
)

// Process is a command in the background whose output goes to a file.
type Process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{}
}

// Launch starts a command in a process group of its own, so that Ctrl-C reaches
// the caller first and the order of stopping is the caller's.
func Launch(logFile string, env []string, name string, args ...string) (*Process, error) {
	out, err := os.OpenFile(logFile, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log file: %w", err)
	}
	cmd := exec.Command(name, args...) //nolint:gosec,noctx // commands of the callers; Stop ends it in order, a context would kill it
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		_ = out.Close()
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	p := &Process{cmd: cmd, log: logFile, done: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		_ = out.Close()
		close(p.done)
	}()
	return p, nil
}

// lastWords is how much of a log an error quotes.
const lastWords = 4000

// Alive says why a process is not; asking again does not help then.
func (p *Process) Alive() error {
	select {
	case <-p.done:
		tail, _ := os.ReadFile(p.log)
		if len(tail) > lastWords {
			tail = tail[len(tail)-lastWords:]
		}
		return fatalError{fmt.Errorf("%s ended early; its last words:\n%s", p.cmd.Path, tail)}
	default:
		return nil
	}
}

// Stop ends the process, by force if it does not end within half a minute.
func (p *Process) Stop() {
	_ = p.signal(continueSignal)
	_ = p.signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(30 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *Process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("signalling %s: %w", p.cmd.Path, err)
	}
	return nil
}

// fatalError is one that waiting does not cure.
type fatalError struct{ error }

// PID is the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }
