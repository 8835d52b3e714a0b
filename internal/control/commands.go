package control

import (
	"strconv"
	"strings"
)

// Command is what a container is told to run: a list of words, or one of those that
// a script strings together.
type Command struct {
	// Path is where it is written, such as "spec.containers[0].args[0] line 3".
	Path string
	// Words are without quotes. References to variables are not resolved.
	Words []string
}

// CommandsOf lists what a container's command and args run, in their order. An
// element that holds several words is read as a shell would, as far as that goes
// without running it.
func CommandsOf(c Container) []Command {
	var commands []Command
	for _, list := range []struct {
		path     string
		elements []string
	}{{c.Path + ".command", c.Command}, {c.Path + ".args", c.Args}} {
		var plain []string
		first := 0
		for i, element := range list.elements {
			if !isScript(element) {
				if len(plain) == 0 {
					first = i
				}
				plain = append(plain, element)
				continue
			}
			commands = append(commands, scripted(element, indexed(list.path, i))...)
		}
		if len(plain) > 0 {
			commands = append(commands, Command{Path: indexed(list.path, first), Words: plain})
		}
	}
	return commands
}

// isScript tells a script from a word: a shell sees several words in it.
func isScript(element string) bool { return strings.ContainsAny(element, " \t\n;|&") }

func scripted(text, path string) []Command {
	var commands []Command
	several := strings.Contains(text, "\n")
	number := 0
	for line := range strings.SplitSeq(text, "\n") {
		number++
		at := path
		if several {
			at += " line " + strconv.Itoa(number)
		}
		for _, words := range shellWords(line) {
			commands = append(commands, Command{Path: at, Words: words})
		}
	}
	return commands
}

// shellWords splits a line into commands, and these into words.
func shellWords(line string) [][]string {
	r := shell{}
	for i := range len(line) {
		if c := line[i]; !r.quoted(line, i, c) && !r.plain(c) {
			break
		}
	}
	r.endCommand()
	return r.commands
}

// shell reads a line. Only what splits it is understood.
type shell struct {
	commands [][]string
	words    []string
	word     strings.Builder
	inWord   bool
	// quote is the one that the reader is in, and outer those around a $( in it.
	quote byte
	outer []byte
}

func (r *shell) endWord() {
	if r.inWord {
		r.words = append(r.words, r.word.String())
		r.word.Reset()
		r.inWord = false
	}
}

func (r *shell) endCommand() {
	r.endWord()
	if len(r.words) > 0 {
		r.commands, r.words = append(r.commands, r.words), nil
	}
}

func (r *shell) take(c byte) {
	r.word.WriteByte(c)
	r.inWord = true
}

// quoted deals with what quotes change, and says whether that was all.
func (r *shell) quoted(line string, i int, c byte) bool {
	switch {
	case r.quote != '\'' && c == '(' && i > 0 && line[i-1] == '$':
		r.endCommand()
		r.outer, r.quote = append(r.outer, r.quote), 0
	case r.quote != 0 && c == r.quote:
		r.quote = 0
	case r.quote != 0:
		r.take(c)
	case c == '\'' || c == '"':
		r.quote, r.inWord = c, true
	default:
		return false
	}
	return true
}

// plain deals with a character outside quotes; false is the end of the line.
func (r *shell) plain(c byte) bool {
	switch {
	case c == ')' && len(r.outer) > 0:
		r.endCommand()
		r.quote, r.outer = r.outer[len(r.outer)-1], r.outer[:len(r.outer)-1]
	case strings.IndexByte(";|&()`", c) >= 0:
		r.endCommand()
	case c == ' ' || c == '\t' || c == '\r':
		r.endWord()
	case c == '#' && !r.inWord:
		return false
	default:
		r.take(c)
	}
	return true
}

// ArgumentsOf lists what commands give a value: --name=value, -Dname=value,
// --name value and NAME=value; and, without a name, each other word that holds an
// address with a scheme.
func ArgumentsOf(commands []Command) []Setting {
	var list []Setting
	for _, command := range commands {
		for i := 0; i < len(command.Words); i++ {
			name, value, given := argument(command.Words[i])
			next := ""
			if i+1 < len(command.Words) {
				next = command.Words[i+1]
			}
			switch {
			case given:
			case strings.HasPrefix(command.Words[i], "-") && name != "" && next != "" && next[0] != '-':
				value = next
				i++
			case strings.Contains(command.Words[i], "://"):
				name, value = "", command.Words[i]
			default:
				continue
			}
			list = append(list, Setting{Name: name, Value: value, Path: command.Path})
		}
	}
	return list
}

// argument splits one word into a name without its dashes, and a value.
func argument(word string) (name, value string, given bool) {
	name, value, given = strings.Cut(word, "=")
	bare := strings.TrimLeft(name, "-")
	if len(name)-len(bare) == 1 && len(bare) > 1 && bare[0] == 'D' {
		bare = bare[1:]
	}
	if !isName(bare) {
		return "", "", false
	}
	return bare, value, given
}

// isName reports whether a text could name a setting.
func isName(text string) bool {
	if text == "" || len(text) > 256 {
		return false
	}
	for i := range len(text) {
		c := text[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_'
		if !letter && (i == 0 || (c < '0' || c > '9') && c != '.' && c != '-' && c != '/') {
			return false
		}
	}
	return true
}
