package main

import (
	"strings"
	"testing"
)

func TestCompileLog(t *testing.T) {
	const text = "go: downloading k8s.io/api v0.36.3\r\nk8s.io/api/core/v1\ncrypto/tls\n\n# k8s.io/api/core/v1\nx.go:1:2: undefined: y\nunexpected end"
	for name, size := range map[string]int{"in one piece": len(text), "byte by byte": 1, "in pieces of seven": 7} {
		t.Run(name, func(t *testing.T) {
			var compiled, fetched int
			l := &compileLog{count: func(c, f int) { compiled += c; fetched += f }}
			for rest := text; rest != ""; rest = rest[min(size, len(rest)):] {
				if _, err := l.Write([]byte(rest[:min(size, len(rest))])); err != nil {
					t.Fatal(err)
				}
			}
			if compiled != 2 || fetched != 1 {
				t.Errorf("counted %d packages and %d modules, want 2 and 1", compiled, fetched)
			}
			if got, want := l.text(), "# k8s.io/api/core/v1\nx.go:1:2: undefined: y\nunexpected end"; got != want {
				t.Errorf("got complaints %q, want %q", got, want)
			}
		})
	}
}

func FuzzCompileLog(f *testing.F) {
	f.Add("a\nb: c\n", "go: downloading x v1\n")
	f.Fuzz(func(t *testing.T, a, b string) {
		l := &compileLog{count: func(int, int) {}}
		for _, s := range []string{a, b} {
			if n, err := l.Write([]byte(s)); n != len(s) || err != nil {
				t.Fatalf("wrote %d of %d: %v", n, len(s), err)
			}
		}
		if lines := strings.Count(l.text(), "\n") + 1; lines > compileLogLines+1 {
			t.Errorf("keeps %d lines", lines)
		}
	})
}

func TestAdvice(t *testing.T) {
	for name, tc := range map[string]struct{ give, want string }{
		"a full disk":       {"write /x: no space left on device", "disk is full"},
		"no network":        {"go: k8s.io/api@v0.36.3: Get \"https://p/\": dial tcp: lookup p: no such host", "cannot be fetched"},
		"too little memory": {"compile: signal: killed", "lack of memory"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := advice(tc.give); !strings.Contains(got, tc.want) {
				t.Errorf("got %q, want it to say %q", got, tc.want)
			}
		})
	}
	if got := advice("x.go:1:2: undefined: y"); got != "" {
		t.Errorf("invented advice %q", got)
	}
}
