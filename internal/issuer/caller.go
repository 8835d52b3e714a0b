package issuer

import (
	"context"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	authenticationv1 "k8s.io/api/authentication/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// +kubebuilder:rbac:groups=authentication.k8s.io,resources=tokenreviews,verbs=create

// caller is whom a token speaks of: a pod and the ServiceAccount that it runs under.
type caller struct {
	namespace, account string
	pod, uid           string
}

// What the API server says of the pod to which a token is bound.
const (
	extraPodName = "authentication.kubernetes.io/pod-name"
	extraPodUID  = "authentication.kubernetes.io/pod-uid"
)

// maxToken bounds a token in bytes; one of a pod has about 1,200.
const maxToken = 8 << 10

// bearer reads a token that may be one: a JWT that says to be of our audience. Who made
// it is for the API server to say; it is not asked about what is wrong already.
func bearer(header string) (string, *refusal) {
	token, found := strings.CutPrefix(header, "Bearer ")
	if !found || token == "" {
		return "", refuse(http.StatusUnauthorized, metrics.IssuerToken, "a bearer token is missing")
	}
	no := refuse(http.StatusUnauthorized, metrics.IssuerToken, "the token is not one of audience %s that counts now", enrol.Audience)
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 || parts[0] == "" || parts[2] == "" {
		return "", no
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", no
	}
	var claims struct {
		Audiences []string `json:"aud"`
	}
	if err := json.Unmarshal(text, &claims); err != nil || !slices.Contains(claims.Audiences, enrol.Audience) {
		return "", no
	}
	return token, nil
}

// identify has the API server say whom the token speaks of.
func identify(ctx context.Context, c client.Client, token string) (caller, *refusal) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token, Audiences: []string{enrol.Audience}}}
	if err := c.Create(ctx, review); err != nil {
		log.FromContext(ctx).Error(err, "Could not have a token reviewed")
		return caller{}, unavailable("the API server could not be asked about the token")
	}
	status := review.Status
	if !status.Authenticated || !slices.Contains(status.Audiences, enrol.Audience) {
		return caller{}, refuse(http.StatusUnauthorized, metrics.IssuerToken, "the token is not one of audience %s that counts now", enrol.Audience)
	}
	return callerOf(status.User)
}

// callerOf reads a user: a ServiceAccount whose token is bound to one pod.
func callerOf(user authenticationv1.UserInfo) (caller, *refusal) {
	name, isAccount := strings.CutPrefix(user.Username, "system:serviceaccount:")
	namespace, account, whole := strings.Cut(name, ":")
	if !isAccount || !whole || namespace == "" || account == "" || strings.Contains(account, ":") {
		return caller{}, refuse(http.StatusForbidden, metrics.IssuerToken, "the token is not one of a ServiceAccount")
	}
	pod, uid := user.Extra[extraPodName], user.Extra[extraPodUID]
	if len(pod) != 1 || len(uid) != 1 || pod[0] == "" || uid[0] == "" {
		return caller{}, refuse(http.StatusForbidden, metrics.IssuerToken, "the token is not bound to a pod: ask with the one that the kubelet mounts")
	}
	return caller{namespace: namespace, account: account, pod: pod[0], uid: uid[0]}, nil
}

// soon is when asking again may help.
const soon = time.Second
