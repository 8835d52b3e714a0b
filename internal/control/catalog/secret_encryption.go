package catalog

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "secret-encryption",
	Title:    "Store Secrets encrypted in etcd",
	Cites:    []hipaa.Citation{hipaa.EncryptionAtRest},
	Severity: control.High,
	Since:    1,
	Why: "Whoever gets hold of a disk, a snapshot or a backup of etcd reads there every password and key that leads to PHI. Base64 hides nothing, " +
		"and without a configuration that says otherwise API servers store Secrets in the clear.",
	Remedy: "give every API server an EncryptionConfiguration whose first provider for secrets encrypts, such as kms v2, then write all Secrets anew",
	Decides: "Only live, by the first of these that tells. (1) What the API servers count: the leading replica writes an annotation of an empty " +
		"Secret of its own and reads, over the same connection, under which provider the API server stored it (" +
		"apiserver_storage_transformation_operations_total, an alpha metric). That is Tested: in the clear fails; aescbc, aesgcm, secretbox, kms v1 " +
		"and kms v2 pass once as many servers showed it as hold a lease in kube-system. It is repeated when an API server starts anew, and each " +
		"day; where not all of them showed it, soon and then ever later, up to each hour. (2) What the platform reports, Imported: on OpenShift the condition Encrypted of the " +
		"KubeAPIServer named cluster, which passes once encryption is completed and fails where it is disabled. (3) The profile's statement, until it ends: Attested. It counts also where " +
		"the API servers store in the clear, or the platform says so, and something beneath etcd encrypts. Else it is Unknown. Managed clusters answer as others do, if " +
		"they let the operator read /metrics. What was stored before encryption was configured and not written since stays as it is, and nothing here sees that.",
	Parameters: []control.Parameter{{
		Path: "platform.secretEncryption", Basis: control.BasisProfile,
		Meaning: "What a person states, until a day: that what etcd writes of Secrets is encrypted, where API servers do not show it. The rule asks " +
			"for a mechanism to encrypt and names none.",
	}},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: ComplianceProfile
metadata: {name: encrypted-disks}
spec:
  namespaceSelector: {matchLabels: {hipaa-operator.io/phi: "true"}}
  rulesetVersion: "2026.1"
  platform:
    secretEncryption:
      statedBy: Dana Reyes
      reason: The disks of the three etcd members are LUKS volumes; the keys are in our HSM.
      expires: "2027-06-30T00:00:00Z"
`,
	Judges:    control.Workloads,
	Reports:   []control.ReportType{{ResourceType: openShiftServers, Trim: keepConditions, Everywhere: true}},
	NeedsLive: control.SecretsAtRest | control.Reports,
	Check: func(s control.Subject) []control.Finding {
		if s.Kind() != control.Workloads {
			return nil
		}
		return []control.Finding{storedSecrets(&s)}
	},
	Breaks: control.Breaks{
		"API servers that store Secrets in the clear":        answering("", control.InTheClear),
		"one of the API servers stores Secrets in the clear": answering("2 of 3 API servers showed it: the others could not be reached", control.InTheClear, "kms v2"),
		"API servers of which not all show how they store":   answering("1 of 3 API servers showed it: the others could not be reached", "kms v2"),
		"an OpenShift that does not encrypt": live(func(s *control.Subject) {
			s.World.Secrets = nil
			report(s, openShift("False", "EncryptionDisabled"))
		}),
		"API servers whose metrics the operator may not read": answering("0 of 1 API servers showed it: the operator may not read the metrics of the API server, or not write its own Secret"),
	},
})

// answering is what API servers showed.
func answering(problem string, providers ...string) control.Break {
	return live(func(s *control.Subject) {
		s.World.Secrets = &control.SecretStorage{Providers: providers, Servers: 3, Problem: problem, At: s.Now}
	})
}

// storedSecrets says by the best evidence there is how Secrets are stored.
func storedSecrets(s *control.Subject) control.Finding {
	seen, stated := s.World.Secrets, s.Profile.Platform.SecretEncryption
	if seen == nil {
		seen = &control.SecretStorage{Problem: "nothing asks the API servers"}
	}
	inTheClear := slices.Contains(seen.Providers, control.InTheClear)
	switch {
	case inTheClear && stated != nil:
		return control.Met("", "API servers store Secrets in the clear, and what etcd writes is stated to be encrypted until %s", stated.Expires.UTC().Format(time.DateOnly)).
			Known(hipaav1.EvidenceAttested)
	case inTheClear:
		return control.Failed("", "API servers store Secrets in the clear (%s)", seen.Under()).Known(hipaav1.EvidenceTested).OnlyLive()
	case seen.Problem == "":
		return control.Met("", "every API server (%d) stored a Secret under %s", seen.Servers, seen.Under()).Known(hipaav1.EvidenceTested)
	}
	if f, known := reportedByOpenShift(s); known && (f.Verdict == hipaav1.VerdictPass || stated == nil) {
		return f
	}
	switch {
	case stated != nil:
		return control.Met("", "what etcd writes of Secrets is stated to be encrypted until %s", stated.Expires.UTC().Format(time.DateOnly)).Known(hipaav1.EvidenceAttested)
	default:
		return control.Undecided("", "it is not known how API servers store Secrets: %s", seen.Problem).OnlyLive().
			But("let the operator read /metrics of every API server, or state under platform.secretEncryption in the ComplianceProfile what encrypts")
	}
}

// openShiftServers is how OpenShift reports on its API servers.
var openShiftServers = control.ResourceType{Group: "operator.openshift.io", Version: "v1", Kind: "KubeAPIServer", Resource: "kubeapiservers"}

// keepConditions keeps of a report what it says of itself.
func keepConditions(r *unstructured.Unstructured) { keepOnly(r, []string{"status", "conditions"}) }

// reportedByOpenShift is what OpenShift says of the encryption of etcd: nothing on other
// platforms, and while it is under way.
func reportedByOpenShift(s *control.Subject) (control.Finding, bool) {
	for _, r := range s.World.Reports {
		if r == nil || !openShiftServers.Is(r) {
			continue
		}
		switch status, reason := control.ConditionOf(r, "Encrypted"); {
		case status == metav1.ConditionTrue && reason == "EncryptionCompleted":
			return control.Met("", "OpenShift reports that the encryption of etcd is completed").Known(hipaav1.EvidenceImported), true
		case status == metav1.ConditionFalse && reason == "EncryptionDisabled":
			return control.Failed("", "OpenShift reports that etcd is not encrypted").Known(hipaav1.EvidenceImported).OnlyLive().
				But("set spec.encryption.type of the APIServer cluster to aesgcm"), true
		}
	}
	return control.Finding{}, false
}

// openShift is a cluster of OpenShift that says this of the encryption of etcd.
func openShift(status, reason string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "operator.openshift.io/v1", "kind": "KubeAPIServer", "metadata": map[string]any{"name": "cluster"},
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Encrypted", "status": status, "reason": reason}}},
	}}
}
