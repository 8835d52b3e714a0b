package catalog

import (
	"math"
	"regexp"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// tokenRule tells credentials of one service by their form.
type tokenRule struct {
	name    string
	entropy float64
	// expression is compiled when it is needed first.
	expression func() *regexp.Regexp
	keywords   []string
}

func tokenLike(name string, entropy float64, expression string, keywords ...string) *tokenRule {
	compile := sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
	return &tokenRule{name, entropy, compile, keywords}
}

// matches reports whether a word holds such a credential.
func (r *tokenRule) matches(word string) bool {
	groups := r.expression().FindStringSubmatch(word)
	if groups == nil {
		return false
	}
	secret := groups[0]
	for _, group := range groups[1:] {
		if group != "" {
			secret = group
			break
		}
	}
	return !strings.HasSuffix(secret, "EXAMPLE") && (r.entropy == 0 || entropyOf(secret) > r.entropy)
}

// entropyOf is Shannon's, in bits for each character.
func entropyOf(text string) float64 {
	var counts [256]int
	for i := range len(text) {
		counts[text[i]]++
	}
	sum := 0.0
	for _, n := range counts {
		if n > 0 {
			p := float64(n) / float64(len(text))
			sum -= p * math.Log2(p)
		}
	}
	return sum
}

// keyword is a part that a rule's credentials, or the names of their settings, have.
type keyword struct {
	text string
	rule *tokenRule
}

// keywordIndex finds the keywords that begin with two characters.
type keywordIndex struct {
	list [1 << 16]uint8
	// lists has none at 0.
	lists [][]keyword
}

func (x *keywordIndex) at(first, second byte) []keyword {
	return x.lists[x.list[int(first)<<8|int(second)]]
}

// byFirstTwo lets a text be passed over once.
var byFirstTwo = sync.OnceValue(func() *keywordIndex {
	index := &keywordIndex{lists: make([][]keyword, 1, 256)}
	for _, rule := range tokenRules {
		for _, text := range rule.keywords {
			place := &index.list[int(text[0])<<8|int(text[1])]
			if *place == 0 {
				index.lists = append(index.lists, nil)
				*place = uint8(len(index.lists) - 1)
			}
			index.lists[*place] = append(index.lists[*place], keyword{text, rule})
		}
	}
	return index
})

// searchBudget bounds the work on one object, whoever wrote it: expressions are
// slow, and a ConfigMap holds a megabyte.
type searchBudget struct{ spent int }

const (
	// searchLimit is how many characters expressions are tried on, for one object.
	searchLimit = 1 << 20
	// No known credential is shorter or longer.
	shortestWord, longestWord = 16, 4096
)

// tokenIn names the rule that a word of a text matches; empty is none.
func (b *searchBudget) tokenIn(name, text string) string {
	for start := 0; start+shortestWord <= len(text); {
		end, letters, digits := start, false, false
		for end < len(text) && !endsWord(text[end]) {
			letters = letters || isLetter(text[end])
			digits = digits || isDigit(text[end])
			end++
		}
		if word := text[start:end]; letters && digits && len(word) >= shortestWord && !strings.Contains(word, "sha256:") {
			if rule := b.ruleFor(name, word[:min(len(word), longestWord)]); rule != "" {
				return rule
			}
		}
		start = end + 1
	}
	return ""
}

func endsWord(c byte) bool { return c <= ' ' || strings.IndexByte("'\"`,;<>(){}|", c) >= 0 }

// ruleFor looks for keywords in a word, and in the name of its setting.
func (b *searchBudget) ruleFor(name, word string) string {
	var tried []*tokenRule
	for _, text := range [2]string{name, word} {
		for i := 0; i+1 < len(text); i++ {
			for _, k := range byFirstTwo().at(lower(text[i]), lower(text[i+1])) {
				if !startsFold(text[i:], k.text) || slices.Contains(tried, k.rule) {
					continue
				}
				if b.spent += len(word); b.spent > searchLimit {
					return ""
				}
				if tried = append(tried, k.rule); k.rule.matches(word) {
					return k.rule.name
				}
			}
		}
	}
	return ""
}

// inConnectionString are the parameters of addresses that hold a password.
var inConnectionString = []string{"password=", "pwd=", "sharedaccesskey=", "accountkey=", "secretkey="}

// hasPassword reports whether an address or a connection string has a literal
// password in it.
func hasPassword(value string) bool {
	if scheme, rest, found := strings.Cut(value, "://"); found && len(scheme) < 64 {
		authority := rest[:ending(rest, "/?")]
		if i := strings.LastIndexByte(authority, '@'); i > 0 && givesPassword(authority[:i]) {
			return true
		}
	}
	if user, _, is := strings.Cut(value, "@tcp("); is {
		return givesPassword(user)
	}
	if !strings.Contains(value, "=") || !containsFold(value, inConnectionString...) {
		return false
	}
	lowered := strings.ToLower(value)
	if len(lowered) != len(value) {
		return false
	}
	for _, parameter := range inConnectionString {
		at := strings.Index(lowered, parameter)
		if at <= 0 || !strings.ContainsRune("?&; ", rune(lowered[at-1])) {
			continue
		}
		given := value[at+len(parameter):]
		if isLiteral(given[:ending(given, "&; ")], heldPassword) {
			return true
		}
	}
	return false
}

// givesPassword reads user:password.
func givesPassword(user string) bool {
	_, password, given := strings.Cut(user, ":")
	return given && isLiteral(password, heldPassword)
}

// ending is where the first of some characters stands, or the end.
func ending(text, characters string) int {
	if i := strings.IndexAny(text, characters); i >= 0 {
		return i
	}
	return len(text)
}

// isPrivateKey reports whether a text has the head of a private key in it.
func isPrivateKey(text string) bool {
	_, rest, found := strings.Cut(text, "-----BEGIN ")
	label, _, ended := strings.Cut(rest[:min(len(rest), 64)], "-----")
	return found && ended && strings.HasSuffix(label, "PRIVATE KEY")
}

// statement reads lines that set a credential with other words than a name and a
// value: SQL, and the configuration of Redis. It says what they are.
func statement(name, value string) string {
	words := strings.Fields(value)
	switch {
	case strings.EqualFold(name, "user") && slices.ContainsFunc(words, func(word string) bool { return len(word) > 1 && word[0] == '>' }):
		return "a rule of Redis"
	case strings.EqualFold(name, "sentinel") && len(words) == 3 && words[0] == "auth-pass" && isLiteral(words[2], heldPassword):
		return "a line of Redis"
	case setsPassword(value):
		return "SQL"
	default:
		return ""
	}
}

// setsPassword reports whether SQL says IDENTIFIED BY 'literal' or PASSWORD 'literal'.
func setsPassword(value string) bool {
	lowered := strings.ToLower(value)
	for _, before := range []string{"identified by ", "password "} {
		at := strings.Index(lowered, before)
		if at < 0 || len(lowered) != len(value) {
			continue
		}
		given := strings.TrimPrefix(strings.TrimLeft(value[at+len(before):], " "), "PASSWORD ")
		if len(given) > 2 && given[0] == '\'' && given[1] != '\'' && isLiteral(strings.Trim(given, "'"), heldPassword) {
			return true
		}
	}
	return false
}

// lines looks through the text of a ConfigMap for what has a form of its own, where
// nothing was found yet. Certificates are passed over: they are for everybody.
func (e *embedded) lines(m *corev1.ConfigMap, found map[string]bool) {
	for _, held := range control.TextsOf(m) {
		certificate, number := false, 0
		for line := range strings.SplitSeq(held.Text, "\n") {
			number++
			path := lineOf(held, number)
			switch {
			case strings.Contains(line, "-----BEGIN CERTIFICATE"):
				certificate = true
			case strings.Contains(line, "-----END"):
				certificate = false
			case certificate || found[path]:
			case isPrivateKey(line):
				e.add(path, "%q holds a private key", held.Key)
			default:
				if rule := e.budget.tokenIn("", line); rule != "" {
					e.add(path, "a word has the form of a credential (%s)", rule)
				}
			}
		}
	}
}
