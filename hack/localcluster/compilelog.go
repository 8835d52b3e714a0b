package main

import (
	"bytes"
	"slices"
	"strings"
)

// compileLogLines is how many lines of the go command's complaints an error quotes.
const compileLogLines = 15

// compileLog reads what `go build -v` says: it counts packages and downloads and keeps the complaints.
type compileLog struct {
	count      func(compiled, fetched int)
	rest       []byte
	complaints []string
}

// Write takes the go command's output in pieces of any size.
func (l *compileLog) Write(p []byte) (int, error) {
	l.rest = append(l.rest, p...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.rest = rest
		l.take(strings.TrimRight(string(line), "\r"))
	}
}

func (l *compileLog) take(line string) {
	switch {
	case strings.HasPrefix(line, "go: downloading "):
		l.count(0, 1)
	case line != "" && !strings.ContainsAny(line, " :"): // an import path
		l.count(1, 0)
	case line != "":
		l.complaints = append(l.complaints, line)
		l.complaints = l.complaints[max(0, len(l.complaints)-compileLogLines):]
	}
}

// text returns the complaints, with a last line that had no end.
func (l *compileLog) text() string {
	lines := l.complaints
	if last := strings.TrimSpace(string(l.rest)); last != "" {
		lines = append(slices.Clip(lines), last)
	}
	return strings.Join(lines, "\n")
}

// advice turns the usual causes into one sentence about what to do, or returns "".
func advice(complaints string) string {
	for _, cause := range []struct {
		advice  string
		symptom []string
	}{
		{
			"the disk is full: a first build needs about 4 GB for Go's caches (go env GOCACHE GOMODCACHE); what is built so far is kept",
			[]string{"no space left on device", "disk quota exceeded"},
		},
		{
			"Go modules cannot be fetched: check the network and `go env GOPROXY`, then run again; what is fetched so far is kept",
			[]string{"dial tcp", "no such host", "connection refused", "connection reset", "i/o timeout", "TLS handshake", "proxyconnect", "module lookup disabled", "unexpected EOF"},
		},
		{
			"a compiler was killed, most likely for lack of memory: 4 GB should be free; GOMAXPROCS=1 needs less",
			[]string{"signal: killed", "cannot allocate memory"},
		},
	} {
		for _, s := range cause.symptom {
			if strings.Contains(complaints, s) {
				return cause.advice
			}
		}
	}
	return ""
}
