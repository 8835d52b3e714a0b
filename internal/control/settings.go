package control

import (
	"maps"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
)

// Containers lists the containers of a pod with the path of each, in the order in
// which they start: init containers, containers, ephemeral ones.
func Containers(spec *corev1.PodSpec) []Container {
	var all []Container
	for i := range spec.InitContainers {
		all = append(all, Container{Path: indexed("spec.initContainers", i), Container: &spec.InitContainers[i]})
	}
	for i := range spec.Containers {
		all = append(all, Container{Path: indexed("spec.containers", i), Container: &spec.Containers[i]})
	}
	for i := range spec.EphemeralContainers {
		common := corev1.Container(spec.EphemeralContainers[i].EphemeralContainerCommon)
		all = append(all, Container{Path: indexed("spec.ephemeralContainers", i), Container: &common})
	}
	return all
}

// Container is a container and where in the pod it stands.
type Container struct {
	// Path is such as "spec.containers[0]".
	Path string
	*corev1.Container
}

// ConfigMapsOf names the ConfigMaps that a pod takes settings from, by environment
// or volume, sorted.
func ConfigMapsOf(spec *corev1.PodSpec) []string {
	var names []string
	for _, c := range Containers(spec) {
		for i := range c.EnvFrom {
			if ref := c.EnvFrom[i].ConfigMapRef; ref != nil {
				names = append(names, ref.Name)
			}
		}
		for i := range c.Env {
			if from := c.Env[i].ValueFrom; from != nil && from.ConfigMapKeyRef != nil {
				names = append(names, from.ConfigMapKeyRef.Name)
			}
		}
	}
	for i := range spec.Volumes {
		names = append(names, ConfigMapsIn(&spec.Volumes[i])...)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// ConfigMapsIn names the ConfigMaps that a volume holds.
func ConfigMapsIn(v *corev1.Volume) []string {
	var names []string
	if v.ConfigMap != nil {
		names = append(names, v.ConfigMap.Name)
	}
	if v.Projected != nil {
		for i := range v.Projected.Sources {
			if ref := v.Projected.Sources[i].ConfigMap; ref != nil {
				names = append(names, ref.Name)
			}
		}
	}
	return names
}

// Setting is a variable of a container's environment.
type Setting struct {
	Name string
	// Value is what the container sees. References to other variables in it are
	// not resolved.
	Value string
	// Path is where it is written, such as "spec.containers[0].env[2]", or
	// "ConfigMap/settings data.DB_URL".
	Path string
	// Origin says where the value comes from.
	Origin Origin
}

// Origin is where a setting comes from.
type Origin int

// Origins.
const (
	// Literal values stand in the pod.
	Literal Origin = iota
	// FromConfigMap values stand in a ConfigMap.
	FromConfigMap
	// FromSecret values stand in a Secret, which the operator does not read. Their
	// Value is empty.
	FromSecret
	// Unread values could not be read: the ConfigMap or its key is not there. Their
	// Value is empty.
	Unread
	// FromPod values come from the pod's own fields. Their Value is empty.
	FromPod
)

// SettingsOf lists what a container finds in its environment, by name in the order
// of the container's list; what comes by a whole ConfigMap comes first, and what a
// later entry overrides is left out. A whole Secret brings names that nobody here
// knows: it stands as a Setting without a name.
func SettingsOf(c Container, known map[string]*corev1.ConfigMap) []Setting {
	var list []Setting
	for i := range c.EnvFrom {
		list = append(list, whole(c.EnvFrom[i], indexed(c.Path+".envFrom", i), known)...)
	}
	for i := range c.Env {
		list = append(list, single(c.Env[i], indexed(c.Path+".env", i), known))
	}
	last := map[string]int{}
	for i, s := range list {
		last[s.Name] = i
	}
	kept := list[:0]
	for i, s := range list {
		if s.Name == "" || last[s.Name] == i {
			kept = append(kept, s)
		}
	}
	return kept
}

func whole(from corev1.EnvFromSource, path string, known map[string]*corev1.ConfigMap) []Setting {
	switch {
	case from.SecretRef != nil:
		return []Setting{{Path: path, Origin: FromSecret}}
	case from.ConfigMapRef == nil:
		return nil
	}
	m := known[from.ConfigMapRef.Name]
	if m == nil {
		return []Setting{{Path: path, Origin: Unread}}
	}
	var list []Setting
	for _, key := range sortedKeys(m.Data) {
		list = append(list, Setting{Name: from.Prefix + key, Value: m.Data[key], Path: inConfigMap(m.Name, key), Origin: FromConfigMap})
	}
	return list
}

func single(e corev1.EnvVar, path string, known map[string]*corev1.ConfigMap) Setting {
	switch from := e.ValueFrom; {
	case from == nil:
		return Setting{Name: e.Name, Value: e.Value, Path: path}
	case from.SecretKeyRef != nil:
		return Setting{Name: e.Name, Path: path, Origin: FromSecret}
	case from.ConfigMapKeyRef == nil:
		return Setting{Name: e.Name, Path: path, Origin: FromPod}
	default:
		m := known[from.ConfigMapKeyRef.Name]
		if m == nil {
			return Setting{Name: e.Name, Path: path, Origin: Unread}
		}
		value, there := m.Data[from.ConfigMapKeyRef.Key]
		if !there {
			return Setting{Name: e.Name, Path: path, Origin: Unread}
		}
		return Setting{Name: e.Name, Value: value, Path: inConfigMap(m.Name, from.ConfigMapKeyRef.Key), Origin: FromConfigMap}
	}
}

func inConfigMap(name, key string) string { return "ConfigMap/" + name + " data." + key }

func indexed(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

func sortedKeys(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
