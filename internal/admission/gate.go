// Package admission answers the API server about objects in PHI namespaces. Its
// promise: every request gets an answer in a sentence, an object is decoded
// once, what cannot be judged is refused, and nothing here knows a control.
package admission

import (
	"context"
	"net/http"
	"time"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
	"github.com/hipaa-operator/hipaa-operator/internal/uses"
	"github.com/hipaa-operator/hipaa-operator/internal/witness"
)

// Gate is what all webhooks share. It is safe for concurrent use.
type Gate struct {
	// Engine judges.
	Engine *engine.Engine
	// Loader reads the evidence.
	Loader *subject.Loader
	// Clock tells when exceptions and statements end, and stamps approvals.
	Clock clock.PassiveClock
	// Reviews creates SubjectAccessReviews.
	Reviews Reviews
	// Changes keeps who changed what the operator owns. Nil keeps nothing.
	Changes Changes
	// Attempts tells people of changes that policies refuse. Nil tells nobody.
	Attempts Attempts
	// Uses counts what exceptions let in. Nil counts nothing.
	Uses Uses
	// Backstop is asked by the API server between the webhooks. Nil asks nobody.
	Backstop Backstop
	// Observe is told every outcome, for metrics. Optional.
	Observe func(Outcome)
	// TurnedAway is told of every review that found no room. Optional.
	TurnedAway func()
}

// Reviews asks the API server what a user may do; a client.Client is one.
type Reviews interface {
	Create(ctx context.Context, object client.Object, options ...client.CreateOption) error
}

// Changes is the memory of changes; a witness.Book is one.
type Changes interface {
	Record(ctx context.Context, change witness.Change) error
}

// Uses counts what exceptions let in; a uses.Ledger is one.
type Uses interface {
	Used(use uses.Use)
}

// Outcome is what became of one request.
type Outcome struct {
	// Kind is that of the object.
	Kind string
	// Allowed is what was answered.
	Allowed bool
	// Mutated says that the object was changed.
	Mutated bool
	// Failed says that there was no judgement: evidence could not be read, the
	// request made no sense, or the operator has a bug.
	Failed bool
	// Decision is what the engine found; empty where it was not asked.
	Decision engine.Decision
	// Took is how long it took.
	Took time.Duration
}

// The paths of the webhooks, as in config/webhook.
const (
	pathMutatePods          = "/mutate/pods"
	pathMutateClaims        = "/mutate/claims"
	pathMutateExceptions    = "/mutate/exceptions"
	pathMutatePauses        = "/mutate/pauses"
	pathForetellPods        = "/foretell/pods"
	pathForetellServices    = "/foretell/services"
	pathForetellAccess      = "/foretell/access"
	pathForetellSecrets     = "/foretell/secrets"
	pathValidatePods        = "/validate/pods"
	pathValidateTemplates   = "/validate/templates"
	pathValidateClaims      = "/validate/claims"
	pathValidateServices    = "/validate/services"
	pathValidateEndpoints   = "/validate/endpoints"
	pathValidatePolicies    = "/validate/policies"
	pathValidateIngresses   = "/validate/ingresses"
	pathValidateAccess      = "/validate/access"
	pathValidateSettings    = "/validate/settings"
	pathValidateSecrets     = "/validate/secrets"
	pathValidateResources   = "/validate/resources"
	pathValidateWorkloads   = "/validate/workloads"
	pathValidateProfiles    = "/validate/profiles"
	pathValidateConnections = "/validate/connections"
	pathValidateExceptions  = "/validate/exceptions"
	pathValidatePauses      = "/validate/pauses"
	pathWitnessDeletions    = "/witness/deletions"
	pathWitnessAttempts     = "/witness/attempts"
)

// Handlers are the webhooks by path, ready for an HTTP server. Together they take
// no more at once than one process can hold.
func (g *Gate) Handlers() map[string]http.Handler {
	answers := map[string]answerer{
		pathMutatePods:          g.mutatePod,
		pathMutateClaims:        g.mutateClaim,
		pathMutateExceptions:    g.mutateException,
		pathMutatePauses:        g.mutatePause,
		pathForetellPods:        g.foretell(g.validatePod),
		pathForetellServices:    g.foretell(g.validateService),
		pathForetellAccess:      g.foretell(g.validateAccess),
		pathForetellSecrets:     g.foretell(g.validateSecret),
		pathValidatePods:        g.validatePod,
		pathValidateTemplates:   g.validateTemplate,
		pathValidateClaims:      g.validateClaim,
		pathValidateServices:    g.validateService,
		pathValidateEndpoints:   g.validateEndpoints,
		pathValidatePolicies:    g.validatePolicy,
		pathValidateIngresses:   g.validateIngress,
		pathValidateAccess:      g.validateAccess,
		pathValidateSettings:    g.validateSettings,
		pathValidateSecrets:     g.validateSecret,
		pathValidateResources:   g.validateResource,
		pathValidateWorkloads:   g.validateWorkload,
		pathValidateProfiles:    g.validateProfile,
		pathValidateConnections: g.validateConnection,
		pathValidateExceptions:  g.validateException,
		pathValidatePauses:      g.validatePause,
		pathWitnessDeletions:    g.witnessDeletion,
		pathWitnessAttempts:     g.witnessAttempt,
	}
	entrance := newTurnstile(roomForReviews, g.TurnedAway)
	handlers := make(map[string]http.Handler, len(answers))
	for path, answer := range answers {
		handlers[path] = endpoint{handler: g.answering(answer), turnstile: entrance}
	}
	return handlers
}

// Server is where webhooks are registered; a webhook.Server is one.
type Server interface {
	Register(path string, handler http.Handler)
}

// Register puts the webhooks on a server.
func (g *Gate) Register(server Server) {
	for path, handler := range g.Handlers() {
		server.Register(path, handler)
	}
}
