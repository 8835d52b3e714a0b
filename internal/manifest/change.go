package manifest

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	yamlv3 "go.yaml.in/yaml/v3"
	apiequality "k8s.io/apimachinery/pkg/api/equality"
)

// Change writes into an object, below a path of field names, what differs between
// two readings of what stands there. What does not differ is not touched: fields
// that the reader does not know, comments, the order and the way of writing stay. It
// reports whether anything differs.
func (o *Object) Change(path []string, before, after map[string]any) (changed bool, err error) {
	if apiequality.Semantic.DeepEqual(before, after) {
		return false, nil
	}
	if !o.document.faithful {
		return false, errors.New("it would say something else if it were written anew: take tags, names without quotes that are no text to YAML (such as 0x1 or yes), and comments in unusual places out of it")
	}
	at := o.node
	for _, step := range path {
		next := member(at, step)
		if next == nil || next.Kind != yamlv3.MappingNode {
			return false, fmt.Errorf("%q is not there to be changed", step)
		}
		at = next
	}
	if err := merge(at, before, after); err != nil {
		return false, err
	}
	o.document.changed = true
	return true, nil
}

// merge brings a mapping from one reading to another.
func merge(mapping *yamlv3.Node, before, after map[string]any) error {
	for _, key := range slices.Sorted(maps.Keys(after)) {
		was, had := before[key]
		if had && apiequality.Semantic.DeepEqual(was, after[key]) {
			continue
		}
		i := indexOf(mapping, key)
		if i < 0 {
			name, err := written(key)
			if err != nil {
				return err
			}
			value, err := written(after[key])
			if err != nil {
				return err
			}
			mapping.Content = append(mapping.Content, name, value)
			continue
		}
		value, err := merged(mapping.Content[i+1], was, after[key])
		if err != nil {
			return err
		}
		mapping.Content[i+1] = value
	}
	for key := range before {
		if _, stays := after[key]; !stays {
			if i := indexOf(mapping, key); i >= 0 {
				mapping.Content = slices.Delete(mapping.Content, i, i+2)
			}
		}
	}
	return nil
}

// merged is a value brought from one reading to another: as little of it as can be
// is new.
func merged(node *yamlv3.Node, before, after any) (*yamlv3.Node, error) {
	switch now := after.(type) {
	case map[string]any:
		if was, same := before.(map[string]any); same && node.Kind == yamlv3.MappingNode {
			return node, merge(node, was, now)
		}
	case []any:
		if was, same := before.([]any); same && node.Kind == yamlv3.SequenceNode && len(node.Content) == len(was) && len(was) <= len(now) {
			return node, extend(node, was, now)
		}
	}
	value, err := written(after)
	if err == nil {
		value.HeadComment, value.LineComment, value.FootComment = node.HeadComment, node.LineComment, node.FootComment
		if value.Kind == node.Kind {
			value.Style = node.Style & yamlv3.FlowStyle
		}
	}
	return value, err
}

// extend brings a list to one that is no shorter.
func extend(list *yamlv3.Node, before, after []any) error {
	for i := range after {
		if i >= len(before) {
			value, err := written(after[i])
			if err != nil {
				return err
			}
			list.Content = append(list.Content, value)
			continue
		}
		if apiequality.Semantic.DeepEqual(before[i], after[i]) {
			continue
		}
		value, err := merged(list.Content[i], before[i], after[i])
		if err != nil {
			return err
		}
		list.Content[i] = value
	}
	return nil
}

// written is a value that stood nowhere yet.
func written(value any) (*yamlv3.Node, error) {
	node := &yamlv3.Node{}
	if err := node.Encode(value); err != nil {
		return nil, fmt.Errorf("writing a value: %w", err)
	}
	return node, nil
}
