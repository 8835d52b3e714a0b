// Package cli is the command line. Its promise: a command reads its flags and asks;
// what is asked decides.
package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/rule"
	"github.com/hipaa-operator/hipaa-operator/internal/version"
)

// Exit codes. They are part of the contract: scripts go by them.
const (
	// ExitDone says that the command did what it was asked.
	ExitDone = 0
	// ExitFailed says that it could not, and standard error why.
	ExitFailed = 1
	// ExitUsage says that it was asked in a way that it does not understand.
	ExitUsage = 2
)

// usageError is a mistake of who called.
type usageError struct{ error }

// Unwrap is the mistake.
func (e usageError) Unwrap() error { return e.error }

// ExitCode is the exit code that tells of an error.
func ExitCode(err error) int {
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &usageError{}):
		return ExitUsage
	default:
		return ExitFailed
	}
}

// Root is the command with all that are below it.
func Root(streams genericiooptions.IOStreams) *cobra.Command {
	root := &cobra.Command{
		Use:   "kubectl-hipaa",
		Short: "Safeguards of workloads that handle PHI, from the command line",
		Long: `Safeguards of workloads that handle PHI, from the command line.

The same controls and the same engine as in the operator decide; nothing here
has a rule of its own.

Exit codes: 0 done; 1 not done, and standard error says why; 2 wrong usage.`,
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		Annotations:   map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl hipaa"},
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.ErrOut)
	root.AddCommand(injectCommand(streams), controlsCommand(streams), explainCommand(streams))
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	for _, c := range append(root.Commands(), root) {
		c.Args = mistaken(c.Args)
	}
	return root
}

// mistaken says that arguments which do not fit are the caller's mistake.
func mistaken(fits cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if err := fits(c, args); err != nil {
			return usageError{fmt.Errorf("%w; see %s --help", err, c.CommandPath())}
		}
		return nil
	}
}

// newScheme knows the kinds of Kubernetes and of this project.
func newScheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the kinds of Kubernetes: %w", err)
	}
	if err := hipaav1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the kinds of this project: %w", err)
	}
	return scheme, nil
}

// newEngine is the engine as the operator has it.
func newEngine() (*engine.Engine, error) {
	judge, err := engine.New(catalog.All())
	if err != nil {
		return nil, fmt.Errorf("building the engine: %w", err)
	}
	return judge.Accepting(rule.Customs(judge.ResourceTypes())), nil
}
