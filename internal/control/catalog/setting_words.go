package catalog

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// wordsOf splits the name of a setting: SPRING_DATASOURCE_URL and
// spring.datasourceUrl are spring, datasource, url. Numbers at the end of a word are
// left out.
func wordsOf(name string) []string {
	words := make([]string, 0, 6)
	start := 0
	end := func(i int) {
		if word := strings.TrimRight(name[start:i], "0123456789"); word != "" {
			words = append(words, strings.ToLower(word))
		}
	}
	for i := range len(name) {
		switch c := name[i]; {
		case !isLetter(c) && !isDigit(c):
			end(i)
			start = i + 1
		case i > start && isUpper(c) && (!isUpper(name[i-1]) || i+1 < len(name) && isLower(name[i+1])):
			end(i)
			start = i
		}
	}
	end(len(name))
	return words
}

func isUpper(c byte) bool  { return c >= 'A' && c <= 'Z' }
func isLower(c byte) bool  { return c >= 'a' && c <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
func isLetter(c byte) bool { return isUpper(c) || isLower(c) || c >= 0x80 }

// share reports whether two lists have a word in common.
func share(a, b []string) bool {
	return slices.ContainsFunc(a, func(word string) bool { return slices.Contains(b, word) })
}

func last(words []string) string {
	if len(words) == 0 {
		return ""
	}
	return words[len(words)-1]
}

// refersElsewhere reports whether a value, or a part of it, is filled in from
// somewhere else.
func refersElsewhere(value string) bool {
	return strings.Contains(value, "$") || strings.Contains(value, "{{")
}

// keyed gives a finding about a line of a file a key without the line's number, so
// that lines above it can come and go. Where the same is said of several lines, each
// has a key of its own.
func keyed(before []control.Finding, f control.Finding) control.Finding {
	file, _, inLine := strings.Cut(f.Path, " line ")
	if !inLine {
		return f
	}
	same := 0
	for i := range before {
		if other, _, _ := strings.Cut(before[i].Path, " line "); other == file && before[i].Message == f.Message {
			same++
		}
	}
	return f.As(file + " " + f.Message + " " + strconv.Itoa(same))
}

// lineOf is the path of a line of a ConfigMap's key.
func lineOf(held control.Text, number int) string {
	if !strings.Contains(strings.TrimSpace(held.Text), "\n") {
		return held.Path
	}
	return held.Path + " line " + strconv.Itoa(number)
}

// lower is a letter of ASCII in lower case.
func lower(c byte) byte {
	if isUpper(c) {
		return c | 0x20
	}
	return c
}

// startsFold reports whether a text begins with a word, which is in lower case.
func startsFold(text, word string) bool {
	if len(text) < len(word) {
		return false
	}
	for i := range len(word) {
		if lower(text[i]) != word[i] {
			return false
		}
	}
	return true
}

// containsFold reports whether a text has one of some words in it, which are in
// lower case. It allocates nothing: it is asked of every setting of every pod.
func containsFold(text string, words ...string) bool {
	for i := range len(text) {
		first := lower(text[i])
		for _, word := range words {
			if first == word[0] && startsFold(text[i:], word) {
				return true
			}
		}
	}
	return false
}

// mountedConfigMaps are those that a pod mounts, as far as they are there.
func mountedConfigMaps(spec *corev1.PodSpec, known map[string]*corev1.ConfigMap) []*corev1.ConfigMap {
	var list []*corev1.ConfigMap
	for i := range spec.Volumes {
		for _, name := range control.ConfigMapsIn(&spec.Volumes[i]) {
			if m := known[name]; m != nil {
				list = append(list, m)
			}
		}
	}
	return list
}
