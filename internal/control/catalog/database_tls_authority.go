package catalog

import (
	"fmt"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// systemRoots is what libpq takes for the authorities of its own system: no file.
const systemRoots = "system"

// mounts is what a container finds in its volumes, as far as the pod and the
// ConfigMaps tell.
type mounts struct {
	spec      *corev1.PodSpec
	container *corev1.Container
	known     map[string]*corev1.ConfigMap
}

// lacks says why nothing shows that the file of an authority will be there; empty where
// something does. A client that is told to look at the certificate and has no authority
// connects to nobody.
func (m *mounts) lacks(file string) string {
	if !path.IsAbs(file) || refersElsewhere(file) {
		return "names no file that can be found from here"
	}
	at, inside := m.mountOf(path.Clean(file))
	if at == nil {
		return "names a file that no volume mounts into the container"
	}
	volume := m.volume(at.Name)
	switch {
	case volume == nil || at.SubPathExpr != "" || !holdsFiles(volume):
		return fmt.Sprintf("names a file in volume %q, of which nothing shows that it is there", at.Name)
	case !m.holds(volume, path.Join(at.SubPath, inside)):
		return fmt.Sprintf("names a file that volume %q does not hold for certain", at.Name)
	default:
		return ""
	}
}

// mountOf is the mount that a file is in, the deepest of them, and where in it.
func (m *mounts) mountOf(file string) (mount *corev1.VolumeMount, inside string) {
	deepest := -1
	for i := range m.container.VolumeMounts {
		at := path.Clean(m.container.VolumeMounts[i].MountPath)
		rest, under := strings.CutPrefix(file, strings.TrimSuffix(at, "/"))
		if under && (rest == "" || rest[0] == '/') && len(at) > deepest {
			mount, inside, deepest = &m.container.VolumeMounts[i], strings.TrimPrefix(rest, "/"), len(at)
		}
	}
	return mount, inside
}

func (m *mounts) volume(name string) *corev1.Volume {
	i := slices.IndexFunc(m.spec.Volumes, func(v corev1.Volume) bool { return v.Name == name })
	if i < 0 {
		return nil
	}
	return &m.spec.Volumes[i]
}

// holdsFiles reports whether a volume is filled before the container starts, with what
// somebody has written down. What is in others, an init container or nobody has put there.
func holdsFiles(v *corev1.Volume) bool {
	return v.ConfigMap != nil || v.Secret != nil || v.Projected != nil || v.CSI != nil
}

func (m *mounts) holds(v *corev1.Volume, file string) bool {
	switch {
	case v.CSI != nil:
		return true // its driver fills it, or the pod does not start
	case v.ConfigMap != nil:
		return m.configMapHolds(v.ConfigMap.Name, v.ConfigMap.Items, file)
	case v.Secret != nil:
		return secretHolds(v.Secret.Optional, v.Secret.Items, file)
	default:
		return slices.ContainsFunc(v.Projected.Sources, func(from corev1.VolumeProjection) bool { return m.projects(&from, file) })
	}
}

func (m *mounts) projects(from *corev1.VolumeProjection, file string) bool {
	switch {
	case from.ConfigMap != nil:
		return m.configMapHolds(from.ConfigMap.Name, from.ConfigMap.Items, file)
	case from.Secret != nil:
		return secretHolds(from.Secret.Optional, from.Secret.Items, file)
	case from.ClusterTrustBundle != nil:
		return path.Clean(from.ClusterTrustBundle.Path) == file && !ptr.Deref(from.ClusterTrustBundle.Optional, false)
	default:
		return false
	}
}

// configMapHolds reports whether a ConfigMap is there and has the key of a file.
func (m *mounts) configMapHolds(name string, items []corev1.KeyToPath, file string) bool {
	key, is := keyBehind(items, file)
	of := m.known[name]
	if !is || of == nil {
		return false
	}
	_, text := of.Data[key]
	_, binary := of.BinaryData[key]
	return text || binary
}

// secretHolds reports whether a Secret that must be there has the key of a file, as far
// as the pod says: Secrets are not read.
func secretHolds(optional *bool, items []corev1.KeyToPath, file string) bool {
	_, is := keyBehind(items, file)
	return is && !ptr.Deref(optional, false)
}

// keyBehind is the key that becomes a file: the one that an item puts there, or without
// items the one of that name.
func keyBehind(items []corev1.KeyToPath, file string) (key string, is bool) {
	if len(items) == 0 {
		return file, file != "" && !strings.Contains(file, "/")
	}
	for _, item := range items {
		if path.Clean(item.Path) == file {
			return item.Key, true
		}
	}
	return "", false
}

// mightHoldSettings reports whether a volume of the container could hold a file of
// settings that nobody here reads.
func (m *mounts) mightHoldSettings() bool {
	return slices.ContainsFunc(m.container.VolumeMounts, func(at corev1.VolumeMount) bool {
		v := m.volume(at.Name)
		switch {
		case v == nil:
			return true
		case v.ConfigMap != nil:
			return m.known[v.ConfigMap.Name] == nil
		case v.Projected != nil:
			return slices.ContainsFunc(v.Projected.Sources, func(from corev1.VolumeProjection) bool {
				return from.Secret != nil || from.ConfigMap != nil && m.known[from.ConfigMap.Name] == nil
			})
		default:
			return v.EmptyDir == nil && v.DownwardAPI == nil
		}
	})
}

// settingsIn are what the files of the ConfigMaps say that the container mounts.
func (m *mounts) settingsIn() []control.Setting {
	return mountedEntries(m.spec, m.known)
}
