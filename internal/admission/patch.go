package admission

import (
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"gomodules.xyz/jsonpatch/v2"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// patch is the shortest list of operations that turns one typed object into
// another. It walks the types and marshals nothing, so fields of the API server
// that this version does not know are never touched, and an unchanged object
// costs no more than a comparison.
func patch[T any](before, after *T) []jsonpatch.Operation {
	var w walk
	w.object(reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem())
	return w.operations
}

// walk compares two values of one type. The path leads to where it stands.
type walk struct {
	path       []string
	operations []jsonpatch.Operation
}

func (w *walk) at(step string, visit func()) {
	w.path = append(w.path, step)
	visit()
	w.path = w.path[:len(w.path)-1]
}

var pointerEscapes = strings.NewReplacer("~", "~0", "/", "~1")

func (w *walk) emit(operation string, value any) {
	var pointer strings.Builder
	for _, step := range w.path {
		pointer.WriteByte('/')
		_, _ = pointerEscapes.WriteString(&pointer, step) // a strings.Builder takes everything
	}
	w.operations = append(w.operations, jsonpatch.NewOperation(operation, pointer.String(), value))
}

// set puts a member of an object, which replaces one that is there.
func (w *walk) set(value reflect.Value) { w.emit("add", value.Interface()) }

// way is how the values of a type are compared.
type way int

const (
	// whole values have no members.
	whole way = iota
	// plain values are whole, and == compares them.
	plain
	structure
	// reference is a pointer to a structure.
	reference
	dictionary
	list
)

var marshaler = reflect.TypeFor[json.Marshaler]()

// opaque reports whether a type chooses its own JSON, and so has no members.
func opaque(t reflect.Type) bool {
	return t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

func wayOf(t reflect.Type) way {
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int32, reflect.Int64:
		return plain
	case reflect.Struct:
		if !opaque(t) {
			return structure
		}
	case reflect.Pointer:
		if !opaque(t) && wayOf(t.Elem()) == structure {
			return reference
		}
	case reflect.Map:
		if !opaque(t) && t.Key().Kind() == reflect.String {
			return dictionary
		}
	case reflect.Slice:
		if !opaque(t) && t.Elem().Kind() != reflect.Uint8 {
			return list
		}
	}
	return whole
}

func equal(a, b reflect.Value, by way) bool {
	if by == plain {
		return a.Equal(b)
	}
	return apiequality.Semantic.DeepEqual(a.Interface(), b.Interface())
}

// value compares what is present on both sides.
func (w *walk) value(a, b reflect.Value, by way) {
	switch by {
	case reference:
		w.value(a.Elem(), b.Elem(), structure)
	case structure:
		// What was empty may not be written at all by an API server of another
		// version, so its members have no parent to go to.
		switch {
		case !a.IsZero():
			w.object(a, b)
		case !b.IsZero():
			w.leaf(a, b, by)
		}
	case dictionary:
		w.members(a, b)
	case list:
		w.list(a, b)
	case whole, plain:
		w.leaf(a, b, by)
	}
}

func (w *walk) leaf(a, b reflect.Value, by way) {
	if !equal(a, b, by) {
		w.set(b)
	}
}

func (w *walk) object(a, b reflect.Value) {
	for _, f := range fieldsOf(a.Type()) {
		left, right := a.Field(f.index), b.Field(f.index)
		if f.inline {
			w.object(left, right)
			continue
		}
		w.at(f.name, func() { w.member(left, right, f) })
	}
}

// member compares one field, which may be absent on either side.
func (w *walk) member(a, b reflect.Value, f field) {
	before, after := written(a, f.omitEmpty), written(b, f.omitEmpty)
	switch {
	case !before && !after:
	case !after:
		w.emit("remove", nil)
	case !before || isNil(a) != isNil(b):
		w.set(b)
	case isNil(a):
	default:
		w.value(a, b, f.way)
	}
}

// written reports whether encoding/json writes a field.
func written(v reflect.Value, omitEmpty bool) bool {
	if !omitEmpty {
		return true
	}
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.String, reflect.Array:
		return v.Len() > 0
	case reflect.Struct:
		return true
	default:
		return !v.IsZero()
	}
}

func isNil(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Pointer, reflect.Map, reflect.Slice, reflect.Interface:
		return v.IsNil()
	default:
		return false
	}
}

func (w *walk) members(a, b reflect.Value) {
	member := field{way: wayOf(a.Type().Elem())}
	for _, key := range sortedKeys(a) {
		w.at(key.String(), func() {
			if right := b.MapIndex(key); !right.IsValid() {
				w.emit("remove", nil)
			} else {
				w.member(a.MapIndex(key), right, member)
			}
		})
	}
	for _, key := range sortedKeys(b) {
		if !a.MapIndex(key).IsValid() {
			w.at(key.String(), func() { w.set(b.MapIndex(key)) })
		}
	}
}

func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
	return keys
}

// list compares two lists element by element where there are as many. Otherwise
// it leaves their equal head and tail alone and replaces what lies between.
func (w *walk) list(a, b reflect.Value) {
	by := wayOf(a.Type().Elem())
	head, endA, endB := 0, a.Len(), b.Len()
	if endA == endB {
		for i := range endA {
			w.at(strconv.Itoa(i), func() { w.element(a.Index(i), b.Index(i), by) })
		}
		return
	}
	for head < min(endA, endB) && equal(a.Index(head), b.Index(head), by) {
		head++
	}
	for endA > head && endB > head && equal(a.Index(endA-1), b.Index(endB-1), by) {
		endA--
		endB--
	}
	for i := endA - 1; i >= head; i-- {
		w.at(strconv.Itoa(i), func() { w.emit("remove", nil) })
	}
	for i := head; i < endB; i++ {
		w.at(strconv.Itoa(i), func() { w.set(b.Index(i)) })
	}
}

// element compares two elements of a list. There "add" would insert, so an
// element that has no members is replaced.
func (w *walk) element(a, b reflect.Value, by way) {
	if by == structure && !a.IsZero() {
		w.object(a, b)
		return
	}
	if !equal(a, b, by) {
		w.emit("replace", b.Interface())
	}
}

// field is how encoding/json writes a field of a struct.
type field struct {
	index     int
	name      string
	way       way
	inline    bool
	omitEmpty bool
}

var knownFields sync.Map // reflect.Type -> []field

func fieldsOf(t reflect.Type) []field {
	if known, ok := knownFields.Load(t); ok {
		if fields, ok := known.([]field); ok {
			return fields
		}
	}
	var fields []field
	for i := range t.NumField() {
		if f, ok := fieldOf(t.Field(i)); ok {
			f.index = i
			fields = append(fields, f)
		}
	}
	knownFields.Store(t, fields)
	return fields
}

func fieldOf(f reflect.StructField) (field, bool) {
	name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "-" || !f.IsExported() {
		return field{}, false
	}
	choices := strings.Split(options, ",")
	return field{
		name:      name,
		way:       wayOf(f.Type),
		inline:    f.Anonymous && name == "",
		omitEmpty: slices.Contains(choices, "omitempty") || slices.Contains(choices, "omitzero"),
	}, true
}
