package repair

import (
	"testing"
	"time"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func entry(manager string, operation metav1.ManagedFieldsOperationType, after time.Duration, fields string) metav1.ManagedFieldsEntry {
	at := phitest.After(after)
	return metav1.ManagedFieldsEntry{
		Manager: manager, Operation: operation, Time: &at, FieldsType: "FieldsV1", FieldsV1: metav1.NewFieldsV1(fields),
	}
}

func TestWhoAndUnchanged(t *testing.T) {
	const (
		ours  = `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{}}},"f:spec":{"f:podSelector":{},"f:policyTypes":{},"f:ingress":{}}}`
		taken = `{"f:metadata":{"f:labels":{"f:app.kubernetes.io/managed-by":{}}},"f:spec":{"f:podSelector":{},"f:policyTypes":{}}}`
	)
	update, applied := metav1.ManagedFieldsOperationUpdate, metav1.ManagedFieldsOperationApply
	tests := map[string]struct {
		give          []metav1.ManagedFieldsEntry
		giveFields    []string
		wantWho       string
		wantUnchanged bool
	}{
		"ours alone": {
			give:       []metav1.ManagedFieldsEntry{entry(hipaav1.FieldOwner, applied, 0, ours)},
			giveFields: []string{"spec", "ingress"}, wantWho: "unknown", wantUnchanged: true,
		},
		"somebody took the field": {
			give:       []metav1.ManagedFieldsEntry{entry(hipaav1.FieldOwner, applied, 0, taken), entry("kubectl-edit", update, time.Minute, `{"f:spec":{"f:ingress":{}}}`)},
			giveFields: []string{"spec", "ingress"}, wantWho: "kubectl-edit",
		},
		"somebody else has nothing to do with the field": {
			give:       []metav1.ManagedFieldsEntry{entry(hipaav1.FieldOwner, applied, 0, ours), entry("argocd", update, time.Minute, `{"f:metadata":{"f:annotations":{".":{},"f:x":{}}}}`)},
			giveFields: []string{"spec", "ingress"}, wantWho: "argocd", wantUnchanged: true,
		},
		"inside what somebody took whole": {
			give:       []metav1.ManagedFieldsEntry{entry(hipaav1.FieldOwner, applied, 0, taken), entry("kubectl-edit", update, 0, `{"f:spec":{"f:ingress":{}}}`), entry("late", update, time.Hour, `{"f:metadata":{"f:annotations":{"f:x":{}}}}`)},
			giveFields: []string{"spec", "ingress"}, wantWho: "kubectl-edit",
		},
		"inside an inseparable field of ours": {
			give:       []metav1.ManagedFieldsEntry{entry(hipaav1.FieldOwner, applied, 0, ours)},
			giveFields: []string{"spec", "podSelector", "matchLabels", "app"}, wantWho: "unknown", wantUnchanged: true,
		},
		"owning a map is not owning an entry that somebody removed": {
			give:       []metav1.ManagedFieldsEntry{entry(hipaav1.FieldOwner, applied, 0, `{"f:metadata":{"f:labels":{".":{},"f:other":{}}}}`), entry("kubectl-label", update, time.Minute, `{"f:metadata":{"f:labels":{"f:y":{}}}}`)},
			giveFields: []string{"metadata", "labels", "app.kubernetes.io/managed-by"}, wantWho: "kubectl-label",
		},
		"the field is gone: the last to change anything": {
			give:       []metav1.ManagedFieldsEntry{entry("first", update, 0, `{"f:metadata":{"f:annotations":{"f:x":{}}}}`), entry("last", update, time.Minute, `{"f:metadata":{"f:annotations":{"f:y":{}}}}`)},
			giveFields: []string{"spec", "ingress"}, wantWho: "last",
		},
		"our name with another operation is not ours": {
			give:       []metav1.ManagedFieldsEntry{entry(hipaav1.FieldOwner, update, 0, ours)},
			giveFields: []string{"spec", "ingress"}, wantWho: hipaav1.FieldOwner,
		},
		"a status proves nothing": {
			give: []metav1.ManagedFieldsEntry{func() metav1.ManagedFieldsEntry {
				e := entry("kubelet", update, 0, `{"f:spec":{"f:ingress":{}}}`)
				e.Subresource = "status"
				return e
			}()},
			giveFields: []string{"spec", "ingress"}, wantWho: "unknown",
		},
		"an entry that does not parse": {
			give:       []metav1.ManagedFieldsEntry{entry("odd", update, 0, `{"nonsense`)},
			giveFields: []string{"spec", "ingress"}, wantWho: "unknown",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			ms := managersOf(&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{ManagedFields: tt.give}})
			if got := ms.who(tt.giveFields).name; got != tt.wantWho {
				t.Errorf("who() = %q, want %q", got, tt.wantWho)
			}
			if got := ms.who(tt.giveFields).shown(); tt.wantWho != unknownWho && got != "field manager "+tt.wantWho+", user unknown" || tt.wantWho == unknownWho && got != unknownWho {
				t.Errorf("people read %q of %q", got, tt.wantWho)
			}
			if got := ms.unchanged(tt.giveFields); got != tt.wantUnchanged {
				t.Errorf("unchanged() = %v, want %v", got, tt.wantUnchanged)
			}
		})
	}
}
