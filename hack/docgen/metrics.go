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

// metricPage lists the metrics that internal/metrics declares.
func metricPage(root string) ([]page, error) {
	packages, err := filepath.Glob(filepath.Join(root, "internal", "metrics", "*.go"))
	if err != nil {
		return nil, fmt.Errorf("listing the metrics: %w", err)
	}
	var text strings.Builder
	text.WriteString("# Metrics\n\n" + notice + "Label sets are closed: no name of an object or a namespace becomes a label.\n\n| metric | meaning |\n|---|---|\n")
	for _, path := range packages {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return nil, fmt.Errorf("reading the metrics: %w", err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if options, ok := node.(*ast.CompositeLit); ok {
				if name, help := field(options, "Name"), field(options, "Help"); name != "" && help != "" {
					fmt.Fprintf(&text, "| `%s` | %s |\n", name, help)
				}
			}
			return true
		})
	}
	return []page{{"reference/metrics.md", text.String()}}, nil
}

// field reads a string field of a composite literal; empty if there is none.
func field(literal *ast.CompositeLit, name string) string {
	for _, element := range literal.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			continue
		}
		key, isName := pair.Key.(*ast.Ident)
		value, isText := pair.Value.(*ast.BasicLit)
		if isName && isText && key.Name == name && value.Kind == token.STRING {
			text, err := strconv.Unquote(value.Value)
			if err == nil {
				return text
			}
		}
	}
	return ""
}
