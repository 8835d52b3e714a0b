// Package manifest reads and writes streams of YAML and JSON. Its promise: a
// document that nobody changes leaves byte for byte as it came, and one that is
// changed keeps its comments and the order of its fields.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// Stream is a file of documents.
type Stream struct {
	// Name says in errors where it came from.
	Name      string
	documents []*document
}

// document is what stands between two separators, with the one before it.
type document struct {
	separator string
	body      []byte
	// root is nil where there are only comments.
	root    *yamlv3.Node
	objects []*Object
	// faithful says that it says the same when it is written anew.
	faithful, changed bool
}

// Object is one object of a stream. An item of a list is an object.
type Object struct {
	// Place is where it stands, for people.
	Place string
	// APIVersion and Kind are as written.
	APIVersion, Kind string
	// JSON is the object as the API server would read it.
	JSON []byte

	document *document
	node     *yamlv3.Node
}

// Read reads a stream. Names that stand twice are refused: which of them counts
// would be the reader's choice.
func Read(name string, content []byte) (*Stream, error) {
	s := &Stream{Name: name}
	for i, d := range split(content) {
		place := fmt.Sprintf("%s, document %d", name, i+1)
		if err := d.parse(place); err != nil {
			return nil, fmt.Errorf("%s: %w", place, err)
		}
		s.documents = append(s.documents, d)
	}
	return s, nil
}

// Objects lists the objects in their order.
func (s *Stream) Objects() []*Object {
	var all []*Object
	for _, d := range s.documents {
		all = append(all, d.objects...)
	}
	return all
}

// Changed reports whether any document is not as it came.
func (s *Stream) Changed() bool {
	for _, d := range s.documents {
		if d.changed {
			return true
		}
	}
	return false
}

// split cuts at the lines that begin a document. Such a line ends whatever scalar
// it stands in, so nothing has to be parsed for that.
func split(content []byte) []*document {
	var documents []*document
	current := &document{}
	for line := range bytes.Lines(content) {
		if !begins(line) {
			current.body = append(current.body, line...)
			continue
		}
		if current.separator != "" || len(current.body) > 0 {
			documents = append(documents, current)
		}
		rest := bytes.TrimSpace(line[len(mark):])
		current = &document{separator: string(line)}
		if len(rest) > 0 && rest[0] != '#' {
			current = &document{separator: mark + "\n", body: line[len(mark):]}
		}
	}
	return append(documents, current)
}

// mark begins a document.
const mark = "---"

func begins(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte(mark))
	return found && (len(rest) == 0 || bytes.ContainsAny(rest[:1], " \t\r\n"))
}

// parse reads the tree and the objects of a document.
func (d *document) parse(place string) error {
	asJSON, err := yaml.YAMLToJSON(d.body)
	if err != nil {
		return fmt.Errorf("reading YAML: %w", err)
	}
	decoder := yamlv3.NewDecoder(bytes.NewReader(d.body))
	root := &yamlv3.Node{}
	if err := decoder.Decode(root); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return fmt.Errorf("reading YAML: %w", err)
	}
	if err := decoder.Decode(&yamlv3.Node{}); !errors.Is(err, io.EOF) {
		return errors.New("reading YAML: two documents without a line --- between them")
	}
	// Unlike the reading above this one takes no name twice.
	var probe any
	if err := root.Decode(&probe); err != nil {
		return fmt.Errorf("reading YAML: %w", err)
	}
	top := root.Content[0]
	if top.Kind == yamlv3.ScalarNode && top.Tag == "!!null" {
		return nil
	}
	if top.Kind != yamlv3.MappingNode {
		return errors.New("reading YAML: it is no object; an object has apiVersion and kind")
	}
	d.choose(root, asJSON)
	var read any
	if err := json.Unmarshal(asJSON, &read); err != nil {
		return fmt.Errorf("reading the object: %w", err)
	}
	d.faithful = d.faithful && literal(d.root.Content[0], read)
	return d.find(place, d.root.Content[0], asJSON)
}

// choose takes the tree with empty lines if the document says the same when that is
// written, or else the one without.
func (d *document) choose(plain *yamlv3.Node, asJSON []byte) {
	trees := []*yamlv3.Node{plain}
	if text := marked(d.body, plain); text != nil {
		withBlanks := &yamlv3.Node{}
		if yamlv3.Unmarshal(text, withBlanks) == nil && len(withBlanks.Content) == 1 {
			trees = []*yamlv3.Node{withBlanks, plain}
		}
	}
	for _, tree := range trees {
		expand(tree)
		d.root, d.faithful = tree, true
		var out bytes.Buffer
		if d.encode(&out) == nil {
			if same, err := yaml.YAMLToJSON(out.Bytes()); err == nil && bytes.Equal(same, asJSON) {
				return
			}
		}
	}
	d.faithful = false
}

// find collects the object of the document, or the items of the list that it is.
func (d *document) find(place string, top *yamlv3.Node, asJSON []byte) error {
	var whole struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
	}
	if err := json.Unmarshal(asJSON, &whole); err != nil {
		return fmt.Errorf("reading the object: %w", err)
	}
	items := member(top, "items")
	if !strings.HasSuffix(whole.Kind, "List") || items == nil || items.Kind != yamlv3.SequenceNode {
		d.objects = []*Object{{Place: place, APIVersion: whole.APIVersion, Kind: whole.Kind, JSON: asJSON, document: d, node: top}}
		return nil
	}
	for i, item := range items.Content {
		o := &Object{Place: fmt.Sprintf("%s, items[%d]", place, i), JSON: whole.Items[i], document: d, node: item}
		var typed struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
		}
		if err := json.Unmarshal(whole.Items[i], &typed); err != nil {
			return fmt.Errorf("reading items[%d]: %w", i, err)
		}
		o.APIVersion, o.Kind = typed.APIVersion, typed.Kind
		d.objects = append(d.objects, o)
	}
	return nil
}

// Top is the JSON of a field of the stream's first document, such as the
// functionConfig of a ResourceList; nil where there is none.
func (s *Stream) Top(field string) (json.RawMessage, error) {
	for _, d := range s.documents {
		if d.root == nil {
			continue
		}
		whole := map[string]json.RawMessage{}
		asJSON, err := yaml.YAMLToJSON(d.body)
		if err != nil {
			return nil, fmt.Errorf("%s: reading YAML: %w", s.Name, err)
		}
		if err := json.Unmarshal(asJSON, &whole); err != nil {
			return nil, fmt.Errorf("%s: reading the object: %w", s.Name, err)
		}
		return whole[field], nil
	}
	return nil, nil
}
