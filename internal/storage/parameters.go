package storage

import (
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
)

// parameters is one place where a driver's parameters stand: a class, or a volume.
type parameters struct {
	values map[string]string
	// volume carries the references to Secrets that the provisioner made of the class's csi.storage.k8s.io parameters.
	volume *corev1.CSIPersistentVolumeSource
	fold   bool
}

// presence says how often a parameter was found.
type presence uint8

const (
	absent presence = iota
	present
	// disputed: the driver ignores case, and two spellings of the name have different values. Which one it takes is
	// left to the order of a map.
	disputed
)

// lookup returns a parameter's value.
func (p *parameters) lookup(name string) (string, presence) {
	if p.volume != nil && strings.HasPrefix(name, "csi.storage.k8s.io/") {
		return secretName(p.volume, name)
	}
	if !p.fold {
		v, ok := p.values[name]
		if !ok {
			return "", absent
		}
		return v, present
	}
	value, found := "", absent
	for key, v := range p.values {
		if !strings.EqualFold(key, name) {
			continue
		}
		if found == present && v != value {
			return "", disputed
		}
		value, found = v, present
	}
	return value, found
}

// holds reports whether a condition is met.
func (p *parameters) holds(c *Condition) bool {
	v, found := p.lookup(c.Param)
	return found == present && slices.Contains(c.Values, v)
}

func secretName(v *corev1.CSIPersistentVolumeSource, param string) (string, presence) {
	var ref *corev1.SecretReference
	switch param {
	case stageSecret:
		ref = v.NodeStageSecretRef
	case publishSecret:
		ref = v.NodePublishSecretRef
	}
	if ref == nil || ref.Name == "" {
		return "", absent
	}
	return ref.Name, present
}
