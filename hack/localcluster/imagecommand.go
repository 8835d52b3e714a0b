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
	i, files, err := parseImage(args, base)
	if err != nil {
		return exitUsage, err
	}
	if files.out != "" {
		if err := i.writeArchive(files.out); err != nil {
			return exitFailed, err
		}
		return exitOK, nil
	}
	socket := t.getenv(containerdEnv)
	if socket == "" {
		return exitFailed, errors.New("importing an image: " + containerdEnv + " is not set; run this below run --node, or give --out FILE")
	}
	if err := t.importImage(ctx, socket, i, files.archive); err != nil {
		return exitFailed, err
	}
	return exitOK, nil
}

// imageFiles are archives: one to read an image from, or one to write it to.
type imageFiles struct{ archive, out string }

// parseImage reads what an image is made of. Relative paths are relative to base.
func parseImage(args []string, base string) (i image, files imageFiles, err error) {
	f := flag.NewFlagSet("image", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.StringVar(&files.archive, "archive", "", "an image that is made already")
	f.StringVar(&i.name, "name", "", "how pods call it")
	f.StringVar(&i.rootfs, "rootfs", "", "a folder whose content it holds")
	f.StringVar(&i.user, "user", "", "the number that it runs as")
	f.StringVar(&files.out, "out", "", "write it here instead")
	f.Func("entrypoint", "what it starts, words separated by blanks", func(line string) error {
		i.entrypoint = strings.Fields(line)
		return nil
	})
	switch err := f.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return i, files, err
	case err != nil:
		return i, files, usageError(err.Error())
	case files.archive != "" && (f.NFlag() > 1 || f.NArg() > 0):
		return i, files, usageError("image takes nothing beside --archive")
	case files.archive != "":
	case i.name == "":
		return i, files, usageError("image needs --name")
	case f.NArg() == 0 && (i.rootfs == "" || len(i.entrypoint) == 0):
		return i, files, usageError("image needs a PROGRAM, or --rootfs DIR and --entrypoint LINE")
	}
	i.programs = f.Args()
	paths := []*string{&i.rootfs, &files.archive, &files.out}
	for n := range i.programs {
		paths = append(paths, &i.programs[n])
	}
	for _, path := range paths {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(base, *path)
		}
	}
	return i, files, nil
}

// importImage gives the node an archive that is there already, or, with "" for it, packs the image first.
func (t tool) importImage(ctx context.Context, socket string, i image, archive string) (err error) {
	bin, err := openCache(t.getenv)
	if err != nil {
		return err
	}
	if archive != "" {
		return ctr(ctx, bin, socket, "images", "import", archive)
	}
	dir, err := os.MkdirTemp("", "hipaa-localcluster-image-")
	if err != nil {
		return fmt.Errorf("importing %s: %w", i.name, err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	archive = filepath.Join(dir, "image.tar")
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
