package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

const (
	bold  = "\x1b[1m"
	dim   = "\x1b[2m"
	reset = "\x1b[0m"
)

// style colours text on a terminal only.
func style(code, text string) string {
	if info, err := os.Stdout.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 || os.Getenv("NO_COLOR") != "" {
		return text
	}
	return code + text + reset
}

func (s *stage) say(format string, args ...any) {
	fmt.Println(style(dim, "# "+fmt.Sprintf(format, args...)))
}

// play runs one step under its title.
func (s *stage) play(ctx context.Context, number int, step step) error {
	fmt.Printf("\n%s\n", style(bold, fmt.Sprintf("%d. %s", number, step.title)))
	return step.run(ctx, s)
}

// show runs kubectl, prints the command and its real output, and returns it. A
// failing command is no error here: a refusal is what some steps show.
func (s *stage) show(ctx context.Context, args ...string) string {
	fmt.Println(style(bold, "$ kubectl "+quoted(args)))
	out, _ := s.cluster.Run(ctx, args...)
	fmt.Print(indent(out))
	return out
}

// expect shows a command and fails unless its output holds every word.
func (s *stage) expect(ctx context.Context, words []string, args ...string) error {
	return missing(s.show(ctx, args...), words)
}

func missing(out string, words []string) error {
	for _, word := range words {
		if !strings.Contains(out, word) {
			return fmt.Errorf("the output does not say %q", word)
		}
	}
	return nil
}

// until repeats a command silently until its output holds every word, then
// prints it.
func (s *stage) until(ctx context.Context, limit time.Duration, words []string, args ...string) error {
	var out string
	err := cluster.Eventually(ctx, "kubectl "+quoted(args), limit, func() error {
		out, _ = s.cluster.Run(ctx, args...)
		return missing(out, words)
	})
	fmt.Println(style(bold, "$ kubectl "+quoted(args)))
	fmt.Print(indent(out))
	return err
}

func indent(text string) string {
	if text == "" {
		return ""
	}
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ") + "\n"
}

func quoted(args []string) string {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = arg
		if strings.ContainsAny(arg, " {}'\"$*") {
			words[i] = "'" + arg + "'"
		}
	}
	return strings.Join(words, " ")
}
