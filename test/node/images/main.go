// Command images packs Debian's PostgreSQL, Redis and nginx into images for the node suite. Its
// promise: each behaves as the official one does in what the suite asks of it, and is
// made anew only when a package or what is put beside it has changed.
package main

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

//go:embed entry.sh
var entry []byte

// accounts has the users of the images, as the official ones number them.
const (
	accounts = "root:x:0:0::/:/bin/sh\nnginx:x:101:101::/tmp:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n"
	groups   = "root:x:0:\nnginx:x:101:\npostgres:x:999:\n"
)

// recipe is how one image is made.
type recipe struct {
	// name is that of the archive and of the image.
	name, user string
	// command is what a container runs.
	command []string
	// find returns what is packed: the server, and everything that it needs.
	find func(context.Context) (server string, packages []string, err error)
	// arrange puts beside the unpacked packages what the suite expects. Optional.
	arrange func(root, server string) error
}

var recipes = []recipe{
	{name: "postgres", user: "999", command: []string{"--entrypoint", "/entry.sh"}, find: find, arrange: linkPostgres},
	{name: "nginx", user: "101", command: []string{"--entrypoint", "/usr/sbin/nginx"}, find: findNginx},
}

// applets are what the entry point, initdb and init containers that wait find beside the server.
var applets = []string{"sh", "cat", "echo", "rm", "sleep"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	out := flag.String("out", "", "the folder of the archive")
	tool := flag.String("localcluster", "", "the program that packs")
	flag.Parse()
	if err := run(ctx, *out, *tool); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// run makes the archives in a folder, and beside each the file by which it is known to be of today.
func run(ctx context.Context, out, tool string) error {
	if _, err := exec.LookPath("apt-get"); err != nil {
		fmt.Fprintln(os.Stderr, "images: no images of PostgreSQL and nginx, because this is no Debian")
		return nil //nolint:nilerr // the suite says so again and skips
	}
	for _, r := range recipes {
		if err := r.make(ctx, out, tool); err != nil {
			return fmt.Errorf("making %s: %w", r.name, err)
		}
	}
	return nil
}

// make makes the archive of one image, unless it is there.
func (r recipe) make(ctx context.Context, out, tool string) error {
	server, packages, err := r.find(ctx)
	if err != nil {
		return err
	}
	uris, err := outputOf(ctx, "", "apt-get", append([]string{"download", "--print-uris"}, packages...)...)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(slices.Concat([]byte(uris), entry, []byte(accounts+groups+strings.Join(applets, " "))))
	key, archive := filepath.Join(out, r.name+".key"), filepath.Join(out, r.name+".tar")
	want := hex.EncodeToString(sum[:])
	had, _ := os.ReadFile(key) // without one it is made
	if _, err := os.Stat(archive); err == nil && string(had) == want {
		return nil
	}
	fmt.Fprintf(os.Stderr, "images: packing Debian's %s, %d packages\n", server, len(packages))
	work, err := os.MkdirTemp("", "hipaa-node-images-")
	if err != nil {
		return fmt.Errorf("making a work folder: %w", err)
	}
	err = pack(ctx, work, archive, packing{recipe: r, tool: tool, server: server, packages: packages})
	if err := errors.Join(err, os.RemoveAll(work)); err != nil {
		return err
	}
	return os.WriteFile(key, []byte(want), 0o600)
}

// find returns the server's package, and it with the client and every library that they need.
func find(ctx context.Context) (server string, packages []string, err error) {
	if _, err := outputOf(ctx, "", "apt-cache", "show", "postgresql", "busybox-static"); err != nil {
		if _, err := outputOf(ctx, "", "apt-get", "update", "-qq"); err != nil {
			return "", nil, err
		}
	}
	all, err := depends(ctx, "postgresql")
	if err != nil {
		return "", nil, err
	}
	i := slices.IndexFunc(all, func(name string) bool { return strings.HasPrefix(name, "postgresql-") })
	if i < 0 {
		return "", nil, errors.New("finding PostgreSQL: package postgresql depends on no server")
	}
	server = all[i]
	packages, err = withLibraries(ctx, server, strings.Replace(server, "postgresql-", "postgresql-client-", 1), "tzdata", "busybox-static", "redis-server", "redis-tools")
	return server, packages, err
}

// findNginx returns the package of nginx, and what it needs beside what looks after an installed system.
func findNginx(ctx context.Context) (server string, packages []string, err error) {
	packages, err = withLibraries(ctx, "nginx", "busybox-static")
	return "nginx", packages, err
}

// withLibraries are packages and every library that they need.
func withLibraries(ctx context.Context, found ...string) (packages []string, err error) {
	for len(found) > 0 {
		packages = append(packages, found...)
		needs, err := depends(ctx, found...)
		if err != nil {
			return nil, err
		}
		slices.Sort(needs)
		found = slices.DeleteFunc(slices.Compact(needs), func(name string) bool { return !isLibrary(name) || slices.Contains(packages, name) })
	}
	return packages, nil
}

// isLibrary tells what programs are linked with from what looks after an installed system. The compiler is
// of use only to queries that take long.
func isLibrary(name string) bool {
	return (strings.HasPrefix(name, "lib") || strings.HasPrefix(name, "zlib")) && !strings.HasPrefix(name, "libllvm")
}

var dependency = regexp.MustCompile(`(?m)^ [ |](?:Pre)?Depends: ([a-z0-9][a-z0-9.+-]*)$`)

func depends(ctx context.Context, packages ...string) ([]string, error) {
	said, err := outputOf(ctx, "", "apt-cache", append([]string{"depends", "--important"}, packages...)...)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, match := range dependency.FindAllStringSubmatch(said, -1) {
		names = append(names, match[1])
	}
	return names, nil
}

// packing is what an image is made of.
type packing struct {
	recipe

	tool, server string
	packages     []string
}

func pack(ctx context.Context, work, archive string, p packing) error {
	if _, err := outputOf(ctx, work, "apt-get", append([]string{"-o", "APT::Sandbox::User=root", "-qq", "download"}, p.packages...)...); err != nil {
		return err
	}
	root := filepath.Join(work, "root")
	if err := furnish(root); err != nil {
		return fmt.Errorf("furnishing the image: %w", err)
	}
	files, err := filepath.Glob(filepath.Join(work, "*.deb"))
	if err != nil || len(files) < len(p.packages) {
		return fmt.Errorf("looking for packages: %d of %d are there: %w", len(files), len(p.packages), err)
	}
	for _, file := range files {
		if _, err := outputOf(ctx, "", "sh", "-c", `dpkg-deb --fsys-tarfile "$1" | tar -x --keep-directory-symlink -C "$2" --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale`, "sh", file, root); err != nil {
			return err
		}
	}
	if p.arrange != nil {
		if err := p.arrange(root, p.server); err != nil {
			return err
		}
	}
	_, err = outputOf(ctx, "", p.tool, append([]string{
		"image", "--name", "localcluster.local/" + p.name + ":1", "--rootfs", root, "--user", p.user, "--out", archive,
	}, p.command...)...)
	return err
}

// linkPostgres lets the server's programs be found.
func linkPostgres(root, server string) error {
	programs := filepath.Join("/usr/lib/postgresql", strings.TrimPrefix(server, "postgresql-"), "bin")
	links, err := filepath.Glob(filepath.Join(root, programs, "*"))
	if err != nil || len(links) == 0 {
		return fmt.Errorf("looking for the server's programs: %w", err)
	}
	for _, link := range links {
		if err := os.Symlink(filepath.Join(programs, filepath.Base(link)), filepath.Join(root, "usr/bin", filepath.Base(link))); err != nil {
			return fmt.Errorf("linking the server's programs: %w", err)
		}
	}
	return nil
}

// furnish makes what packages expect to find.
func furnish(root string) error {
	for _, folder := range []string{"usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "etc", "docker-entrypoint-initdb.d", "var/lib/postgresql/data", "var/run/postgresql", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil { //nolint:gosec // everybody looks into it
			return err
		}
	}
	for _, folder := range []string{"bin", "sbin", "lib", "lib64"} {
		if err := os.Symlink("usr/"+folder, filepath.Join(root, folder)); err != nil {
			return err
		}
	}
	for _, applet := range applets {
		if err := os.Symlink("busybox", filepath.Join(root, "usr/bin", applet)); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(root, "etc/passwd"), []byte(accounts), 0o644), //nolint:gosec // everybody reads it
		os.WriteFile(filepath.Join(root, "etc/group"), []byte(groups), 0o644),    //nolint:gosec // everybody reads it
		os.WriteFile(filepath.Join(root, "entry.sh"), entry, 0o755),              //nolint:gosec // a program
	)
}

// outputOf runs a program and returns what it says; an error has the end of what it complained of.
func outputOf(ctx context.Context, dir, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...) //nolint:gosec // programs that are named here
	cmd.Dir = dir
	var complaints strings.Builder
	cmd.Stderr = &complaints
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w: %s", name, args[0], err, strings.TrimSpace(complaints.String()))
	}
	return string(said), nil
}
