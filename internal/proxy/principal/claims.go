package principal

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// claims are what is read of a token beside what every token has.
type claims struct {
	Subject     string          `json:"sub"`
	Session     string          `json:"sid"`
	Methods     texts           `json:"amr"`
	Class       string          `json:"acr"`
	AuthTime    json.RawMessage `json:"auth_time"`
	NotBefore   json.RawMessage `json:"nbf"`
	Client      string          `json:"client_id"`
	Party       string          `json:"azp"`
	Application string          `json:"appid"`
	IDType      string          `json:"idtyp"`
	Grant       string          `json:"gty"`
	Username    string          `json:"preferred_username"`
}

// texts is a list, or one text with blanks, as providers differ.
type texts []string

// UnmarshalJSON reads either.
func (t *texts) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*t = list
		return nil
	}
	var one string
	if err := json.Unmarshal(data, &one); err != nil {
		return err
	}
	*t = strings.Fields(one)
	return nil
}

// instant reads seconds since 1970, as a number or a text.
func instant(raw json.RawMessage) time.Time {
	seconds, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if err != nil || seconds <= 0 || seconds > 1<<40 {
		return time.Time{}
	}
	return time.Unix(int64(seconds), 0)
}

// machine reports whether the token was given to a program for itself: RFC 9068 (2.2),
// Microsoft Entra, Auth0, Keycloak, and whom the configuration names.
func (c *claims) machine(issuer *config.Issuer) bool {
	clients := []string{c.Client, c.Party, c.Application}
	return slices.Contains(clients, c.Subject) || c.IDType == "app" || c.Grant == "client-credentials" ||
		strings.HasPrefix(c.Username, "service-account-") || slices.Contains(issuer.Machines, c.Subject)
}

// kinds of proof, by the methods of RFC 8176, section 2, and those that Keycloak, Okta
// and Entra say.
var (
	knowledge  = []string{"pwd", "pin", "kba", "password"}
	possession = []string{"hwk", "swk", "otp", "sms", "tel", "sc", "pop", "rsa", "hotp", "totp", "webauthn"}
	inherence  = []string{"face", "fpt", "iris", "retina", "vbm"}
)

// Defaults of what means several factors by itself: RFC 8176 and Entra; REFEDS, OpenID's
// Extended Authentication Profile and PAPE, and what NIST SP 800-63 calls level 2.
var (
	defaultMethods = []string{"mfa", "mca", "ngcmfa"}
	defaultClasses = []string{
		"https://refeds.org/profile/mfa", "phr", "phrh",
		"http://schemas.openid.net/pape/policies/2007/06/multi-factor",
		"http://idmanagement.gov/ns/assurance/aal/2", "http://idmanagement.gov/ns/assurance/aal/3",
	}
)

// multiFactor reports whether the user proved who they are by two kinds of proof. With
// methods of the configuration, only those count.
func multiFactor(f *config.Factors, methods []string, class string) bool {
	classes := f.Classes
	if len(classes) == 0 {
		classes = defaultClasses
	}
	if class != "" && slices.Contains(classes, class) {
		return true
	}
	if len(f.Methods) > 0 {
		return overlap(f.Methods, methods)
	}
	found := 0
	for _, kind := range [][]string{knowledge, possession, inherence} {
		if overlap(kind, methods) {
			found++
		}
	}
	return found > 1 || overlap(defaultMethods, methods)
}

func overlap(a, b []string) bool {
	return slices.ContainsFunc(a, func(x string) bool { return slices.Contains(b, x) })
}

// rolesAt are those that stand where the path says: under its whole text, or under the
// names between its dots.
func rolesAt(all map[string]any, path string) []string {
	if path == "" {
		path = "roles"
	}
	value, found := all[path]
	for at := any(all); !found; {
		name, rest, more := strings.Cut(path, ".")
		inner, _ := at.(map[string]any)
		at, path = inner[name], rest
		if !more {
			value, found = at, true
		}
	}
	return rolesIn(value)
}

const maxRolesOfUser = 256

func rolesIn(value any) []string {
	switch v := value.(type) {
	case string:
		return strings.Fields(v)
	case []any:
		var roles []string
		for _, one := range v {
			if role, is := one.(string); is && len(roles) < maxRolesOfUser {
				roles = append(roles, role)
			}
		}
		return roles
	}
	return nil
}
