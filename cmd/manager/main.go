// Command manager is the operator: webhooks and controllers in one process.
package main

import (
	"flag"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/hipaa-operator/hipaa-operator/internal/app"
)

func main() {
	var options app.Options
	options.Bind(flag.CommandLine)
	flag.Parse()
	if err := app.Run(ctrl.SetupSignalHandler(), options); err != nil {
		fmt.Fprintln(os.Stderr, "manager:", err)
		os.Exit(1)
	}
}
