// Command demo shows the operator at work on a real cluster. Its promise: every
// line that it prints as output is output, and every step checks what it shows -
// if the product breaks, the demo fails.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var options options
	// Libraries put flags of their own into the set that all share.
	flags := flag.NewFlagSet("demo", flag.ExitOnError)
	flags.StringVar(&options.kubeconfig, "kubeconfig", "", "a cluster of yours; empty starts a cluster of its own")
	flags.StringVar(&options.image, "image", "", "the manager's image, to install on a cluster of yours; empty if the operator is installed there")
	flags.BoolVar(&options.once, "once", false, "try the hints and end after the last step, instead of staying up")
	flags.StringVar(&options.images, "images", "", "a folder with images of the operator and of an application, for the step with real pods; empty leaves it out")
	flags.BoolVar(&options.traffic, "traffic", false, "play the step with real pods on the node in whose network this stands")
	flags.StringVar(&options.root, "root", ".", "the project's root")
	_ = flags.Parse(os.Args[1:]) // it ends the process itself

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	play := run
	if options.traffic {
		play = traffic
	}
	if err := play(ctx, options); err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		stop()
		os.Exit(1)
	}
}

type options struct {
	kubeconfig string
	image      string
	once       bool
	images     string
	traffic    bool
	root       string
}

// run brings everything up, plays the steps, and takes everything down again.
func run(ctx context.Context, o options) error {
	stage, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer stage.close()
	for i, step := range steps() {
		if err := stage.play(ctx, i+1, step); err != nil {
			return fmt.Errorf("step %d, %s: %w", i+1, step.title, err)
		}
	}
	if err := stage.prepareHints(); err != nil {
		return err
	}
	if o.once {
		return stage.tryHints(ctx)
	}
	stage.stay(ctx)
	return nil
}
