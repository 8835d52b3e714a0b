package catalog

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestSecretEncryption(t *testing.T) {
	stated := &hipaav1.Statement{StatedBy: "Dana Reyes", Reason: "LUKS beneath etcd", Expires: phitest.After(30 * 24 * time.Hour)}
	tests := map[string]struct {
		seen    *control.SecretStorage
		stated  *hipaav1.Statement
		verdict hipaav1.Verdict
		class   hipaav1.EvidenceClass
		says    string
		report  *unstructured.Unstructured
	}{
		"the platform says that it is done": {
			report: openShift("True", "EncryptionCompleted"), verdict: hipaav1.VerdictPass, class: hipaav1.EvidenceImported, says: "OpenShift reports",
		},
		"the platform says that it is off": {
			report: openShift("False", "EncryptionDisabled"), verdict: hipaav1.VerdictFail, class: hipaav1.EvidenceImported, says: "not encrypted",
		},
		"the platform says that it is off, above a disk that encrypts": {
			report: openShift("False", "EncryptionDisabled"), stated: stated, verdict: hipaav1.VerdictPass, class: hipaav1.EvidenceAttested, says: "is stated",
		},
		"the platform is at it": {
			report: openShift("False", "EncryptionInProgress"), verdict: hipaav1.VerdictUnknown, says: "nothing asks the API servers",
		},
		"what was seen goes before what the platform says": {
			seen: &control.SecretStorage{Providers: []string{"identity"}, Servers: 1}, report: openShift("True", "EncryptionCompleted"),
			verdict: hipaav1.VerdictFail, class: hipaav1.EvidenceTested, says: "in the clear",
		},
		"all servers encrypt": {
			seen: &control.SecretStorage{Providers: []string{"aescbc", "kms v2"}, Servers: 3}, verdict: hipaav1.VerdictPass, class: hipaav1.EvidenceTested,
			says: "every API server (3) stored a Secret under aescbc, kms v2",
		},
		"what was seen goes before what is stated": {
			seen: &control.SecretStorage{Providers: []string{"kms v2"}, Servers: 1}, stated: stated, verdict: hipaav1.VerdictPass, class: hipaav1.EvidenceTested,
			says: "under kms v2",
		},
		"one in the clear is enough, although not all were seen": {
			seen:    &control.SecretStorage{Providers: []string{"identity", "kms v2"}, Servers: 3, Problem: "2 of 3 API servers showed it"},
			verdict: hipaav1.VerdictFail, class: hipaav1.EvidenceTested, says: "in the clear (identity, kms v2)",
		},
		"in the clear above a disk that encrypts": {
			seen: &control.SecretStorage{Providers: []string{"identity"}, Servers: 1}, stated: stated, verdict: hipaav1.VerdictPass, class: hipaav1.EvidenceAttested,
			says: "API servers store Secrets in the clear, and what etcd writes is stated to be encrypted until 2026-04-01",
		},
		"not all were seen": {
			seen:    &control.SecretStorage{Providers: []string{"kms v2"}, Servers: 3, Problem: "1 of 3 API servers showed it: the others could not be reached"},
			verdict: hipaav1.VerdictUnknown, says: "1 of 3 API servers showed it",
		},
		"not all were seen, and it is stated": {
			seen: &control.SecretStorage{Providers: []string{"kms v2"}, Servers: 3, Problem: "1 of 3"}, stated: stated, verdict: hipaav1.VerdictPass,
			class: hipaav1.EvidenceAttested, says: "is stated to be encrypted until 2026-04-01",
		},
		"nothing asks": {verdict: hipaav1.VerdictUnknown, says: "nothing asks the API servers"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{
				Profile: &control.Profile{Platform: control.PlatformParameters{SecretEncryption: tc.stated}},
				World:   &control.World{Secrets: tc.seen}, Now: phitest.Epoch,
			}
			if tc.report != nil {
				keepConditions(tc.report)
				s.World.Reports = append(s.World.Reports, tc.report)
			}
			got := storedSecrets(&s)
			if got.Verdict != tc.verdict || got.Class != tc.class || !strings.Contains(got.Message, tc.says) {
				t.Errorf("got %s %s %q, want %s %s %q", got.Verdict, got.Class, got.Message, tc.verdict, tc.class, tc.says)
			}
		})
	}
}
