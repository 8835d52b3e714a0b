package users

import (
	"slices"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// plainPath writes the path of a target as patterns have it: in lower case, decoded,
// without what follows ; in a segment, without repeated slashes. It reports false where
// applications would disagree about where the path leads: what a route allows must not
// be found by a second spelling of the path.
func plainPath(to, target []byte) ([]byte, bool) {
	skip := false
	for len(target) > 0 && target[0] != '?' {
		c, rest, ok := letter(target)
		if !ok {
			return to, false
		}
		target = rest
		switch {
		case c == ';':
			skip = true
		case c == '/':
			if endsInDots(to) {
				return to, false
			}
			skip = false
			if n := len(to); n == 0 || to[n-1] != '/' {
				to = append(to, c)
			}
		case !skip:
			to = append(to, c)
		}
	}
	return to, !endsInDots(to)
}

// letter is the first byte of a path, decoded, in lower case. It reports false where
// applications decode it to something that means more than itself, or twice.
func letter(path []byte) (c byte, rest []byte, ok bool) {
	c, rest = path[0], path[1:]
	if c == '%' {
		if len(rest) < 2 {
			return c, rest, false
		}
		c, rest = unhex(rest[0])<<4|unhex(rest[1]), rest[2:]
		switch {
		case c < ' ', c == 0x7f, c == '/', c == '\\', c == ';', c == '?':
			return c, rest, false
		case c == '%' && len(rest) > 1 && isHex(rest[0]) && isHex(rest[1]):
			return c, rest, false
		}
	}
	if 'A' <= c && c <= 'Z' {
		c |= 0x20
	}
	return c, rest, true
}

// endsInDots reports whether the last segment is . or ..
func endsInDots(path []byte) bool {
	n := len(path)
	dots := 0
	for dots < n && path[n-1-dots] == '.' {
		dots++
	}
	return (dots == 1 || dots == 2) && dots < n && path[n-1-dots] == '/'
}

func isHex(c byte) bool { return c-'0' <= 9 || c|0x20-'a' <= 5 }

func unhex(c byte) byte {
	if c-'0' <= 9 {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}

// route is a route ready to be compared.
type route struct {
	*config.Route

	exact, below []string
	own          bool // it has limits of its own
}

// everywhere is what is asked where no route matches.
var everywhere = &route{Route: &config.Route{}}

func routesOf(u *config.Users) []*route {
	all := make([]*route, len(u.Routes))
	for i := range u.Routes {
		r := &route{Route: &u.Routes[i]}
		r.own = r.Limits != config.SessionLimits{}
		for _, p := range r.Paths {
			p = strings.ToLower(p)
			if prefix, below := strings.CutSuffix(p, "/*"); below {
				r.below = append(r.below, prefix)
			} else {
				r.exact = append(r.exact, p)
			}
		}
		all[i] = r
	}
	return all
}

func (r *route) matches(port string, method, path []byte) bool {
	if len(r.Ports) > 0 && !slices.Contains(r.Ports, port) {
		return false
	}
	if len(r.Methods) > 0 && !slices.ContainsFunc(r.Methods, func(m string) bool { return m == string(method) }) {
		return false
	}
	for _, exact := range r.exact {
		if string(path) == exact || len(path) == len(exact)+1 && path[len(exact)] == '/' && string(path[:len(exact)]) == exact {
			return true
		}
	}
	for _, prefix := range r.below {
		if len(path) >= len(prefix) && string(path[:len(prefix)]) == prefix && (len(path) == len(prefix) || path[len(prefix)] == '/') {
			return true
		}
	}
	return false
}
