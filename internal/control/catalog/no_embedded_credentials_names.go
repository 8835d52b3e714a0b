package catalog

import (
	"slices"
	"strings"
)

// held says what kind of credential a name holds.
type held int

const (
	// notHeld is none.
	notHeld held = iota
	// heldPerhaps has a word of a credential, and not at its end: only what looks
	// random is one.
	heldPerhaps
	// heldKey is a key or a token, which has some length.
	heldKey
	// heldPassword is a password: any literal is one.
	heldPassword
)

var (
	passwordWords = []string{"password", "passwords", "passwd", "passphrase", "passcode", "pwd", "pass", "pw", "bindpw", "rootpw", "requirepass", "masterauth",
		"storepass", "keypass", "authpass", "dbpass", "userpass"}
	passwordEnds = []string{"password", "passwd", "passphrase"}
	secretWords  = []string{"secret", "secrets", "token", "tokens", "apikey", "apitoken", "secretkey", "accesskey", "privatekey", "authtoken", "credential", "credentials", "creds", "jwtsecret"}
	secretEnds   = []string{"secret", "token", "apikey", "secretkey"}

	// beforeKey make a credential of the word key.
	beforeKey = []string{"api", "access", "secret", "private", "encryption", "signing", "master", "auth", "license", "account", "storage", "shared", "jwt",
		"hmac", "session", "cookie", "app", "admin", "service", "subscription", "webhook", "client", "salt", "crypt", "decryption"}
	// beforeSecret make the name of an object of Kubernetes of the word secret.
	beforeSecret = []string{"tls", "pull", "existing", "image", "cert", "certificate", "k", "kubernetes", "ingress", "registry", "from"}
	// beforePass are directives of web servers.
	beforePass = []string{"proxy", "fastcgi", "uwsgi", "scgi", "grpc", "memcached", "first", "boarding"}
	// beforeToken are of no use to whoever has them.
	beforeToken = []string{"next", "page", "continuation", "csrf", "xsrf", "public"}
)

// holderOf says what a name holds. Its last word decides: PASSWORD_FILE is a file.
func holderOf(name string) held {
	if !mentionsCredential(name) {
		return notHeld
	}
	words := wordsOf(name)
	end, before := last(words), ""
	if len(words) > 1 {
		before = words[len(words)-2]
	}
	switch {
	case isElse(end, before):
		return notHeld
	case slices.Contains(passwordWords, end) || hasEnd(end, passwordEnds):
		return heldPassword
	case slices.Contains(secretWords, end) || hasEnd(end, secretEnds) || end == "key" && slices.Contains(beforeKey, before):
		return heldKey
	case slices.Contains(describingWords, end):
		return notHeld
	case share(words, passwordWords) || share(words, secretWords):
		return heldPerhaps
	default:
		return notHeld
	}
}

// isElse reports whether the word before makes something else of a word of
// credentials.
func isElse(end, before string) bool {
	switch end {
	case "pass":
		return slices.Contains(beforePass, before)
	case "secret", "secrets":
		return slices.Contains(beforeSecret, before)
	case "token", "tokens":
		return slices.Contains(beforeToken, before)
	default:
		return false
	}
}

// mentionsCredential is a quick look before a name is taken apart.
func mentionsCredential(name string) bool {
	return len(name) <= 512 && containsFold(name, "pass", "pwd", "pw", "secret", "token", "key", "cred", "masterauth")
}

func hasEnd(word string, ends []string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(word, end) })
}

// describingWords end names that say something about a credential.
var describingWords = strings.Fields(`
	file files path paths dir directory folder name names id ids identifier length len size min max minimum maximum ttl age expiry expiration expires
	expire expired lifetime timeout policy policies url uri urls endpoint endpoints host header headers field param parameter parameters type types
	algorithm alg algo enabled enable disabled disable required require allowed allow provider providers manager store encoder encoding format hash
	hashing hasher regex pattern prefix suffix attempts count limit ref reference location rotation rotate interval days hours minutes seconds validity version
	mode hint reset change changed user username users cache mount env var variable class plugin validator strength issuer audience scope scopes
	claim claims introspection exchange grant refresh cookie label annotation namespace backend source kind rule rules check checks history
	complexity case digits uppercase lowercase special characters chars leeway grace tolerance period duration bits bytes rounds iterations cost
	cert certificate ca crt public prompt form page link template email method methods strategy support usage index indexes port server status
	generator generation recovery recoverable less authentication auth flow verification verifier verify vault key keys keyring`)

