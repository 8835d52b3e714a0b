package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/cli-runtime/pkg/genericiooptions"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/config"
	"github.com/hipaa-operator/hipaa-operator/internal/inject"
	"github.com/hipaa-operator/hipaa-operator/internal/manifest"
)

// injecting is what inject is asked for.
type injecting struct {
	genericiooptions.IOStreams
	cluster *genericclioptions.ConfigFlags

	files       []string
	recursive   bool
	profiles    []string
	fromCluster bool
	inPlace     bool
	krm         bool
	output      string
}

func injectCommand(streams genericiooptions.IOStreams) *cobra.Command {
	flags := genericclioptions.NewConfigFlags(false)
	o := &injecting{IOStreams: streams, cluster: &genericclioptions.ConfigFlags{
		KubeConfig: flags.KubeConfig, Context: flags.Context, Namespace: flags.Namespace,
	}}
	c := &cobra.Command{
		Use:   "inject [-f FILE|DIRECTORY|-]...",
		Short: "Write into pod templates what admission would write into their pods",
		Long: `Write into pod templates what admission would write into their pods.

Pods of such templates need nothing from admission any more, so that in a
namespace labelled hipaa-operator.io/continuity=PatientCare they start while the
operator is down.

Read are Deployments, StatefulSets, DaemonSets, ReplicaSets, Jobs, CronJobs,
ReplicationControllers and Pods, with the Namespaces, PHIWorkloads,
ComplianceProfiles and ConfigMaps of the same input. What is changed keeps its
comments and order; everything else passes byte for byte. Injecting twice is
injecting once.`,
		Example: `  # What Git holds, written back
  kubectl hipaa inject -f deploy/ --profile hipaa-security-rule --in-place

  # Between a renderer and the cluster
  kubectl kustomize overlays/production | kubectl hipaa inject | kubectl apply -f -

  # Profiles and workloads from the cluster
  kubectl hipaa inject -f deployment.yaml -n ehr --from-cluster`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return o.run(c) },
	}
	c.Flags().StringSliceVarP(&o.files, "filename", "f", []string{"-"}, "files or directories to read; - is standard input")
	c.Flags().BoolVarP(&o.recursive, "recursive", "R", false, "read directories within directories too")
	c.Flags().StringSliceVar(&o.profiles, "profile", nil, "count shipped profiles in, besides those of the input: "+strings.Join(inject.ShippedNames(config.Profiles), ", "))
	c.Flags().BoolVar(&o.fromCluster, "from-cluster", false, "read from the cluster what the input does not have")
	c.Flags().BoolVar(&o.inPlace, "in-place", false, "write files back that change, and nothing to standard output")
	c.Flags().BoolVar(&o.krm, "krm", false, "be a function of Kustomize: the input has to be a ResourceList; its functionConfig may have spec.profiles and spec.namespace")
	c.Flags().StringVarP(&o.output, "output", "o", formatYAML, "yaml or json")
	o.cluster.AddFlags(c.Flags())
	c.Flags().Lookup("namespace").Usage = "the namespace of objects that name none; without it default, or with --from-cluster that of the kubeconfig"
	return c
}

// Formats of output.
const (
	formatYAML  = "yaml"
	formatJSON  = "json"
	formatWide  = "wide"
	formatTable = ""
)

// fits says what in the flags does not go together.
func (o *injecting) fits(c *cobra.Command) error {
	switch {
	case o.output != formatYAML && o.output != formatJSON:
		return usageError{fmt.Errorf("-o %s: inject writes yaml or json", o.output)}
	case o.inPlace && (o.output == formatJSON || slices.Contains(o.files, stdin)):
		return usageError{errors.New("--in-place writes files back as they are written; it goes with -f FILE and without -o json")}
	case o.files[0] == stdin && !c.Flags().Changed("filename") && isTerminal(o.In):
		return usageError{errors.New("nothing to read: name files with -f, or send manifests to standard input")}
	}
	return nil
}

func (o *injecting) run(c *cobra.Command) error {
	if err := o.fits(c); err != nil {
		return err
	}
	read, err := readStreams(o.In, o.files, o.recursive)
	if err != nil {
		return err
	}
	injector, err := o.injector(read)
	if err != nil {
		return err
	}
	report, err := injector.Inject(c.Context(), read...)
	if err != nil {
		return fmt.Errorf("injecting: %w", err)
	}
	if err := o.warn(report); err != nil {
		return err
	}
	switch {
	case o.inPlace:
		return writeBack(read)
	case o.output == formatJSON:
		return writeJSON(o.Out, read)
	default:
		return writeYAML(o.Out, read)
	}
}

func (o *injecting) warn(report *inject.Report) error {
	for _, warning := range report.Warnings() {
		if _, err := fmt.Fprintln(o.ErrOut, "warning:", warning); err != nil {
			return fmt.Errorf("warning: %w", err)
		}
	}
	return nil
}

// namespace is that of objects which name none. No kubeconfig has to be right for
// what needs no cluster.
func (o *injecting) namespace() (string, error) {
	switch {
	case *o.cluster.Namespace != "":
		return *o.cluster.Namespace, nil
	case !o.fromCluster:
		return metav1.NamespaceDefault, nil
	}
	namespace, _, err := o.cluster.ToRawKubeConfigLoader().Namespace()
	if err != nil {
		return "", fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return namespace, nil
}

// injector is set up as flags and functionConfig ask.
func (o *injecting) injector(read []*manifest.Stream) (*inject.Injector, error) {
	scheme, err := newScheme()
	if err != nil {
		return nil, err
	}
	judge, err := newEngine()
	if err != nil {
		return nil, err
	}
	namespace, err := o.namespace()
	if err != nil {
		return nil, err
	}
	profiles := slices.Clone(o.profiles)
	for _, s := range read {
		function, is, err := inject.FunctionOf(s)
		if err != nil {
			return nil, err
		}
		if o.krm && !is {
			return nil, fmt.Errorf("%s: is no ResourceList; --krm is for functions of Kustomize", s.Name)
		}
		profiles = append(profiles, function.Profiles...)
		if function.Namespace != "" {
			namespace = function.Namespace
		}
	}
	shipped, err := inject.Shipped(config.Profiles, scheme, profiles...)
	if err != nil {
		return nil, err
	}
	injector := &inject.Injector{Engine: judge, Scheme: scheme, Clock: clock.RealClock{}, Profiles: shipped, Namespace: namespace}
	if !o.fromCluster {
		return injector, nil
	}
	rest, err := o.cluster.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	injector.Cluster, err = client.New(rest, client.Options{Scheme: scheme})
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return injector, nil
}
