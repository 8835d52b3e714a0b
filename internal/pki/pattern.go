package pki

import "strings"

// Pattern matches identities: one, or with "*" in place of the ServiceAccount all
// workloads of one namespace. Namespaces and gateways are never matched by a star.
type Pattern struct {
	id  ID
	any bool
}

// every stands where a star stood; it is the shortest name there is, and is never compared.
const every = "0"

// ParsePattern reads spiffe://DOMAIN/ns/NAMESPACE/sa/* or an identity.
func ParsePattern(text string) (Pattern, error) {
	star := strings.HasSuffix(text, "/"+string(Workload)+"/*")
	if star {
		text = strings.TrimSuffix(text, "*") + every
	}
	id, err := ParseID(text)
	return Pattern{id: id, any: star}, err
}

// Match says whether the pattern speaks of this identity.
func (p Pattern) Match(id ID) bool {
	if p.any {
		id.Name = p.id.Name
	}
	// The zero Pattern speaks of nobody.
	return p.id == id && id.Kind != ""
}

// TrustDomain is that of everybody whom the pattern speaks of.
func (p Pattern) TrustDomain() string { return p.id.TrustDomain }

// String is how the pattern is written.
func (p Pattern) String() string {
	if p.any {
		return strings.TrimSuffix(p.id.String(), every) + "*"
	}
	return p.id.String()
}
