package principal

import (
	"strconv"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/http1"
)

// Gateways take the word of gateways.
type Gateways struct {
	users   *config.Users
	keyring *Keyring
	byID    map[string]*config.Gateway
	// fields are what any of them speaks by.
	fields []string
}

// NewGateways knows the gateways of a configuration.
func NewGateways(users *config.Users, keyring *Keyring) *Gateways {
	g := &Gateways{users: users, keyring: keyring, byID: map[string]*config.Gateway{}}
	for i := range users.Gateways {
		gateway := &users.Gateways[i]
		g.byID[gateway.ID] = gateway
		g.fields = append(g.fields, gateway.Fields()...)
	}
	return g
}

// IsField reports whether only a gateway may send a field of this name.
func (g *Gateways) IsField(name []byte) bool {
	for _, field := range g.fields {
		if http1.SameName(name, field) {
			return true
		}
	}
	return false
}

// Speaks reports whether the peer is a gateway whose field this is.
func (g *Gateways) Speaks(peer string, name []byte) bool {
	gateway := g.byID[peer]
	if gateway == nil {
		return false
	}
	for _, field := range [...]string{gateway.User, gateway.Roles, gateway.Methods, gateway.Authenticated} {
		if field != "" && http1.SameName(name, field) {
			return true
		}
	}
	return false
}

// Principal is who the gateway says the user is, or nil where it names nobody. A field
// that stands twice names nobody: who comes first is read in two ways.
func (g *Gateways) Principal(peer string, fields ...[]http1.Field) *Principal {
	gateway := g.byID[peer]
	if gateway == nil {
		return nil
	}
	user := single(gateway.User, fields)
	if user == "" {
		return nil
	}
	p := &Principal{
		Issuer: gateway.ID, Subject: user, Roles: listed(single(gateway.Roles, fields)),
		Authenticated: instant([]byte(single(gateway.Authenticated, fields))),
	}
	p.MultiFactor = multiFactor(&g.users.Factors, listed(single(gateway.Methods, fields)), "")
	p.Limits = g.users.OfRoles(p.Roles)
	who, name := []byte(p.Issuer), []byte(p.Subject)
	p.Pseudonym = g.keyring.Of("user", who, name)
	p.Basis, p.Session = ByLogin, g.keyring.Of("login", who, name, seconds(p.Authenticated))
	return p
}

func seconds(t time.Time) []byte {
	if t.IsZero() {
		return nil
	}
	return strconv.AppendInt(nil, t.Unix(), 10)
}

func single(name string, fields [][]http1.Field) string {
	value, found := "", false
	for _, some := range fields {
		for _, f := range some {
			if name == "" || !http1.SameName(f.Name, name) {
				continue
			}
			if found {
				return ""
			}
			value, found = string(f.Value), true
		}
	}
	return value
}

func listed(value string) []string {
	return strings.FieldsFunc(value, func(c rune) bool { return c == ',' || c == ' ' || c == ';' })
}

// Peer is the principal that a peer without users is.
func (g *Gateways) Peer(id string) *Principal {
	return &Principal{Machine: true, Issuer: id, Subject: id, Pseudonym: g.keyring.Of("peer", []byte(id))}
}
