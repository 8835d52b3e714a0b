// Command issuer gives pods of PHI workloads their certificates.
package main

import (
	"flag"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/hipaa-operator/hipaa-operator/internal/issuer"
	"github.com/hipaa-operator/hipaa-operator/internal/version"
)

func main() {
	var options issuer.Options
	command := &cobra.Command{
		Use:           "issuer",
		Short:         "Give pods of PHI workloads their certificates",
		Version:       version.String(),
		Args:          cobra.NoArgs,
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return issuer.Run(c.Context(), options) },
	}
	var flags flag.FlagSet
	options.Bind(&flags)
	command.Flags().AddGoFlagSet(&flags)
	if err := command.ExecuteContext(ctrl.SetupSignalHandler()); err != nil {
		fmt.Fprintln(os.Stderr, "issuer:", err)
		os.Exit(1)
	}
}
