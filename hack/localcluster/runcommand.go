package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

// runCommand runs a cluster for as long as one command lives and exits as the command does.
func (t tool) runCommand(s *signals, args []string) (code int, err error) {
	o, err := t.options(args)
	if err != nil {
		return exitUsage, err
	}
	if len(o.command) == 0 {
		return exitUsage, usageError("run needs a command after --")
	}
	c, err := t.begin(s, o)
	if err != nil {
		return exitFailed, err
	}
	defer func() { err = errors.Join(err, c.stop(s.hard)) }()
	child, err := t.startChild(o.command, c.environment(t.getenv("PATH")), c.callerStart())
	if err != nil {
		return exitFailed, err
	}
	select {
	case <-child.ended:
		return child.finish()
	case <-s.soft.Done():
		child.interrupt(s)
		return child.finish()
	case p := <-c.died:
		child.end(s.hard)
		return exitFailed, errors.Join(p.earlyEnd(), child.sweep())
	}
}

// child is the caller's command.
type child struct {
	cmd   *exec.Cmd
	group bool // it leads a process group of its own
	ended chan struct{}
	err   error
}

// startChild runs the command where the caller stands. On a terminal it shares our process
// group, so that it may read keys; otherwise it gets its own, so that all of it can be ended.
func (t tool) startChild(command, env []string, start func(*exec.Cmd) error) (*child, error) {
	dir, err := t.standpoint()
	if err != nil {
		return nil, err
	}
	// Set for this process too: the command is looked up along the PATH that it will see.
	for _, setting := range env {
		name, value, _ := strings.Cut(setting, "=")
		if err := os.Setenv(name, value); err != nil {
			return nil, fmt.Errorf("setting %s: %w", name, err)
		}
	}
	c := &child{cmd: exec.Command(command[0], command[1:]...), ended: make(chan struct{})}
	c.group = !term.IsTerminal(int(t.in.Fd()))
	c.cmd.Dir = dir
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = t.in, t.out, t.err
	c.cmd.SysProcAttr = callersGroup()
	if c.group {
		c.cmd.SysProcAttr = ownGroup()
	}
	if err := start(c.cmd); err != nil {
		return nil, fmt.Errorf("starting the command: %w", err)
	}
	go func() {
		c.err = c.cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// interrupt passes the wish to stop on. Ctrl-C has reached a command in our group already:
// a second one would make many programs give up their own clean-up.
func (c *child) interrupt(s *signals) {
	var why interrupted
	errors.As(context.Cause(s.soft), &why)
	if c.group || why.signal != syscall.SIGINT {
		c.signal(why.signal)
	}
	select {
	case <-c.ended:
	case <-time.After(stopGrace):
		c.end(s.hard)
	case <-s.hard.Done():
		c.end(s.hard)
	}
}

// end asks the command to end and then makes it.
func (c *child) end(hurry context.Context) {
	c.signal(syscall.SIGTERM)
	select {
	case <-c.ended:
		return
	case <-time.After(stopGrace):
	case <-hurry.Done():
	}
	c.signal(syscall.SIGKILL)
	<-c.ended
}

func (c *child) signal(s syscall.Signal) {
	pid := c.cmd.Process.Pid
	if c.group {
		pid = -pid
	}
	_ = syscall.Kill(pid, s) // it may have ended this moment
}

// sweep ends what the command has left in its group.
func (c *child) sweep() error {
	if !c.group {
		return nil
	}
	err := syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	if err == nil || errors.Is(err, syscall.ESRCH) || errors.Is(err, syscall.EPERM) {
		return nil
	}
	return fmt.Errorf("ending what the command left behind: %w", err)
}

// finish returns the command's exit code; a command ended by a signal counts as 128 plus its number, as in a shell.
func (c *child) finish() (int, error) {
	err := c.sweep()
	var exit *exec.ExitError
	switch {
	case c.err == nil:
		return exitOK, err
	case !errors.As(c.err, &exit):
		return exitFailed, errors.Join(c.err, err)
	}
	if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal()), err
	}
	return exit.ExitCode(), err
}
