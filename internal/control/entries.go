package control

import (
	"bytes"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
)

// Text is what a ConfigMap holds under a key.
type Text struct{ Key, Path, Text string }

// TextsOf lists what a ConfigMap holds, by key: data, and of binaryData what is text
// in UTF-8. A volume shows both to the application alike.
func TextsOf(m *corev1.ConfigMap) []Text {
	list := make([]Text, 0, len(m.Data)+len(m.BinaryData))
	for _, key := range sortedKeys(m.Data) {
		list = append(list, Text{Key: key, Path: "data." + key, Text: m.Data[key]})
	}
	for _, key := range slices.Sorted(maps.Keys(m.BinaryData)) {
		if IsText(m.BinaryData[key]) {
			list = append(list, Text{Key: key, Path: "binaryData." + key, Text: string(m.BinaryData[key])})
		}
	}
	return list
}

// IsText reports whether binary data is text that an application may read as settings.
func IsText(data []byte) bool { return utf8.Valid(data) && !bytes.ContainsRune(data, 0) }

// settingFiles are the extensions of files that set something by name: one line of
// such a file is no value of its key.
var settingFiles = map[string]bool{
	".properties": true, ".yaml": true, ".yml": true, ".conf": true, ".cnf": true, ".cfg": true, ".ini": true, ".env": true,
	".toml": true, ".json": true, ".xml": true, ".php": true, ".sql": true, ".sh": true,
}

// EntriesOf lists what a ConfigMap gives a value: each key of one line, and of each
// file that it holds the lines that set something, as far as they can be read
// without knowing the format. Nested names are joined with dots, so that a setting
// has one name in .properties, YAML, JSON, XML, INI and PHP. The order is that of
// the keys.
func EntriesOf(m *corev1.ConfigMap) []Setting {
	var list []Setting
	for _, held := range TextsOf(m) {
		trimmed := strings.TrimSpace(held.Text)
		several := strings.Contains(trimmed, "\n")
		if !several && !strings.HasPrefix(trimmed, "{") && !settingFiles[path.Ext(held.Key)] {
			list = append(list, Setting{Name: held.Key, Value: trimmed, Path: held.Path, Origin: FromConfigMap})
			continue
		}
		f := file{path: held.Path, several: several}
		number := 0
		for line := range strings.SplitSeq(held.Text, "\n") {
			number++
			f.read(line, number)
		}
		list = append(list, f.entries...)
	}
	return list
}

// file is one under reading.
type file struct {
	path    string
	several bool
	// above are the names that the line at hand is nested in.
	above   []level
	entries []Setting
}

type level struct {
	indent int
	name   string
}

// maxPrefix bounds what names are nested in; what is nested deeper is left out of them.
const maxPrefix = 256

func (f *file) read(line string, number int) {
	text := strings.TrimSpace(line)
	indent := len(line) - len(strings.TrimLeft(line, " \t"))
	switch {
	case text == "" || isComment(text):
	case text[0] == '[' && text[len(text)-1] == ']' && isName(text[1:len(text)-1]):
		f.above = []level{{indent: -1, name: text[1 : len(text)-1]}}
	case text[0] == '<':
		name, value := element(text)
		f.add(f.prefix()+name, value, number)
	default:
		if strings.HasPrefix(text, "- ") {
			indent += 2
		}
		for _, part := range parts(text) {
			f.assignment(part.text, indent+part.depth, number)
		}
	}
}

func isComment(text string) bool {
	for _, mark := range []string{"#", "//", ";", "-- ", "<!--", "/*", "* ", "! "} {
		if strings.HasPrefix(text, mark) {
			return true
		}
	}
	return false
}

// part is what stands between two braces or commas, and how many braces are open.
type part struct {
	text  string
	depth int
}

// parts splits JSON that stands in one line: at each brace and comma outside quotes.
func parts(text string) []part {
	if text[0] != '{' && !strings.Contains(text, `,"`) && !strings.Contains(text, `, "`) {
		return []part{{text: text}}
	}
	var list []part
	start, depth, quoted := 0, 0, false
	for i := range len(text) {
		switch c := text[i]; {
		case c == '"' && (i == 0 || text[i-1] != '\\'):
			quoted = !quoted
		case quoted:
		case c == '{':
			list = append(list, part{text[start : i+1], depth})
			start, depth = i+1, depth+1
		case c == ',' || c == '}':
			list = append(list, part{text[start:i], depth})
			start = i + 1
			if c == '}' {
				depth--
			}
		}
	}
	return append(list, part{text[start:], depth})
}

