// Package hipaa holds the paragraphs of 45 CFR parts 160 and 164 as typed values. Its
// promise: whatever the operator says about the law is said in one place.
package hipaa

import (
	"slices"
	"strings"
)

// Obligation says how a paragraph binds (45 CFR 164.306(d)).
type Obligation string

const (
	// Standard is a standard of the rule itself; it binds.
	Standard Obligation = "Standard"
	// Required is an implementation specification that must be implemented.
	Required Obligation = "Required"
	// Addressable is an implementation specification that must be implemented
	// where reasonable and appropriate; where not, 164.306(d)(3) asks for a
	// documented reason and an equivalent measure.
	Addressable Obligation = "Addressable"
)

// Citation is one paragraph. The zero value cites nothing.
type Citation struct {
	// Paragraph is the paragraph without title, such as "164.312(a)(1)".
	Paragraph string
	// Title is the heading of the paragraph in the Code.
	Title string
	// Obligation says how it binds.
	Obligation Obligation
}

// String gives the form people read: "45 CFR 164.312(a)(1)".
func (c Citation) String() string {
	return "45 CFR " + c.Paragraph
}

// Section gives the section of the paragraph, such as "164.312".
func (c Citation) Section() string {
	section, _, _ := strings.Cut(c.Paragraph, "(")
	return section
}

// Join writes citations one after another, "45 CFR 164.312(a)(1), 164.312(e)(1)".
func Join(citations []Citation) string {
	if len(citations) == 0 {
		return ""
	}
	paragraphs := make([]string, len(citations))
	for i, c := range citations {
		paragraphs[i] = c.Paragraph
	}
	return "45 CFR " + strings.Join(paragraphs, ", ")
}

// Find gives the citation of a paragraph, such as "164.312(b)".
func Find(paragraph string) (c Citation, known bool) {
	i := slices.IndexFunc(paragraphs, func(c Citation) bool { return c.Paragraph == paragraph })
	if i < 0 {
		return c, false
	}
	return paragraphs[i], true
}

// Known reports whether a citation is one of this package's paragraphs.
func Known(c Citation) bool {
	return slices.Contains(paragraphs, c)
}

// All lists the paragraphs in the order of the Code.
func All() []Citation {
	return slices.Clone(paragraphs)
}

// AddressableOf are the addressable specifications among citations, in their order.
// Not to implement one of them takes the record of 164.306(d)(3).
func AddressableOf(citations []Citation) []Citation {
	var addressable []Citation
	for _, c := range citations {
		if c.Obligation == Addressable {
			addressable = append(addressable, c)
		}
	}
	return addressable
}

// NotMet says what it is not to meet what is cited. The strictest counts: a required
// specification leaves no choice but to accept the risk, whatever is cited beside it,
// and so does a standard that stands alone. A standard beside addressable
// specifications is met through them, or through what stands in their place.
func NotMet(citations []Citation) string {
	required := slices.ContainsFunc(citations, func(c Citation) bool { return c.Obligation == Required })
	if required || len(AddressableOf(citations)) == 0 {
		return "not met, risk accepted"
	}
	return "not met, an equivalent measure in its place"
}
