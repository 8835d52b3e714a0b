package manifest

import (
	"slices"

	yamlv3 "go.yaml.in/yaml/v3"
)

// member is the value of a key; nil where there is none.
func member(mapping *yamlv3.Node, key string) *yamlv3.Node {
	if i := indexOf(mapping, key); i >= 0 {
		return mapping.Content[i+1]
	}
	return nil
}

// indexOf is where a key stands among keys and values; -1 where it does not.
func indexOf(mapping *yamlv3.Node, key string) int {
	if mapping.Kind != yamlv3.MappingNode {
		return -1
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return i
		}
	}
	return -1
}

// expand puts in the place of every alias what it stands for. A template often
// shares its labels with the selector beside it, and what is written into one must
// not come to stand in the other. The tree has no cycle: whoever read it before
// refused that.
func expand(n *yamlv3.Node) {
	for i, child := range n.Content {
		if child.Kind == yamlv3.AliasNode {
			aliased := copyOf(child.Alias)
			aliased.HeadComment, aliased.LineComment, aliased.FootComment = child.HeadComment, child.LineComment, child.FootComment
			n.Content[i] = aliased
		}
		expand(n.Content[i])
	}
	if n.Kind == yamlv3.MappingNode {
		flatten(n)
	}
	// Only now: until here an alias further on may have had to copy it.
	n.Anchor = ""
}

// literal reports whether every name is read as it is written. Others, such as 0x1, yes
// or 1.0, are numbers and truths of YAML that become text: two of them may become one,
// and which of the two counts then is chance.
func literal(n *yamlv3.Node, read any) bool {
	switch value := read.(type) {
	case map[string]any:
		if n.Kind != yamlv3.MappingNode || len(value) != len(n.Content)/2 {
			return false
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if inside, found := value[n.Content[i].Value]; !found || !literal(n.Content[i+1], inside) {
				return false
			}
		}
	case []any:
		if n.Kind != yamlv3.SequenceNode || len(value) != len(n.Content) {
			return false
		}
		for i := range value {
			if !literal(n.Content[i], value[i]) {
				return false
			}
		}
	}
	return true
}

func copyOf(n *yamlv3.Node) *yamlv3.Node {
	copied := *n
	copied.Anchor = ""
	copied.Content = make([]*yamlv3.Node, len(n.Content))
	for i, child := range n.Content {
		copied.Content[i] = copyOf(child)
	}
	return &copied
}

// mergeTag is that of the key <<, which takes over members of another mapping.
const mergeTag = "!!merge"

// flatten writes out what a mapping takes over. Its own members count first, then
// the first mapping that has one.
func flatten(mapping *yamlv3.Node) {
	at := slices.IndexFunc(mapping.Content, func(n *yamlv3.Node) bool { return n.Tag == mergeTag })
	if at < 0 || at%2 != 0 {
		return
	}
	source := mapping.Content[at+1]
	mapping.Content = slices.Delete(mapping.Content, at, at+2)
	sources := []*yamlv3.Node{source}
	if source.Kind == yamlv3.SequenceNode {
		sources = source.Content
	}
	for _, from := range sources {
		for i := 0; i+1 < len(from.Content); i += 2 {
			if indexOf(mapping, from.Content[i].Value) < 0 {
				mapping.Content = append(mapping.Content, from.Content[i], from.Content[i+1])
			}
		}
	}
	flatten(mapping)
}
