package repair

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
)

// wholeObject is the path of a difference that is the whole object.
const wholeObject = "."

// How a side is told that has nothing, or the whole object.
const (
	absent  = "absent"
	present = "present"
)

// maxDifferences bounds what is told of one object; all of it is corrected.
const maxDifferences = 8

// difference is one field in which the live object departs from the desired one.
type difference struct {
	// fields are the names of the fields that lead to it, up to the first list.
	fields []string
	// path is where it is, as people read it.
	path string
	// found and want are the two values; nil is none.
	found, want any
}

// differences compares what the operator owns of an object: the labels and
// annotations that it sets, and everything else that it says at the top, wholly.
// A field below those that it does not say must not be there.
func differences(desired, live *unstructured.Unstructured) []difference {
	var found []difference
	for _, kept := range []string{"labels", "annotations"} {
		want, _, _ := unstructured.NestedStringMap(desired.Object, "metadata", kept)
		have, _, _ := unstructured.NestedStringMap(live.Object, "metadata", kept)
		for _, key := range slices.Sorted(maps.Keys(want)) {
			if value, exists := have[key]; exists && value == want[key] {
				continue
			}
			d := difference{fields: []string{"metadata", kept, key}, path: "metadata." + kept + "[" + key + "]", want: want[key]}
			if value, exists := have[key]; exists {
				d.found = value
			}
			found = append(found, d)
		}
	}
	for _, section := range slices.Sorted(maps.Keys(desired.Object)) {
		switch section {
		case "apiVersion", "kind", "metadata", "status":
			continue
		}
		w := walk{found: &found}
		w.compare(place{fields: []string{section}, path: section}, desired.Object[section], live.Object[section])
	}
	return found
}

// place is where a comparison stands.
type place struct {
	fields []string
	path   string
	inList bool
}

func (p place) field(name string) place {
	next := place{fields: p.fields, path: p.path + "." + name, inList: p.inList}
	if !p.inList {
		next.fields = append(slices.Clone(p.fields), name)
	}
	return next
}

func (p place) index(i int) place {
	return place{fields: p.fields, path: p.path + "[" + strconv.Itoa(i) + "]", inList: true}
}

type walk struct{ found *[]difference }

func (w walk) compare(at place, want, found any) {
	if same(want, found) {
		return
	}
	switch wanted := want.(type) {
	case map[string]any:
		if have, ok := found.(map[string]any); ok && len(wanted) > 0 && len(have) > 0 {
			w.maps(at, wanted, have)
			return
		}
	case []any:
		if have, ok := found.([]any); ok && len(have) == len(wanted) {
			for i := range wanted {
				w.compare(at.index(i), wanted[i], have[i])
			}
			return
		}
	}
	*w.found = append(*w.found, difference{fields: at.fields, path: at.path, found: found, want: want})
}

func (w walk) maps(at place, want, have map[string]any) {
	all := maps.Clone(want)
	maps.Copy(all, have)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		w.compare(at.field(name), want[name], have[name])
	}
}

// same compares as the API server stores: no list and an empty one are the same;
// an empty map is not the same as none, for it may select everything.
func same(a, b any) bool {
	if isNothing(a) && isNothing(b) {
		return true
	}
	return equality.Semantic.DeepEqual(a, b)
}

func isNothing(v any) bool {
	list, isList := v.([]any)
	return v == nil || isList && len(list) == 0
}

// closing returns the desired object with every field that must not be there
// said to be empty, so that applying it takes the field from whoever set it.
// Only lists can be said to be empty, and texts of maps: those are there still, but
// go with the next time that they are not applied.
func closing(desired *unstructured.Unstructured, differing []difference) *unstructured.Unstructured {
	closed := desired.DeepCopy()
	for _, d := range differing {
		// The path leads through maps of the desired object, where it leads at all.
		switch d.found.(type) {
		case []any:
			if isNothing(d.want) {
				_ = unstructured.SetNestedSlice(closed.Object, []any{}, d.fields...)
			}
		case string:
			if d.want == nil {
				_ = unstructured.SetNestedField(closed.Object, "", d.fields...)
			}
		}
	}
	return closed
}

// shown is a value as people may read it: short, and never the content of a
// Secret or ConfigMap.
func shown(kind string, fields []string, value any) string {
	if value == nil {
		return absent
	}
	if kind == "Secret" || len(fields) > 0 && slices.Contains([]string{"data", "stringData", "binaryData"}, fields[0]) {
		return "(not shown)"
	}
	if text, ok := value.(string); ok {
		return shorten(text)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprintf("(a %T)", value)
	}
	return shorten(string(encoded))
}

// maxShown bounds a value in a status, in bytes.
const maxShown = 200

func shorten(text string) string { return outcome.Shorten(text, maxShown) }
