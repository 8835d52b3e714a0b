// Command localcluster builds a real Kubernetes control plane from Go modules and runs it on
// loopback. Its one promise: when it ends, however it ends, nothing of the cluster is left running.
package main

import (
	"os"
	"time"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == holdCommand {
		os.Exit(holdSandbox(os.Stdout, os.Args[2]))
	}
	os.Exit(tool{
		args: os.Args[1:], in: os.Stdin, out: os.Stdout, err: os.Stderr,
		getenv: os.Getenv, now: time.Now,
	}.run())
}
