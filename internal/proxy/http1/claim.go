package http1

import "strings"

// claimants are who puts into requests who calls, from where, or for what, and is believed
// without proof by applications behind it. Any peer could say the same, so none of it
// passes. A star at the end stands for whatever follows. Names that applications use among
// themselves (X-User-Id), and those of proofs that they check (X-Auth-Token), are not here.
var claimants = map[string][]string{
	"RFC 7239 and load balancers":       {"forwarded", "x-forwarded", "x-forwarded-*", "x-real-ip", "x-original-forwarded-for", "x-original-host", "x-host", "x-http-host-override"},
	"content delivery networks":         {"true-client-ip", "client-ip", "x-client-ip", "x-cluster-client-ip", "fastly-client-ip", "fly-client-ip", "cf-connecting-ip*", "x-azure-clientip", "x-azure-socketip", "x-azure-fdid", "x-appengine-*", "x-proxyuser-ip"},
	"RFC 9440 and termination of TLS":   {"client-cert", "client-cert-chain", "x-client-cert*", "x-client-dn", "x-client-verify", "x-ssl-*", "ssl-client-*", "x-arr-clientcert", "x-clientcert*", "x-amzn-mtls-*"},
	"CGI and web servers":               {"remote-user", "remote-addr", "remote-host", "remote-ident", "auth-user", "auth-type", "x-auth-user", "x-auth-username", "x-auth-email", "x-auth-groups", "x-auth-roles", "x-proxy-user", "x-authenticated-user"},
	"nginx, ingress-nginx and IIS":      {"x-original-uri", "x-original-url", "x-original-method", "x-rewrite-url"},
	"Authelia":                          {"remote-groups", "remote-group", "remote-name", "remote-email"},
	"authentik":                         {"x-authentik-*"},
	"OAuth2 Proxy":                      {"x-auth-request-*"},
	"Pomerium":                          {"x-pomerium-*"},
	"Vouch Proxy":                       {"x-vouch-*"},
	"Teleport":                          {"teleport-*"},
	"Tailscale Serve":                   {"tailscale-*"},
	"Cloudflare Access":                 {"cf-access-*"},
	"Google IAP, Endpoints, Gateway":    {"x-goog-authenticated-user-*", "x-goog-iap-*", "x-endpoint-api-userinfo", "x-apigateway-api-userinfo"},
	"Azure App Service":                 {"x-ms-client-principal*", "x-ms-token-*"},
	"AWS load balancers":                {"x-amzn-oidc-*", "x-apigateway-*"},
	"Kong and APISIX":                   {"x-consumer-*", "x-credential-*", "x-anonymous-consumer", "x-authenticated-*", "x-userinfo"},
	"WSO2":                              {"x-jwt-assertion"},
	"Grafana and Gitea":                 {"x-webauth-*"},
	"Kubernetes request-header proxies": {"x-remote-*"},
	"Linkerd":                           {"l5d-*"},
	"Envoy and Istio":                   {"x-envoy-*", "x-spiffe-id", "x-istio-attributes"},
	"mod_auth_openidc":                  {"oidc-*"},
	"SiteMinder":                        {"sm-*", "smuser"},
	"Oracle Access Manager":             {"oam-*"},
	"IBM WebSEAL":                       {"iv-user", "iv-user-l", "iv-groups", "iv-creds", "iv-remote-address*"},
	"this proxy":                        {"x-phi-*"},
}

// claims is the table as it is asked. Most names are told apart by their first letter
// and length alone.
var claims = func() (c struct {
	whole map[string]struct{}
	// sizes has for each first letter a bit for each length of a whole name.
	sizes [256]uint64
	// begins has for each first letter what names begin with.
	begins [256][]string
}) {
	c.whole = map[string]struct{}{}
	for _, names := range claimants {
		for _, name := range names {
			begin, all := strings.CutSuffix(name, "*")
			if all {
				c.begins[begin[0]] = append(c.begins[begin[0]], begin)
				continue
			}
			c.whole[name] = struct{}{}
			c.sizes[name[0]] |= 1 << len(name)
		}
	}
	return c
}()

// isClaim reports whether a name of at most maxKnown bytes, in lower case and with - for
// _, is one of the table.
func isClaim(known []byte) bool {
	if len(known) == 0 {
		return false
	}
	if claims.sizes[known[0]]&(1<<len(known)) != 0 {
		if _, listed := claims.whole[string(known)]; listed {
			return true
		}
	}
	return beginsClaim(known)
}

// beginsClaim is isClaim for names of any length and spelling, but for whole names.
func beginsClaim(name []byte) bool {
	for _, begin := range claims.begins[lower[name[0]]] {
		if len(name) >= len(begin) && foldedEqual(name[:len(begin)], begin) {
			return true
		}
	}
	return false
}

// IsClaim reports whether only a proxy may send a field of this name.
func IsClaim(name string) bool {
	k, _ := kindOf([]byte(name))
	return k == claim
}
