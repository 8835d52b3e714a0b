// Command images packs static binaries into an OCI image archive, with no
// base image, container engine or registry. Its one promise: the same
// binaries and the same words give the same bytes, on every machine.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

const usage = `usage: images -name REGISTRY/REPOSITORY:TAG -out FILE [flags] OS/ARCH=BINARY...

Packs one static binary per platform into one image and writes it as an OCI
image layout in a tar archive. "ctr images import", "skopeo copy oci-archive:"
and "crane push --index" (after unpacking) read it. $SOURCE_DATE_EPOCH, seconds
since 1970, is the moment of creation that the image tells; unset means 0.
flags: -title COMMAND, -version TEXT, -revision TEXT, -source URL`

func main() {
	if err := run(os.Args[1:], os.Getenv("SOURCE_DATE_EPOCH"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(1)
	}
}

// run packs what args ask for and prints the archive and its digest.
func run(args []string, epoch string, stdout io.Writer) error {
	s, out, err := parse(args, epoch)
	if err != nil {
		return err
	}
	idx, err := s.index()
	if err != nil {
		return err
	}
	if err := writeArchive(out, s.name, idx); err != nil {
		return fmt.Errorf("writing %s: %w", out, err)
	}
	digest, err := idx.Digest()
	if err != nil {
		return fmt.Errorf("reading the digest: %w", err)
	}
	_, err = fmt.Fprintf(stdout, "%s  %s@%s\n", out, s.name.String(), digest)
	return err
}

// parse reads the command line into what the image holds and where it goes.
func parse(args []string, epoch string) (s spec, out string, err error) {
	flags := flag.NewFlagSet("images", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	ref := flags.String("name", "", "")
	title := flags.String("title", "", "")
	flags.StringVar(&out, "out", "", "")
	flags.StringVar(&s.version, "version", "", "")
	flags.StringVar(&s.revision, "revision", "", "")
	flags.StringVar(&s.source, "source", "", "")
	if err := flags.Parse(args); err != nil {
		return spec{}, "", fmt.Errorf("reading the flags: %w\n%s", err, usage)
	}
	if *ref == "" || out == "" || flags.NArg() == 0 {
		return spec{}, "", errors.New(usage)
	}
	if s.name, err = name.NewTag(*ref, name.StrictValidation); err != nil {
		return spec{}, "", fmt.Errorf("reading the name: %w", err)
	}
	if s.created, err = moment(epoch); err != nil {
		return spec{}, "", err
	}
	s.title = *title
	for _, arg := range flags.Args() {
		b, err := parseProgram(arg)
		if err != nil {
			return spec{}, "", err
		}
		s.programs = append(s.programs, b)
	}
	return s, out, nil
}

// moment reads SOURCE_DATE_EPOCH.
func moment(epoch string) (time.Time, error) {
	if epoch == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading SOURCE_DATE_EPOCH: %w", err)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// parseProgram reads one OS/ARCH=FILE.
func parseProgram(arg string) (program, error) {
	platform, file, ok := strings.Cut(arg, "=")
	if !ok || file == "" {
		return program{}, fmt.Errorf("reading %q: want OS/ARCH=BINARY", arg)
	}
	p, err := v1.ParsePlatform(platform)
	if err != nil {
		return program{}, fmt.Errorf("reading %q: %w", arg, err)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return program{}, fmt.Errorf("reading the binary: %w", err)
	}
	return program{platform: *p, data: data}, nil
}
