package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// debianPackages are what a node takes from the machine, and a file of each.
var debianPackages = map[string]string{
	"runc":                        "/usr/sbin/runc",
	"containernetworking-plugins": pluginFolder + "/bridge",
	"nftables":                    "/usr/sbin/nft",
	"iptables":                    "/usr/sbin/iptables",
	"iproute2":                    "ip",
}

// nodeObstacle says why this machine cannot have a real node; "" where it can. What is
// missing of Debian's packages it installs, telling so on out.
func nodeObstacle(ctx context.Context, folders []string, out io.Writer) string {
	switch {
	case runtime.GOOS != "linux":
		return "it needs Linux"
	case os.Geteuid() != 0:
		return "it needs root: namespaces, mounts and cgroups of a node are root's"
	}
	if users, err := os.ReadFile("/proc/self/uid_map"); err == nil && !everyUser(string(users)) {
		return "it needs the machine's root; this one is root of a user namespace only"
	}
	for _, folder := range folders {
		for _, hidden := range sandboxFolders {
			if folder == hidden || strings.HasPrefix(folder, hidden+"/") {
				return fmt.Sprintf("%s lies below %s, which a node has for itself; move it with TMPDIR or %s", folder, hidden, cacheEnv)
			}
		}
	}
	if err := installPackages(ctx, out); err != nil {
		return err.Error()
	}
	if err := probeKernel(ctx); err != nil {
		return "the kernel does not let it: " + err.Error()
	}
	return ""
}

// everyUser tells whether a uid_map is that of the machine itself, in which every user is who he is.
func everyUser(uidMap string) bool {
	return slices.Equal(strings.Fields(uidMap), []string{"0", "0", "4294967295"})
}

// probeKernel makes what a node is made of, and lets the kernel throw it away.
func probeKernel(ctx context.Context) error {
	box, err := newSandbox("")
	if err != nil {
		return err
	}
	cgroup := fmt.Sprintf("/hipaa-localcluster-probe-%d", os.Getpid())
	err = makeCgroups(cgroupRoot, cgroup)
	if err == nil {
		err = runInside(ctx, box, slices.Concat(networkCommands, probeCommands))
	}
	return errors.Join(err, removeCgroups(cgroupRoot, cgroup), box.close())
}

// missingPackages are those of which no file is there.
func missingPackages() []string {
	var missing []string
	for name, file := range debianPackages {
		if _, err := exec.LookPath(file); err != nil {
			missing = append(missing, name)
		}
	}
	slices.Sort(missing)
	return missing
}

func installPackages(ctx context.Context, out io.Writer) error {
	missing := missingPackages()
	if len(missing) == 0 {
		return nil
	}
	want := strings.Join(missing, " ")
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("it needs what Debian calls %s; install it", want)
	}
	fmt.Fprintf(out, "installing Debian's %s\n", want)
	for _, args := range [][]string{{"update", "-qq"}, append([]string{"install", "-qq", "-y", "--no-remove", "--no-install-recommends"}, missing...)} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if said, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("it needs Debian's %s, and apt-get %s: %w: %s", want, args[0], err, lastLine(said))
		}
	}
	if missing := missingPackages(); len(missing) > 0 {
		return fmt.Errorf("it needs what Debian calls %s, and installing did not bring it", strings.Join(missing, " "))
	}
	return nil
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// nodeFolders are those that a node's programs must see.
func nodeFolders(bin cache) []string {
	folders := []string{os.TempDir(), bin.dir}
	for i, folder := range folders {
		if resolved, err := filepath.EvalSymlinks(folder); err == nil {
			folders[i] = resolved
		}
	}
	return folders
}