// assignment reads `name = value`, `"name": "value",`, `name value`, or the name of
// what follows, nested in it.
func (f *file) assignment(text string, indent, number int) {
	name, value, found := assigned(text)
	if !found {
		if strings.Contains(text, "://") {
			f.add(strings.TrimSuffix(f.prefix(), "."), unquoted(strings.TrimPrefix(text, "- ")), number)
		}
		return
	}
	for len(f.above) > 0 && f.above[len(f.above)-1].indent >= indent {
		f.above = f.above[:len(f.above)-1]
	}
	if value == "" || value == "{" || value == "[" || value == "|" || value == ">" {
		if len(f.prefix())+len(name) < maxPrefix {
			f.above = append(f.above, level{indent: indent, name: name})
		}
		return
	}
	f.add(f.prefix()+name, value, number)
}

// prefix is what names at hand are nested in.
func (f *file) prefix() string {
	var full strings.Builder
	for _, l := range f.above {
		full.WriteString(l.name + ".")
	}
	return full.String()
}

func (f *file) add(name, value string, number int) {
	if name == "" || value == "" {
		return
	}
	path := f.path
	if f.several {
		path += " line " + strconv.Itoa(number)
	}
	f.entries = append(f.entries, Setting{Name: name, Value: value, Path: path, Origin: FromConfigMap})
}

// assigned splits a line at the first sign that gives a name a value.
func assigned(text string) (name, value string, found bool) {
	for _, word := range []string{"- ", "export ", "set ", "SET ", "const ", "let ", "var ", "SetEnv "} {
		text = strings.TrimSpace(strings.TrimPrefix(text, word))
	}
	end, after := separator(text)
	if end < 0 {
		return "", "", false
	}
	name = plainName(text[:end])
	return name, unquoted(text[after:]), name != ""
}

// separator finds where the name ends and where the value begins; -1 is nowhere.
func separator(text string) (end, after int) {
	quote := byte(0)
	for i := range len(text) {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '=':
			return i, len(text) - len(strings.TrimPrefix(text[i+1:], ">"))
		case c == ':' && isColon(text, i), (c == ' ' || c == '\t') && !assignsLater(text[i:]):
			return i, i + 1
		}
	}
	return -1, -1
}

// isColon reports whether a colon gives a value, and is not a part of a name.
func isColon(text string, i int) bool {
	return !strings.HasPrefix(text[i:], "://") && (i+1 == len(text) || text[i+1] == ' ' || i > 0 && text[i-1] == '"')
}

// assignsLater reports whether a space stands before a sign, as in `name = value`.
func assignsLater(rest string) bool {
	rest = strings.TrimLeft(rest, " \t")
	return rest == "" || rest[0] == '=' || rest[0] == ':'
}

// plainName makes cfg.Servers.i.ssl of $cfg['Servers'][$i]['ssl'].
func plainName(text string) string {
	if len(text) > 256 {
		return ""
	}
	name := strings.NewReplacer("']['", ".", `"]["`, ".", "['", ".", `["`, ".", "][", ".", "[", ".", "]", "", "'", "", `"`, "", "$", "", "`", "", ",", "").
		Replace(strings.TrimSpace(text))
	if strings.ContainsAny(name, " \t(){}") {
		return ""
	}
	return name
}

// unquoted is a value without what stands around it.
func unquoted(text string) string {
	text = strings.TrimRight(strings.TrimSpace(text), ",;")
	if len(text) > 1 && (text[0] == '"' || text[0] == '\'') {
		if end := strings.IndexByte(text[1:], text[0]); end >= 0 {
			return text[1 : 1+end]
		}
	}
	if i := strings.Index(text, " #"); i >= 0 {
		text = strings.TrimSpace(text[:i])
	}
	return text
}

// element reads <name>value</name> and <any name="name" value="value"/>.
func element(text string) (name, value string) {
	if name = attribute(text, "name"); name == "" {
		name = attribute(text, "key")
	}
	open := strings.IndexByte(text, '>')
	if value = attribute(text, "value"); value == "" && open >= 0 {
		value, _, _ = strings.Cut(text[open+1:], "<")
	}
	if name == "" && open > 1 {
		name, _, _ = strings.Cut(text[1:open], " ")
	}
	return plainName(name), strings.TrimSpace(value)
}

func attribute(text, name string) string {
	_, rest, found := strings.Cut(text, " "+name+`="`)
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, `"`)
	return value
}
