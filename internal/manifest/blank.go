package manifest

import (
	"bytes"
	"slices"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
)

// blank stands for an empty line while a document is a tree: a tree has comments and
// no empty lines.
const blank = "#hipaa-operator:blank"

// marked is a document with a comment in the place of each empty line between its
// fields, in the column of what follows; nil where there is none. Within text over
// many lines an empty line is part of the text.
func marked(body []byte, root *yamlv3.Node) []byte {
	if bytes.Contains(body, []byte(blank)) {
		return nil
	}
	lines := strings.SplitAfter(string(body), "\n")
	inText := linesOfText(lines, root)
	// indents[i] is the indentation of the first line from i on that is not empty.
	indents := make([]int, len(lines)+1)
	indents[len(lines)] = none
	for i, line := range slices.Backward(lines) {
		if indents[i] = indents[i+1]; strings.TrimSpace(line) != "" {
			indents[i] = indentOf(line)
		}
	}
	var out strings.Builder
	found := false
	for i, line := range lines {
		if strings.TrimSpace(line) != "" || !strings.HasSuffix(line, "\n") || inText[i] || indents[i] == none {
			out.WriteString(line)
			continue
		}
		found = true
		out.WriteString(strings.Repeat(" ", indents[i]) + blank + "\n")
	}
	if !found {
		return nil
	}
	return []byte(out.String())
}

// none is the indentation where nothing follows.
const none = -1

func indentOf(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// linesOfText are the lines that block scalars stand in, by their index.
func linesOfText(lines []string, n *yamlv3.Node) map[int]bool {
	within := map[int]bool{}
	var look func(n *yamlv3.Node, indent int)
	look = func(n *yamlv3.Node, indent int) {
		if n.Style&(yamlv3.LiteralStyle|yamlv3.FoldedStyle) != 0 {
			end := n.Line
			for end < len(lines) && (strings.TrimSpace(lines[end]) == "" || indentOf(lines[end]) > indent) {
				end++
			}
			// As a rule the empty lines behind it are not its own.
			for end > n.Line && strings.TrimSpace(lines[end-1]) == "" {
				end--
			}
			for i := n.Line; i < end; i++ {
				within[i] = true
			}
		}
		for i, child := range n.Content {
			switch {
			case n.Kind == yamlv3.MappingNode && i%2 == 1:
				look(child, n.Content[i-1].Column-1)
			case n.Kind == yamlv3.SequenceNode:
				look(child, n.Column-1)
			default:
				look(child, -1)
			}
		}
	}
	look(n, -1)
	return within
}

// unmarked puts the empty lines back.
func unmarked(text []byte) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for i, line := range lines {
		if bytes.Equal(bytes.TrimSpace(line), []byte(blank)) {
			lines[i] = []byte("\n")
		}
	}
	// One that came to stand behind a value was no line any more.
	return bytes.ReplaceAll(bytes.Join(lines, nil), []byte(" "+blank), nil)
}
