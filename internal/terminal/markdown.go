// Package terminal writes reference pages for people at a terminal. Its promise:
// what it shows is the page, and only a terminal sees colours.
package terminal

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"
)

// Style is how text is set apart.
type Style struct{ bold, code, end string }

// Plain sets nothing apart.
func Plain() Style { return Style{} }

// Coloured sets apart by the codes of terminals.
func Coloured() Style { return Style{bold: "\x1b[1m", code: "\x1b[36m", end: "\x1b[0m"} }

// StyleOf is Coloured for a terminal of a person who has not declined it, and Plain
// for everything else.
func StyleOf(out io.Writer, environment func(string) string) Style {
	file, is := out.(*os.File)
	if !is || !term.IsTerminal(int(file.Fd())) || environment("NO_COLOR") != "" || environment("TERM") == "dumb" {
		return Plain()
	}
	return Coloured()
}

// Markdown writes a page: headings, tables, blocks of code, and text between them.
func Markdown(out io.Writer, page string, style Style) error {
	m := &markdown{style: style}
	for line := range strings.SplitSeq(page, "\n") {
		m.line(line)
	}
	m.flush()
	if _, err := io.WriteString(out, strings.TrimLeft(m.text.String(), "\n")); err != nil {
		return fmt.Errorf("writing the page: %w", err)
	}
	return nil
}

type markdown struct {
	style Style
	text  strings.Builder
	// rows are those of a table that has not ended.
	rows []string
	code bool
}

func (m *markdown) line(line string) {
	if !m.code && strings.HasPrefix(line, "|") {
		m.rows = append(m.rows, line)
		return
	}
	m.flush()
	switch {
	case strings.HasPrefix(line, "```"):
		m.code = !m.code
	case m.code:
		m.text.WriteString("    " + line + "\n")
	case strings.HasPrefix(line, "<!--"):
	case strings.HasPrefix(line, "#"):
		m.text.WriteString(m.style.bold + strings.ToUpper(strings.TrimLeft(line, "# ")) + m.style.end + "\n")
	default:
		m.text.WriteString(m.inline(line) + "\n")
	}
}

var (
	strong = regexp.MustCompile(`\*\*(.+?)\*\*`)
	quoted = regexp.MustCompile("`([^`]+)`")
)

// inline sets words apart.
func (m *markdown) inline(text string) string {
	text = strong.ReplaceAllString(text, m.style.bold+"$1"+m.style.end)
	return quoted.ReplaceAllString(text, m.style.code+"$1"+m.style.end)
}

// flush writes the table that has ended, its cells in columns.
func (m *markdown) flush() {
	if len(m.rows) == 0 {
		return
	}
	var table strings.Builder
	for i, row := range m.rows {
		cells := strings.Split(strings.Trim(row, "|"), "|")
		for j := range cells {
			cells[j] = quoted.ReplaceAllString(strings.TrimSpace(cells[j]), "$1")
		}
		switch {
		case i == 0:
			table.WriteString(strings.ToUpper(strings.Join(cells, "\t")) + "\n")
		case strings.Trim(cells[0], "-") == "":
		default:
			table.WriteString(strings.Join(cells, "\t") + "\n")
		}
	}
	columns := tabwriter.NewWriter(&m.text, 0, 0, 2, ' ', 0)
	_, _ = io.WriteString(columns, table.String()) // a strings.Builder takes everything
	_ = columns.Flush()
	m.rows = nil
}
