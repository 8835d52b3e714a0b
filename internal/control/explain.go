package control

import (
	"fmt"
	"strings"
)

// Explain is the page of the control that a word names, or of the settings at or
// below a path of the profile, in Markdown.
func Explain(controls []Control, word string) (string, error) {
	var rows, near []string
	for _, c := range controls {
		if c.ID == word {
			return DocPage(c), nil
		}
		if strings.Contains(c.ID, word) || strings.Contains(word, c.ID) {
			near = append(near, c.ID)
		}
		for _, p := range c.Parameters {
			if p.Path == word || strings.HasPrefix(p.Path, word+".") {
				rows = append(rows, fmt.Sprintf("| `%s` | %s | %s | %s |", p.Path, c.ID, p.Basis, p.Meaning))
			}
		}
	}
	switch {
	case len(rows) > 0:
		return fmt.Sprintf("# %s\n\n| setting | read by | basis | meaning |\n|---|---|---|---|\n%s\n", word, strings.Join(rows, "\n")), nil
	case len(near) > 0:
		return "", fmt.Errorf("no control and no setting is called %q; there is %s", word, strings.Join(near, ", "))
	default:
		return "", fmt.Errorf("no control and no setting is called %q", word)
	}
}
