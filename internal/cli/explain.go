package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/terminal"
)

func explainCommand(streams genericiooptions.IOStreams) *cobra.Command {
	return &cobra.Command{
		Use:   "explain CONTROL|PATH",
		Short: "Show the page of a control, or what a setting of a profile does",
		Long: `Show the page of a control: why it is there, what decides, what the operator does,
its parameters with their basis, the remedy and an example. With the path of a
setting, such as storage.encryptedClass or storage, show which controls read it,
on what it rests and what it does.`,
		Example: `  kubectl hipaa explain ephemeral-storage
  kubectl hipaa explain transmission.databaseTLS`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeControls,
		RunE: func(_ *cobra.Command, args []string) error {
			page, err := control.Explain(catalog.All(), args[0])
			if err != nil {
				return fmt.Errorf("%w; see kubectl hipaa controls", err)
			}
			return terminal.Markdown(streams.Out, page, terminal.StyleOf(streams.Out, os.Getenv))
		},
	}
}

func completeControls(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	var ids []string
	for _, c := range catalog.All() {
		ids = append(ids, c.ID)
	}
	return ids, cobra.ShellCompDirectiveNoFileComp
}
