package control

import "fmt"

// Ruleset numbers the published sets of rules, from 1. A profile pins one; a
// control that a later one brought stays out.
type Ruleset int

var rulesets = []string{"2026.1"}

// LatestRuleset is the newest that this version knows.
func LatestRuleset() Ruleset {
	return Ruleset(len(rulesets))
}

// ParseRuleset reads the form of a profile, such as "2026.1".
func ParseRuleset(version string) (Ruleset, error) {
	for i, known := range rulesets {
		if known == version {
			return Ruleset(i + 1), nil
		}
	}
	return 0, fmt.Errorf("ruleset %q is not known to this version, the latest is %q", version, LatestRuleset())
}

// String gives the form of a profile.
func (r Ruleset) String() string {
	if r < 1 || int(r) > len(rulesets) {
		return fmt.Sprintf("unpublished.%d", int(r))
	}
	return rulesets[r-1]
}
