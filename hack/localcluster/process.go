package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// stopGrace is how long a process may take to end by itself.
	stopGrace = 15 * time.Second
	// tailLines is how much of a log is shown when a process ends early.
	tailLines = 20
)

// process is one running program of the control plane, leader of its own process
// group, so that Ctrl-C reaches the tool alone and the tool decides the order.
type process struct {
	name    string
	logPath string
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the process is gone
	err     error         // why it ended; read it only after ended
}

// startProcess runs a program, by way of start, with its output in DIR/NAME.log.
func startProcess(dir string, cmd *exec.Cmd, start func(*exec.Cmd) error) (*process, error) {
	p := &process{name: filepath.Base(cmd.Path), cmd: cmd, ended: make(chan struct{})}
	p.logPath = filepath.Join(dir, p.name+".log")
	log, err := os.OpenFile(p.logPath, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	defer log.Close() // the child has its own descriptor
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = ownGroup()
	if err := start(p.cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// stop ends the process group: politely, then after stopGrace, or at once when hurry is done, by SIGKILL.
func (p *process) stop(hurry context.Context) error {
	if err := p.signal(syscall.SIGTERM); err != nil {
		return err
	}
	grace := time.NewTimer(stopGrace)
	defer grace.Stop()
	select {
	case <-p.ended:
		return nil
	case <-grace.C:
	case <-hurry.Done():
	}
	err := p.signal(syscall.SIGKILL)
	<-p.ended
	return err
}

func (p *process) signal(s syscall.Signal) error {
	err := syscall.Kill(-p.cmd.Process.Pid, s)
	// A group whose leader has just ended answers ESRCH on Linux and EPERM on macOS.
	if err == nil || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return nil
	}
	return fmt.Errorf("sending %s to %s: %w", s, p.name, err)
}

// earlyEnd describes a process that ended although nobody asked it to, with the end of its log.
func (p *process) earlyEnd() error {
	reason := "exit status 0"
	if p.err != nil {
		reason = p.err.Error()
	}
	return fmt.Errorf("%s ended early (%s); the end of its log:\n%s", p.name, reason, tail(p.logPath, tailLines))
}

// tail returns the last lines of a file, each indented, or says why it cannot.
func tail(path string, lines int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return "  (" + err.Error() + ")"
	}
	all := strings.Split(string(bytes.TrimSpace(content)), "\n")
	return "  " + strings.Join(all[max(0, len(all)-lines):], "\n  ")
}

// nursery starts every child from one operating system thread that lives as long as
// the tool: Linux sends the parent-death signal when that thread ends, not the process.
var nursery = sync.OnceValue(func() chan<- func() {
	jobs := make(chan func())
	go func() {
		runtime.LockOSThread()
		for job := range jobs {
			job()
		}
	}()
	return jobs
})

func startedByNursery(cmd *exec.Cmd) error { return startedOn(nursery(), cmd) }

// startedOn starts a command on the thread that takes these jobs.
func startedOn(jobs chan<- func(), cmd *exec.Cmd) error {
	result := make(chan error, 1)
	jobs <- func() { result <- cmd.Start() }
	return <-result
}
