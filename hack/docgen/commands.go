package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/hipaa-operator/hipaa-operator/internal/cli"
)

// commandPage lists the commands of kubectl hipaa with their flags.
func commandPage(string) ([]page, error) {
	root := cli.Root(genericiooptions.NewTestIOStreamsDiscard())
	var text strings.Builder
	text.WriteString("# Commands\n\n" + notice + root.Long + "\n")
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			describe(&text, c)
		}
	}
	return []page{{"reference/cli.md", text.String()}}, nil
}

func describe(text *strings.Builder, c *cobra.Command) {
	c.DisableFlagsInUseLine = true
	fmt.Fprintf(text, "\n## %s\n\n```\n%s\n```\n\n%s\n", c.CommandPath(), c.UseLine(), c.Long)
	if c.HasExample() {
		fmt.Fprintf(text, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(c.Example, "  "), "\n  ", "\n"))
	}
	if flags := c.LocalFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(text, "\n```\n%s```\n", flags)
	}
}
