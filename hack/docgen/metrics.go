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

// metricPage lists the metrics that the operator and the proxy declare.
func metricPage(root string) ([]page, error) {
	var text strings.Builder
	text.WriteString("# Metrics\n\n" + notice + "Label sets are closed: no name of an object or a namespace becomes a label.\n")
	for _, of := range []struct{ heading, pattern string }{
		{"The operator", "internal/metrics/*.go"},
		{"The proxy, as a whole", "internal/proxy/metrics.go"},
		{"The proxy, called by peers", "internal/proxy/inbound/metrics.go"},
		{"The proxy, asking for users", "internal/proxy/users/metrics.go"},
	} {
		fmt.Fprintf(&text, "\n## %s\n| metric | meaning |\n|---|---|\n", of.heading)
		if err := metricRows(&text, filepath.Join(root, of.pattern)); err != nil {
			return nil, err
		}
	}
	return []page{{"reference/metrics.md", text.String()}}, nil
}

// metricRows lists what the files of a pattern declare.
func metricRows(text *strings.Builder, pattern string) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return fmt.Errorf("listing the metrics: %w", err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return fmt.Errorf("reading the metrics: %w", err)
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if options, ok := node.(*ast.CompositeLit); ok {
				if name, help := field(options, "Name"), field(options, "Help"); name != "" && help != "" {
					fmt.Fprintf(text, "| `%s` | %s |\n", name, help)
				}
			}
			return true
		})
	}
	return nil
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
