package admission

import (
	"context"
	"strings"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
)

// checkTwoPeople refuses an approver who could have been the requester as well:
// whoever may act as another plays both parts. A cluster administrator may act as
// everybody, and so decides on nothing.
func (g *Gate) checkTwoPeople(ctx context.Context, x *exceptionRequest, requester string) error {
	for _, way := range waysToBe(requester) {
		allowed, err := g.may(ctx, &x.UserInfo, way)
		if err != nil {
			return err
		}
		if allowed {
			return forbid("%s: %q may act as its requester %q (verb %q on %s), so that one person could play both parts: "+
				"let somebody decide who may not, or take that right away",
				whatOf(x.Request), x.UserInfo.Username, requester, way.Verb, resourceOf(&way))
		}
	}
	return nil
}

// waysToBe are the requests of which each lets a user act as another: by
// impersonation, also in the form that Kubernetes 1.36 constrains, or by a token
// of a ServiceAccount.
func waysToBe(user string) []authorizationv1.ResourceAttributes {
	const impersonate = "impersonate"
	if namespace, name, ok := serviceAccountOf(user); ok {
		account := authorizationv1.ResourceAttributes{Version: "v1", Resource: "serviceaccounts", Namespace: namespace, Name: name}
		plain, constrained, token := account, account, account
		plain.Verb = impersonate
		constrained.Verb, constrained.Group = impersonate+":serviceaccount", authenticationv1.GroupName
		token.Verb, token.Subresource = "create", "token"
		return []authorizationv1.ResourceAttributes{plain, constrained, token}
	}
	return []authorizationv1.ResourceAttributes{
		{Verb: impersonate, Version: "v1", Resource: "users", Name: user},
		{Verb: impersonate + ":user-info", Group: authenticationv1.GroupName, Version: "v1", Resource: "users", Name: user},
	}
}

// serviceAccountOf takes the name of a ServiceAccount's user apart.
func serviceAccountOf(user string) (namespace, name string, ok bool) {
	account, ok := strings.CutPrefix(user, serviceAccountUsers)
	if !ok {
		return "", "", false
	}
	namespace, name, ok = strings.Cut(account, ":")
	return namespace, name, ok && namespace != "" && name != "" && !strings.Contains(name, ":")
}

func resourceOf(do *authorizationv1.ResourceAttributes) string {
	what := do.Resource
	if do.Subresource != "" {
		what += "/" + do.Subresource
	}
	if do.Group != "" {
		what += "." + do.Group
	}
	if do.Namespace != "" {
		what += " in namespace " + do.Namespace
	}
	return what
}
