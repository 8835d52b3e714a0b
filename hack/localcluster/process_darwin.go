package main

import "syscall"

// ownGroup makes the child lead a process group. macOS has no parent-death signal:
// servers outlive a tool that was killed with SIGKILL there.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}

// callersGroup leaves the child where the terminal's keys reach it.
func callersGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }
