package main

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	// pauseImage and corednsImage are made by this tool; no registry has them.
	pauseImage   = "localcluster.local/pause:1"
	corednsImage = "localcluster.local/coredns:1"
	// pluginFolder is where Debian's package puts the CNI plugins.
	pluginFolder = "/usr/lib/cni"
	// imageNamespace is containerd's namespace for the kubelet's images and containers.
	imageNamespace = "k8s.io"
)

// containerdSocket is where the node's programs find containerd.
const containerdSocket = "/run/containerd/containerd.sock"

// containerdFrom is the same socket seen from the host, through any process of the sandbox.
func containerdFrom(pid int) string { return fmt.Sprintf("/proc/%d/root%s", pid, containerdSocket) }

func (p plan) containerdArgs() []string { return []string{"--config=" + p.file("containerd.toml")} }

// containerdConfig leaves out what would write outside of the cluster's folder or needs other file systems.
func (p plan) containerdConfig(runc string) string {
	return fmt.Sprintf(`version = 3
root = %q
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.internal.v1.opt",
  "io.containerd.nri.v1.nri",
  "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs",
]

[grpc]
  address = %q

[plugins."io.containerd.cri.v1.images"]
  snapshotter = "overlayfs"
  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = %q

[plugins."io.containerd.cri.v1.runtime"]
  # A container host need not have CAP_SYS_RESOURCE, without which no process gets harder to kill.
  restrict_oom_score_adj = true
  # Kubernetes promises low ports only to pods that ask for the sysctl.
  enable_unprivileged_ports = false
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = [%q]
    conf_dir = %q
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      # Debian's: one built without cgo has no seccomp and fails on the default profile.
      BinaryName = %q
      SystemdCgroup = false
`, p.file("containerd"), containerdSocket, pauseImage, pluginFolder, p.file("cni"), runc)
}

// writeContainerd writes what containerd and its CNI plugins read.
func (p plan) writeContainerd(runc string) error {
	if err := os.Mkdir(p.file("cni"), 0o700); err != nil {
		return fmt.Errorf("writing the CNI configuration: %w", err)
	}
	for file, content := range map[string]string{
		"containerd.toml":                         p.containerdConfig(runc),
		filepath.Join("cni", "10-local.conflist"): p.networkConfig(),
	} {
		if err := os.WriteFile(p.file(file), []byte(content), 0o600); err != nil {
			return fmt.Errorf("writing %s: %w", file, err)
		}
	}
	return nil
}
