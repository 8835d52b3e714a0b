package reach

import (
	"cmp"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
)

// scope tells whose labels a key belongs to.
type scope uint8

const (
	ofNamespace scope = iota
	ofPod
)

type labelKey struct {
	scope scope
	name  string
}

func (k labelKey) compare(o labelKey) int {
	return cmp.Or(cmp.Compare(k.scope, o.scope), cmp.Compare(k.name, o.name))
}

type constraint struct {
	key    labelKey
	states valueSet
}

// box is what a label selector selects: all label sets that satisfy each constraint. Keys are sorted and each stands
// once; a key that is not listed is free. The nil box holds everything.
type box []constraint

// boundingBox is the smallest box known to hold everything the selector could select. A requirement that Kubernetes
// would not accept is left out, because nobody knows what a network plugin makes of it.
func boundingBox(s scope, selector *metav1.LabelSelector) box {
	var b box
	for name, value := range selector.MatchLabels {
		b = b.with(labelKey{s, name}, oneOf(value))
	}
	for _, r := range selector.MatchExpressions {
		if states, readable := statesOf(r); readable {
			b = b.with(labelKey{s, r.Key}, states)
		}
	}
	return b
}

// exactBox is the selector itself; not ok when Kubernetes would not accept it.
func exactBox(s scope, selector *metav1.LabelSelector) (b box, ok bool) {
	if _, err := metav1.LabelSelectorAsSelector(selector); err != nil {
		return nil, false
	}
	return boundingBox(s, selector), true
}

func statesOf(r metav1.LabelSelectorRequirement) (states valueSet, readable bool) {
	listed := len(r.Values) > 0
	switch r.Operator {
	case metav1.LabelSelectorOpIn:
		return oneOf(r.Values...), listed
	case metav1.LabelSelectorOpNotIn:
		return noneOf(r.Values...), listed
	case metav1.LabelSelectorOpExists:
		return present(), !listed
	case metav1.LabelSelectorOpDoesNotExist:
		return missing(), !listed
	}
	return valueSet{}, false
}

func (b box) at(key labelKey) valueSet {
	if i, found := b.search(key); found {
		return b[i].states
	}
	return anyState()
}

func (b box) search(key labelKey) (int, bool) {
	return slices.BinarySearchFunc(b, key, func(c constraint, k labelKey) int { return c.key.compare(k) })
}

// with returns the part of the box where the key is in one of the states.
func (b box) with(key labelKey, states valueSet) box {
	i, found := b.search(key)
	narrowed := make(box, 0, len(b)+1)
	narrowed = append(narrowed, b[:i]...)
	if found {
		states = b[i].states.intersect(states)
		i++
	}
	narrowed = append(narrowed, constraint{key, states})
	return append(narrowed, b[i:]...)
}

func (b box) intersect(o box) box {
	for _, c := range o {
		b = b.with(c.key, c.states)
	}
	return b
}

func (b box) empty() bool {
	return slices.ContainsFunc(b, func(c constraint) bool { return c.states.empty() })
}

// implies tells whether everything in b is in o.
func (b box) implies(o box) bool {
	rest := b
	for _, c := range o {
		var states valueSet
		if rest, states = rest.advance(c.key); !c.states.contains(states) {
			return b.empty()
		}
	}
	return true
}

// disjoint tells whether nothing is in both.
func (b box) disjoint(o box) bool {
	rest := b
	for _, c := range o {
		var states valueSet
		if rest, states = rest.advance(c.key); !c.states.overlaps(states) {
			return true
		}
	}
	return b.empty() || o.empty()
}

// advance is at for keys that are asked in order: it drops the constraints that lie before the key.
func (b box) advance(key labelKey) (box, valueSet) {
	for len(b) > 0 && b[0].key.compare(key) < 0 {
		b = b[1:]
	}
	if len(b) > 0 && b[0].key == key {
		return b, b[0].states
	}
	return b, anyState()
}

// equal tells whether both hold the same, however they are written.
func (b box) equal(o box) bool { return b.implies(o) && o.implies(b) }

// matches tells whether labels of the given scope satisfy the constraints of that scope.
func (b box) matches(s scope, l labels.Set) bool {
	for _, c := range b {
		if c.key.scope != s {
			continue
		}
		value, exists := l[c.key.name]
		if !c.states.has(value, exists) {
			return false
		}
	}
	return true
}

// sample returns the labels of one object of a box that is not empty.
func (b box) sample(s scope) labels.Set {
	picked := labels.Set{}
	for _, c := range b {
		if c.key.scope != s {
			continue
		}
		if value, exists := c.states.pick(); exists {
			picked[c.key.name] = value
		}
	}
	return picked
}
