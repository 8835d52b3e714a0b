package proxy

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/hipaa-operator/hipaa-operator/internal/pki"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/redirect"
	"github.com/hipaa-operator/hipaa-operator/internal/version"
)

// Ports where nothing else is set.
const (
	probePort    = 15020
	adminPort    = 15090
	resolverPort = 53
)

// Command is phi-proxy on a command line.
func Command(now func() time.Time) *cobra.Command {
	o := Options{Now: now}
	var pod string
	c := &cobra.Command{
		Use:           "phi-proxy",
		Short:         "Stand before an application that handles PHI and let only its declared peers reach it",
		Args:          cobra.NoArgs,
		Version:       version.String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Reload <= 0 || o.Drain <= 0 {
				return errors.New("--reload and --drain must be longer than nothing")
			}
			if pod != "" {
				address, err := netip.ParseAddr(pod)
				if err != nil {
					return fmt.Errorf("reading --pod-address: %w", err)
				}
				o.Pod = address
			}
			if o.Issuer.Address != "" {
				o.Certificates = ""
			}
			o.Records = c.OutOrStdout()
			o.Log = slog.New(slog.NewJSONHandler(c.ErrOrStderr(), nil))
			return Run(c.Context(), o)
		},
	}
	flags := c.Flags()
	flags.StringVar(&o.Configuration, "config", "/etc/phi-proxy/config", "directory of config.json and its signature config.sig")
	flags.StringVar(&o.Certificates, "certificates", "/etc/phi-proxy/certificates", "directory of tls.crt, tls.key and ca.crt, where there is no issuer")
	flags.StringVar(&o.Issuer.Address, "issuer", "", "host of the issuer, as its certificate names it, with its port where that is not 443")
	flags.StringVar(&o.Issuer.Token, "issuer-token", "", "file of the token that the kubelet mounts for the issuer")
	flags.StringVar(&o.Issuer.Roots, "issuer-roots", "", "file of the roots that are trusted until the issuer has answered once")
	flags.StringSliceVar(&o.Issuer.NameServers, "name-servers", nil, "whom to ask where the issuer is, as address:port; the pod's resolver where there are none")
	flags.StringVar(&o.WorkloadUID, "workload-uid", "", "uid of the PHIWorkload for which configurations have to be signed")
	flags.Int64Var(&o.MinimumGeneration, "minimum-generation", 1, "the least generation that is taken")
	flags.StringVar(&o.State, "state-dir", "", "directory that outlives the process, to keep the last generation that was taken: nothing older is taken after a restart")
	flags.DurationVar(&o.SignatureGrace, "signature-grace", pki.DefaultPlan().Grace, "for how long after the end of its signer's certificate a configuration is still taken")
	flags.BoolVar(&o.Unsigned, "unsigned", false, "take configurations that nobody has signed: for files by hand, where no workload is pinned")
	flags.StringVar(&o.Host, "host", "", "address to listen on; all where it is empty")
	flags.StringVar((*string)(&o.Capture), "capture", string(CaptureNames), "how traffic comes: Names, by names and ports that lead here, or Redirect, by the rules of `phi-proxy redirect`")
	flags.StringVar(&o.Resolver, "resolver", "127.0.0.1:53", "address where the application's questions for names are answered, if the configuration asks for it")
	flags.StringVar(&pod, "pod-address", "", "the pod's address, for applications that do not listen on loopback")
	flags.IntVar(&o.ProbePort, "probe-port", probePort, "port where the kubelet asks about the application")
	flags.IntVar(&o.AdminPort, "admin-port", adminPort, "port of /readyz and /metrics")
	flags.DurationVar(&o.Reload, "reload", 2*time.Second, "how often the directories are read")
	flags.DurationVar(&o.Drain, "drain", 25*time.Second, "how long what is under way may take at the end")
	c.MarkFlagsRequiredTogether("issuer", "issuer-token", "issuer-roots")
	c.MarkFlagsMutuallyExclusive("issuer", "certificates")
	c.AddCommand(redirectCommand())
	return c
}

// redirectCommand sets the rules of a pod, before anything else runs in it.
func redirectCommand() *cobra.Command {
	rules := redirect.Rules{
		Inbound: config.CaptureInbound, Outbound: config.CaptureOutbound, Resolver: resolverPort,
		Open: []uint16{probePort, adminPort},
	}
	c := &cobra.Command{
		Use:   "redirect",
		Short: "Bring all traffic of this network namespace to the proxy, and let nobody out but its user",
		Long: "Bring all traffic of this network namespace to the proxy, and let nobody out but its user.\n" +
			"It takes the capability NET_ADMIN, writes the nftables table " + redirect.Table + " by itself and reads it back. What it cannot set changes nothing.",
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if rules.User == 0 {
				return errors.New("--user has to be that of the proxy, which nobody else in the pod has, and not root")
			}
			return rules.Apply()
		},
	}
	c.Flags().Uint32Var(&rules.User, "user", 0, "id of the user that the proxy runs under")
	return c
}
