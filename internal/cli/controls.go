package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

func controlsCommand(streams genericiooptions.IOStreams) *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "controls",
		Short: "List the controls of the catalogue",
		Long: `List the controls of the catalogue: what each asks for, on which paragraph of
45 CFR it rests, and whether admission or only live judgement decides. -o wide
adds what it judges and since which ruleset; json and yaml have everything.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return listControls(streams, output) },
	}
	c.Flags().StringVarP(&output, "output", "o", formatTable, "wide, json or yaml; a table without it")
	return c
}

func listControls(streams genericiooptions.IOStreams, output string) error {
	var entries []control.Entry
	for _, one := range catalog.All() {
		entries = append(entries, control.EntryOf(one))
	}
	var text []byte
	var err error
	switch output {
	case formatTable, formatWide:
		return tableOf(streams, entries, output == formatWide)
	case formatJSON:
		text, err = json.MarshalIndent(entries, "", "    ")
		text = append(text, '\n')
	case formatYAML:
		text, err = yaml.Marshal(entries)
	default:
		return usageError{fmt.Errorf("-o %s: controls are listed as wide, json or yaml", output)}
	}
	if err != nil {
		return fmt.Errorf("writing the list: %w", err)
	}
	return write(streams.Out, text)
}

func tableOf(streams genericiooptions.IOStreams, entries []control.Entry, wide bool) error {
	rows := [][]string{{"CONTROL", "SEVERITY", "DECIDED", "45 CFR", "TITLE"}}
	if wide {
		rows[0] = append(rows[0], "JUDGES", "SINCE")
	}
	for i := range entries {
		e := &entries[i]
		row := []string{e.ID, string(e.Severity), e.Decided, strings.ReplaceAll(strings.Join(e.Cites, ", "), "45 CFR ", ""), e.Title}
		if wide {
			row = append(row, strings.Join(e.Judges, ", "), e.Since)
		}
		rows = append(rows, row)
	}
	table := tabwriter.NewWriter(streams.Out, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		if _, err := fmt.Fprintln(table, strings.Join(row, "\t")); err != nil {
			return fmt.Errorf("writing the list: %w", err)
		}
	}
	if err := table.Flush(); err != nil {
		return fmt.Errorf("writing the list: %w", err)
	}
	return nil
}
