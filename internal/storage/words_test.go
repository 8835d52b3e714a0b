package storage

import (
	"strings"
	"testing"
)

func TestNamesOfValues(t *testing.T) {
	type named interface{ String() string }
	tests := map[string]struct {
		give named
		want string
	}{
		"nothing known":          {Unknown, "Unknown"},
		"not encrypted":          {NotEncrypted, "NotEncrypted"},
		"the provider's key":     {ProviderKey, "EncryptedProviderKey"},
		"the customer's key":     {CustomerKey, "EncryptedCustomerKey"},
		"a grade out of range":   {Grade(99), "Unknown"},
		"no source":              {FromNothing, "None"},
		"the claim's annotation": {FromClaimAnnotation, "ClaimAnnotation"},
		"an attestation":         {FromAttestation, "Attestation"},
		"a source out of range":  {Source(99), "None"},
		"the API's copy":         {KindAPI, "API"},
		"an image":               {KindImage, "Image"},
		"a kind out of range":    {Kind(99), "Unrecognised"},
		"read in code":           {Code, "Code"},
		"a basis out of range":   {Basis(99), "Knowledge"},
		"on each mount":          {Applied, "applied at each mount"},
		"carriage out of range":  {Carriage(99), "the class only"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.give.String(); got != tc.want {
				t.Errorf("String() = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestGradesAreOrdered(t *testing.T) {
	if !(Unknown < NotEncrypted && NotEncrypted < ProviderKey && ProviderKey < CustomerKey) {
		t.Error("a stronger grade must be the greater one")
	}
	for g, want := range map[Grade]bool{Unknown: false, NotEncrypted: false, ProviderKey: true, CustomerKey: true, Grade(99): false} {
		if g.Encrypted() != want {
			t.Errorf("%d Encrypted() = %v, want %v", g, !want, want)
		}
	}
}

func TestEveryFlawHasAText(t *testing.T) {
	for f := sound + 1; int(f) < len(flawTexts); f++ {
		if flawTexts[f] == "" {
			t.Errorf("flaw %d has no text", f)
		}
	}
	if got, want := len(flawTexts), int(backendDecides)+1; got != want {
		t.Errorf("%d texts for %d flaws", got, want)
	}
}

func TestSentence(t *testing.T) {
	long := strings.Repeat("x", 60) + strings.Repeat("y", 60)
	tests := map[string]struct {
		give  func(*sentence)
		limit int
		want  string
	}{
		"plain text":                        {func(s *sentence) { s.add("a b") }, 10, "a b"},
		"text of exactly the limit":         {func(s *sentence) { s.add("abcde") }, 5, "abcde"},
		"text over the limit ends in dots":  {func(s *sentence) { s.add("abcdef") }, 5, "ab..."},
		"bytes that terminals obey":         {func(s *sentence) { s.add("a\x1b[1m\n\x7fé") }, 20, "a?[1m????"},
		"a long value loses its middle":     {func(s *sentence) { s.value(long) }, 200, strings.Repeat("x", 48) + "..." + strings.Repeat("y", 48)},
		"a quoted value":                    {func(s *sentence) { s.quoted("True") }, 20, `"True"`},
		"a short word that nobody expected": {func(s *sentence) { s.word("enabled") }, 20, `"enabled"`},
		"a long word is not repeated":       {func(s *sentence) { s.word("correct horse") }, 20, "(a long value)"},
		"more than the buffer holds": {
			func(s *sentence) {
				for range 10 {
					s.add(long)
				}
			}, WhyLimit, (long + long + long)[:WhyLimit-3] + "...",
		},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			var s sentence
			tc.give(&s)
			if got := s.upTo(tc.limit); got != tc.want {
				t.Errorf("got  %q\nwant %q", got, tc.want)
			}
		})
	}
}

func TestFormMatches(t *testing.T) {
	tests := map[string]struct {
		form Form
		give string
		want bool
	}{
		"a uuid":                         {formUUID, someUUID, true},
		"a uuid in capitals":             {formUUID, strings.ToUpper(someUUID), true},
		"a uuid without its dashes":      {formUUID, strings.ReplaceAll(someUUID, "-", ""), false},
		"a uuid with a letter too far":   {formUUID, "g" + someUUID[1:], false},
		"dashes in the wrong place":      {formUUID, strings.Repeat("-", 36), false},
		"any word":                       {formAny, "vault-phi", true},
		"two words":                      {formAny, "vault phi", false},
		"no word":                        {formAny, "", false},
		"another alphabet":               {formAny, "ключ", false},
		"a word with an end of line":     {formAny, "vault\n", false},
		"longer than any id":             {formAny, strings.Repeat("a", keyIDLimit+1), false},
		"a prefix":                       {"alias/*", "alias/phi", true},
		"the prefix alone":               {"alias/*", "alias/", true},
		"a prefix in another case":       {"alias/*", "ALIAS/phi", true},
		"another prefix":                 {"alias/*", "lias/phi", false},
		"stars that must back up":        {"a*bc*d", "aXbXbcXcd", true},
		"what comes after is missing":    {"a*bc*d", "aXbXbcXc", false},
		"more than the pattern":          {"abc", "abcd", false},
		"less than the pattern":          {"abcd", "abc", false},
		"stars at the end match nothing": {"abc**", "abc", true},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			if got := tc.form.matches(tc.give); got != tc.want {
				t.Errorf("Form(%q).matches(%q) = %v, want %v", tc.form, tc.give, got, tc.want)
			}
		})
	}
}
