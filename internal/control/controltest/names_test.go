package controltest_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hipaa-operator/hipaa-operator/internal/control/catalog"
)

// root is the top of the tree, seen from here.
const root = "../../.."

// A package that names a control has to be changed with the catalogue.
func TestNobodyNamesAControl(t *testing.T) {
	var ids []string
	for _, c := range catalog.All() {
		ids = append(ids, c.ID)
	}
	files, named := 0, []string{}
	for _, file := range sources(t) {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("parsing %s: %v", file, err)
		}
		files++
		for _, id := range namedIn(parsed, ids) {
			named = append(named, fmt.Sprintf("%s names %q", file, id))
		}
	}
	if files < 50 {
		t.Fatalf("found %d source files only: the test looks in the wrong place", files)
	}
	for _, complaint := range named {
		t.Errorf("%s: the descriptor lacks a field", complaint)
	}
}

// namedIn lists the IDs that stand in a file as string literals.
func namedIn(file *ast.File, ids []string) []string {
	var named []string
	ast.Inspect(file, func(node ast.Node) bool {
		literal, is := node.(*ast.BasicLit)
		if !is || literal.Kind != token.STRING {
			return true
		}
		if text, err := strconv.Unquote(literal.Value); err == nil && slices.Contains(ids, text) {
			named = append(named, text)
		}
		return true
	})
	return named
}

// sources lists the Go files of this module outside the catalogue, the writer of
// documentation, and tests.
func sources(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if passedOver(relative) {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("walking the tree: %v", err)
	}
	return files
}

func passedOver(folder string) bool {
	switch folder {
	case ".":
		return false
	case filepath.Join("internal", "control", "catalog"), filepath.Join("hack", "docgen"):
		return true
	case filepath.Join("hack", "demo"):
		return true // plays a team that is refused and reads why; it consumes no control
	}
	if base := filepath.Base(folder); strings.HasPrefix(base, ".") || base == "testdata" {
		return true
	}
	_, err := os.Stat(filepath.Join(root, folder, "go.mod"))
	return err == nil // a module of its own
}

func TestANameInASourceFileIsFound(t *testing.T) {
	for name, tc := range map[string]struct {
		give string
		want int
	}{
		"in a comparison":            {give: "package p\nfunc f(id string) bool { return id == \"pod-hardening\" }", want: 1},
		"between backquotes":         {give: "package p\nconst id = `pod-hardening`", want: 1},
		"written with escapes":       {give: "package p\nconst id = \"pod\\x2dhardening\"", want: 1},
		"in a comment, and not":      {give: "package p\n// pod-hardening\nconst id = \"\"", want: 0},
		"as part of a text, and not": {give: "package p\nconst id = \"see pod-hardening\"", want: 0},
	} {
		t.Run(name, func(t *testing.T) {
			file, err := parser.ParseFile(token.NewFileSet(), "p.go", tc.give, 0)
			if err != nil {
				t.Fatalf("parsing: %v", err)
			}
			if got := namedIn(file, []string{"pod-hardening"}); len(got) != tc.want {
				t.Errorf("namedIn() = %q, want %d of them", got, tc.want)
			}
		})
	}
}
