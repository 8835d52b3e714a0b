package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"path/filepath"
)

// usageError is a mistake on the command line; the tool answers with its usage.
type usageError string

func (e usageError) Error() string { return string(e) }

// options are the flags of up and run.
type options struct {
	kubeconfig    string
	auditLog      string
	runtimeConfig string
	simulatedNode bool
	node          bool
	policies      bool
	printEnv      bool
	// obstacle is why there is no real node although one was asked for.
	obstacle string
	// command is what follows the flags.
	command []string
}

func (o *options) flags() *flag.FlagSet {
	f := flag.NewFlagSet("localcluster", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "write the admin's kubeconfig to `FILE` once the cluster is ready; removed at the end")
	f.StringVar(&o.auditLog, "audit-log", "", "let the API server append audit events (metadata, no bodies) to `FILE`")
	f.StringVar(&o.runtimeConfig, "runtime-config", "", "kube-apiserver's --runtime-config, a list of `GROUP/VERSION=BOOL`")
	f.BoolVar(&o.simulatedNode, "simulated-node", false, "add a node that only pretends to run pods")
	f.BoolVar(&o.node, "node", false, "add a real node (Linux, as root): containers, pod network, Services, names; run's command then runs in the node's network")
	f.BoolVar(&o.policies, "network-policies", false, "let the real node drop what NetworkPolicies forbid")
	f.BoolVar(&o.printEnv, "print-env", false, "print shell lines that set KUBECONFIG and PATH on standard output once ready")
	return f
}

// parseOptions reads the flags. Relative files are relative to base.
func parseOptions(args []string, base string) (options, error) {
	var o options
	f := o.flags()
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, usageError(err.Error())
	}
	if o.node && o.simulatedNode {
		return options{}, usageError("--node and --simulated-node exclude each other: pods would be spread over both")
	}
	if o.policies && !o.node {
		return options{}, usageError("--network-policies needs --node: without packets there is nothing to drop")
	}
	for _, file := range []*string{&o.kubeconfig, &o.auditLog} {
		if *file != "" && !filepath.IsAbs(*file) {
			*file = filepath.Join(base, *file)
		}
	}
	o.command = f.Args()
	return o, nil
}

func flagHelp() string {
	var text bytes.Buffer
	f := new(options).flags()
	f.SetOutput(&text)
	f.PrintDefaults()
	return text.String()
}
