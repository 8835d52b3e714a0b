package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// image makes an image and gives it to the node whose containerd the environment names, or writes it to a file.
func (t tool) image(ctx context.Context, args []string) (int, error) {
	base, err := t.standpoint()
	if err != nil {
		return exitFailed, err
	}
	i, out, err := parseImage(args, base)
	if err != nil {
		return exitUsage, err
	}
	if out != "" {
		if err := i.writeArchive(out); err != nil {
			return exitFailed, err
		}
		return exitOK, nil
	}
	socket := t.getenv(containerdEnv)
	if socket == "" {
		return exitFailed, errors.New("importing an image: " + containerdEnv + " is not set; run this below run --node, or give --out FILE")
	}
	if err := t.importImage(ctx, socket, i); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// parseImage reads what an image is made of. Relative paths are relative to base.
func parseImage(args []string, base string) (i image, out string, err error) {
	f := flag.NewFlagSet("image", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&i.name, "name", "", "how pods call it")
	f.StringVar(&i.rootfs, "rootfs", "", "a folder whose content it holds")
	f.StringVar(&i.user, "user", "", "the number that it runs as")
	f.StringVar(&out, "out", "", "write it here instead")
	f.Func("entrypoint", "what it starts, words separated by blanks", func(line string) error {
		i.entrypoint = strings.Fields(line)
		return nil
	})
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return i, "", err
	case err != nil:
		return i, "", usageError(err.Error())
	case i.name == "":
		return i, "", usageError("image needs --name")
	case f.NArg() == 0 && (i.rootfs == "" || len(i.entrypoint) == 0):
		return i, "", usageError("image needs a PROGRAM, or --rootfs DIR and --entrypoint LINE")
	}
	i.programs = f.Args()
	paths := []*string{&i.rootfs, &out}
	for n := range i.programs {
		paths = append(paths, &i.programs[n])
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(base, *path)
		}
	}
	return i, out, nil
}

func (t tool) importImage(ctx context.Context, socket string, i image) (err error) {
	bin, err := openCache(t.getenv)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "hipaa-localcluster-image-")
	if err != nil {
		return fmt.Errorf("importing %s: %w", i.name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	archive := filepath.Join(dir, "image.tar")
	if err := i.writeArchive(archive); err != nil {
		return err
	}
	return ctr(ctx, bin, socket, "images", "import", archive)
}

// ctr runs one command of containerd's client against the socket of a node.
func ctr(ctx context.Context, bin cache, socket string, args ...string) error {
	args = append([]string{"--address=" + socket, "--namespace=" + imageNamespace}, args...)
	said, err := exec.CommandContext(ctx, bin.path(ctrComponent), args...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ctr %s: %w: %s", strings.Join(args, " "), err, lastLine(said))
	}
	return nil
}
