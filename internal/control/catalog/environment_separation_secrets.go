package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// What is said of a Secret of production that other namespaces may have, and what to do
// instead.
const (
	offerSays   = "let the Secret be copied into other namespaces, and nothing shows that these are of production"
	offerRemedy = "take the annotation away, and let each namespace make a Secret of its own from the manager of secrets"
)

// checkCopied judges what a Secret says of copies.
func checkCopied(s *control.Subject) []control.Finding {
	own := cmp.Or(s.Workload.Spec.Environment, hipaav1.EnvironmentProduction)
	if isProduction(own) {
		if key := s.Secret.Offered(); key != "" {
			return []control.Finding{control.Undecided(annotationPath(key), offerSays).But(offerRemedy)}
		}
		return []control.Finding{control.Met("", "is offered to no other namespace")}
	}
	key, from := s.Secret.CopiedFrom()
	if slices.ContainsFunc(s.World.Environments[from], isProduction) {
		return []control.Finding{control.Failed(annotationPath(key), "takes a copy from namespace %s, of production, into environment %s", from, own).
			But("make it anew for environment %s, with credentials that open nothing of production", own)}
	}
	return []control.Finding{control.Met("", "is copied from no namespace of production")}
}

func annotationPath(key string) string { return "metadata.annotations[" + key + "]" }

// separationBackstop knows whether the workload is of production; its faults read it as a
// list of one word, or of none.
var separationBackstop = &control.Backstop{
	Settings: func(s control.Subject) []string {
		if s.Workload == nil || !isProduction(s.Workload.Spec.Environment) {
			return nil
		}
		return []string{"production"}
	},
	Faults: []control.Fault{{
		Of: control.Secrets,
		When: fmt.Sprintf("settings.size() > 0 && ['%s'].exists(k, object.metadata.?annotations[?k].orValue('false') != 'false')",
			strings.Join(control.SecretOffers(), "', '")),
		Says: "metadata.annotations " + offerSays, But: offerRemedy,
	}},
	Less: "whose copies Secrets are, and what claims, pods and rights let across",
}

// offered is a Secret of production that any namespace may have.
func offered(s *control.Subject) {
	s.Secret.Annotations = map[string]string{"reflector.v1.k8s.emberstack.com/reflection-allowed": "true"}
}

// copiedIntoTest is a Secret of a test environment that is a copy of production's.
func copiedIntoTest(s *control.Subject) {
	inTest(s)
	s.Secret.Annotations = map[string]string{"replicator.v1.mittwald.de/replicate-from": productionNamespace + "/database"}
	s.World.Environments = map[string][]hipaav1.Environment{productionNamespace: {hipaav1.EnvironmentProduction}}
}

// productionNamespace is another one that Breaks know of.
const productionNamespace = "records"
