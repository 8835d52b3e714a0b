package main

import "syscall"

// ownGroup makes the child lead a process group and die with this tool, even if the tool is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// callersGroup leaves the child where the terminal's keys reach it.
func callersGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
