package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
)

// conditionPage lists condition types, reasons and event reasons with their
// doc comments.
func conditionPage(root string) ([]page, error) {
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "api", "v1alpha1", "conditions.go"), nil, parser.ParseComments)
	if err != nil {
		return nil, fmt.Errorf("reading the conditions: %w", err)
	}
	var text strings.Builder
	text.WriteString("# Conditions and reasons\n\n" + notice)
	text.WriteString("Conditions are positive: True is the good state. Reasons of conditions are event reasons as well.\n")
	for _, section := range []struct{ prefix, title string }{
		{"Condition", "Condition types"}, {"Reason", "Reasons"}, {"Event", "Reasons of events only"},
	} {
		fmt.Fprintf(&text, "\n## %s\n\n| name | meaning |\n|---|---|\n", section.title)
		eachConstant(file, section.prefix, func(value, doc string) {
			fmt.Fprintf(&text, "| `%s` | %s |\n", value, doc)
		})
	}
	return []page{{"reference/conditions.md", text.String()}}, nil
}

// eachConstant calls back with the value and the comment of each string constant
// whose name starts with a prefix.
func eachConstant(file *ast.File, prefix string, found func(value, doc string)) {
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			constant, ok := spec.(*ast.ValueSpec)
			if !ok || !strings.HasPrefix(constant.Names[0].Name, prefix) || len(constant.Values) != 1 {
				continue
			}
			literal, ok := constant.Values[0].(*ast.BasicLit)
			if !ok {
				continue
			}
			value, err := strconv.Unquote(literal.Value)
			if err != nil {
				continue
			}
			found(value, sentence(constant.Names[0].Name, constant.Doc.Text()))
		}
	}
}

// sentence turns a Go comment into a table cell: without the name it starts with.
func sentence(name, doc string) string {
	doc = strings.Join(strings.Fields(doc), " ")
	doc = strings.TrimPrefix(doc, name+" ")
	if doc == "" {
		return ""
	}
	return strings.ReplaceAll(strings.ToUpper(doc[:1])+doc[1:], "|", "\\|")
}