// isLiteral reports whether a value is a credential as it stands, under a name that
// holds one.
func isLiteral(value string, holds held) bool {
	value = strings.TrimSpace(value)
	switch {
	case value == "", isSwitch(value), isReference(value), isPath(value), isMasked(value):
		return false
	case holds == heldPassword:
		return true
	case isNumberOrTime(value), strings.Contains(value, "://"):
		return false
	case holds == heldKey:
		return len(value) >= 4
	default:
		return looksRandom(value)
	}
}

var switches = strings.Fields("true false yes no on off none null nil ~ undefined default enabled disabled required optional auto")

func isSwitch(value string) bool { return slices.Contains(switches, strings.ToLower(value)) }

// stores are schemes under which values stand for credentials kept elsewhere.
var stores = []string{
	"vault:", "vault://", "ref+", "secret://", "secrets://", "op://", "sm://", "ssm:", "ssm://", "awssm://", "arn:aws", "gcp-sm:", "gcpsm://", "azurekv",
	"akv://", "keyvault:", "env:", "env://", "file:", "k8s:", "projects/", "!vault", "ENC[", "$__file{", "$__env{", "@Microsoft.KeyVault(",
}

// isReference reports whether a value only says where the credential is.
func isReference(value string) bool {
	for _, store := range stores {
		if strings.HasPrefix(value, store) {
			return true
		}
	}
	lower := strings.ToLower(value)
	for _, call := range []string{"env(", "env[", ".env.", "environ", "file_get_contents("} {
		if strings.Contains(lower, call) {
			return true // getenv('X'), process.env.X, os.environ["X"]
		}
	}
	switch {
	case value[0] == '`', strings.HasPrefix(value, "$("), strings.HasPrefix(value, "{{"), strings.HasPrefix(value, "<"):
		return true
	case strings.HasPrefix(value, "${"):
		return !hasDefault(value)
	case value[0] == '$':
		return isNameOf(value[1:])
	case value[0] == '%' || value[0] == '@':
		return len(value) > 2 && value[len(value)-1] == value[0] && isNameOf(value[1:len(value)-1])
	default:
		return false
	}
}

// hasDefault reports whether ${NAME:literal} or ${NAME:-literal} brings a literal.
func hasDefault(value string) bool {
	_, fallback, found := strings.Cut(strings.TrimSuffix(value, "}"), ":")
	fallback = strings.TrimPrefix(strings.TrimPrefix(fallback, "-"), "=")
	return found && fallback != "" && fallback[0] != '?' && fallback[0] != '$' && !isSwitch(fallback)
}

func isNameOf(text string) bool {
	for i := range len(text) {
		if c := text[i]; !isLetter(c) && !isDigit(c) && strings.IndexByte("_.-[]", c) < 0 {
			return false
		}
	}
	return text != ""
}

func isPath(value string) bool {
	if strings.ContainsAny(value, " \t+=") {
		return false
	}
	return value[0] == '/' || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "../") || strings.HasPrefix(value, "~/") ||
		len(value) > 2 && value[1] == ':' && value[2] == '\\'
}

// isMasked reports whether a value has been made illegible: *** or REDACTED.
func isMasked(value string) bool {
	return strings.Trim(value, "*") == "" || strings.Trim(value, ".") == "" || len(value) > 2 && strings.Trim(strings.ToLower(value), "x") == "" ||
		strings.EqualFold(strings.Trim(value, "[]"), "redacted")
}

// isNumberOrTime reports whether a value counts or measures something.
func isNumberOrTime(value string) bool {
	rest := strings.TrimLeft(value, "0123456789.-")
	return len(rest) < len(value) && len(rest) <= 2 && (rest == "" || slices.Contains([]string{"s", "m", "h", "d", "ms", "kb", "mb"}, strings.ToLower(rest)))
}

// looksRandom reports whether a value is no word that somebody chose for its sense.
func looksRandom(value string) bool {
	return len(value) >= 12 && strings.IndexFunc(value, func(r rune) bool { return r >= '0' && r <= '9' }) >= 0 &&
		!strings.ContainsAny(value, " /,") && entropyOf(value) > 3.2
}
