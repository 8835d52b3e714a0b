// Command pause holds the namespaces of a pod for as long as the pod lives, and does nothing else.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	// With a shared process namespace it is the parent of orphans: ignoring the signal lets the kernel bury them.
	signal.Ignore(syscall.SIGCHLD)
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGINT, syscall.SIGTERM)
	<-end
}
