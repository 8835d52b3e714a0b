package manifest

import (
	"bytes"
	"encoding/json"
	"fmt"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// YAML is the stream as it came, but for documents that were changed.
func (s *Stream) YAML() ([]byte, error) {
	var out bytes.Buffer
	for _, d := range s.documents {
		out.WriteString(d.separator)
		if !d.changed {
			out.Write(d.body)
			continue
		}
		if err := d.encode(&out); err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return out.Bytes(), nil
}

// encode writes a tree in the layout that it was read in.
func (d *document) encode(out *bytes.Buffer) error {
	var text bytes.Buffer
	layout := layoutOf(d.root.Content[0])
	encoder := yamlv3.NewEncoder(&text)
	encoder.SetIndent(layout.indent)
	if layout.compact {
		encoder.CompactSeqIndent()
	}
	if err := encoder.Encode(d.root); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	if err := encoder.Close(); err != nil {
		return fmt.Errorf("writing YAML: %w", err)
	}
	out.Write(unmarked(text.Bytes()))
	return nil
}

// layout is how a document is indented.
type layout struct {
	indent int
	// compact says that the dashes of a list stand under the name of its field.
	compact bool
}

// usual is what kubectl writes.
var usual = layout{indent: 2, compact: true}

// layoutOf goes by the first mapping and the first list that stand below a field.
func layoutOf(top *yamlv3.Node) layout {
	found, seenMapping, seenList := usual, false, false
	var look func(mapping *yamlv3.Node)
	look = func(mapping *yamlv3.Node) {
		for i := 0; i+1 < len(mapping.Content); i += 2 {
			key, value := mapping.Content[i], mapping.Content[i+1]
			if value.Style&yamlv3.FlowStyle != 0 || value.Line == key.Line {
				continue
			}
			switch value.Kind {
			case yamlv3.MappingNode:
				if !seenMapping && value.Column > key.Column {
					found.indent, seenMapping = value.Column-key.Column, true
				}
				look(value)
			case yamlv3.SequenceNode:
				if !seenList {
					found.compact, seenList = value.Column == key.Column, true
				}
				if !seenMapping && !found.compact {
					found.indent, seenMapping = value.Column-key.Column, true
				}
				for _, item := range value.Content {
					if item.Kind == yamlv3.MappingNode {
						look(item)
					}
				}
			default:
			}
		}
	}
	if top.Kind == yamlv3.MappingNode {
		look(top)
	}
	return found
}

// JSON writes streams as kubectl does: one object as it is, more of them as a List.
func JSON(streams []*Stream) ([]byte, error) {
	var objects []json.RawMessage
	for _, s := range streams {
		for _, d := range s.documents {
			if d.root == nil {
				continue
			}
			object, err := d.asJSON()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", s.Name, err)
			}
			objects = append(objects, object)
		}
	}
	var whole any = map[string]any{"apiVersion": "v1", "kind": "List", "items": objects}
	if len(objects) == 1 {
		whole = objects[0]
	}
	text, err := json.MarshalIndent(whole, "", "    ")
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return append(text, '\n'), nil
}

func (d *document) asJSON() (json.RawMessage, error) {
	body := d.body
	if d.changed {
		var out bytes.Buffer
		if err := d.encode(&out); err != nil {
			return nil, err
		}
		body = out.Bytes()
	}
	object, err := yaml.YAMLToJSON(body)
	if err != nil {
		return nil, fmt.Errorf("writing JSON: %w", err)
	}
	return object, nil
}
