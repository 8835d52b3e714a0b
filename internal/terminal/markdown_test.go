package terminal

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const page = "<!-- Code generated. -->\n# one\n\n**Bold.** A `word` here.\n\n| a | long heading |\n|---|---|\n| `x` | y |\n| longer | z |\n\n```yaml\n# kept: **as it is**\n| no table |\n```\n"

func TestAPageAtATerminal(t *testing.T) {
	tests := map[string]struct {
		give Style
		want string
	}{
		"plain":    {Plain(), "ONE\n\nBold. A word here.\n\nA       LONG HEADING\nx       y\nlonger  z\n\n    # kept: **as it is**\n    | no table |\n\n"},
		"coloured": {Coloured(), "\x1b[1mONE\x1b[0m\n\n\x1b[1mBold.\x1b[0m A \x1b[36mword\x1b[0m here.\n\nA       LONG HEADING\nx       y\nlonger  z\n\n    # kept: **as it is**\n    | no table |\n\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			if err := Markdown(&out, page, tt.give); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, out.String()); diff != "" {
				t.Errorf("page (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOnlyATerminalSeesColours(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	none := func(string) string { return "" }
	if StyleOf(&strings.Builder{}, none) != Plain() || StyleOf(file, none) != Plain() {
		t.Error("what is no terminal sees colours")
	}
}
