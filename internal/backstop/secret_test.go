package backstop

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// storedSecret is one as the API server has it when it asks.
func storedSecret(of corev1.SecretType, data map[string][]byte, keysAndValues ...string) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: phitest.DefaultNamespace, Name: "s", CreationTimestamp: metav1.NewTime(phitest.Epoch), Annotations: phitest.Labels(keysAndValues...).MatchLabels,
		},
		Type: of, Data: data,
	}
}

func TestASecretOfProductionThatMayBeCopiedIsRefused(t *testing.T) {
	server := newAPIServerFor(t, control.Secrets, stated())
	held := map[string][]byte{"password": []byte("a-password")}
	of := func(keysAndValues ...string) *corev1.Secret {
		return storedSecret(corev1.SecretTypeOpaque, held, keysAndValues...)
	}
	const says = "environment-separation (45 CFR 164.312(a)(1)): metadata.annotations let the Secret be copied into other namespaces"
	production := []string{"production"}
	for name, c := range map[string]struct {
		give, old *corev1.Secret
		settings  []string
		want      string
	}{
		"of production, to namespaces by name":      {give: of("replicator.v1.mittwald.de/replicate-to", "test"), settings: production, want: says},
		"of production, by an edit":                 {give: of("kubed.appscode.com/sync", ""), old: of(), settings: production, want: says},
		"of production, by one more annotation":     {give: of("kubed.appscode.com/sync", "", "replicator.v1.mittwald.de/replicate-to", "test"), old: of("kubed.appscode.com/sync", ""), settings: production, want: says},
		"of production, which was so before":        {give: of("kubed.appscode.com/sync", "", "other", "one"), old: of("kubed.appscode.com/sync", ""), settings: production},
		"of production, which says that it may not": {give: of("reflector.v1.k8s.emberstack.com/reflection-allowed", "false"), settings: production},
		"of production, without a word on copies":   {give: of("team", "ehr"), settings: production},
		"of another environment":                    {give: of("replicator.v1.mittwald.de/replicate-to", "test")},
	} {
		t.Run(name, func(t *testing.T) {
			p := &hipaav1.BackstopSpec{Workloads: []hipaav1.BackstopWorkload{{Name: "api", Controls: map[string]hipaav1.BackstopControl{
				"environment-separation": {Settings: c.settings},
			}}}}
			var old client.Object
			if c.old != nil {
				old = c.old
			}
			refusal := server.write(c.give, old, p)
			if (refusal == "") != (c.want == "") || !strings.Contains(refusal, c.want) || strings.Contains(refusal, "a-password") {
				t.Errorf("it says %q, want %q", refusal, c.want)
			}
		})
	}
}

func TestASecretForATokenIsRefusedWhateverItBrings(t *testing.T) {
	server := newAPIServerFor(t, control.Secrets, stated())
	const token = corev1.SecretTypeServiceAccountToken
	account := func(name string) []string { return []string{corev1.ServiceAccountNameKey, name} }
	filled := map[string][]byte{corev1.ServiceAccountTokenKey: []byte("a-token")}
	asked := storedSecret(token, nil, account("api")...)
	for name, c := range map[string]struct {
		give, old  *corev1.Secret
		ungoverned bool
		want       string
	}{
		"one that asks for a token": {give: asked, want: "no-embedded-credentials (45 CFR 164.312(d)): type is kubernetes.io/service-account-token, " +
			"for which the cluster makes a token that never ends; mount a projected token"},
		"one that brings a token":                            {give: storedSecret(token, filled, account("api")...), want: "no-embedded-credentials ("},
		"one that is filled, as the cluster does it":         {give: storedSecret(token, filled, append(account("api"), corev1.ServiceAccountUIDKey, "uid")...), old: asked},
		"one that is emptied, so that it is filled again":    {give: asked, old: storedSecret(token, filled, account("api")...)},
		"one that is told of another ServiceAccount":         {give: storedSecret(token, nil, account("admin")...), old: asked, want: "no-embedded-credentials ("},
		"one of any other type":                              {give: storedSecret(corev1.SecretTypeOpaque, filled)},
		"one of no type":                                     {give: storedSecret("", nil)},
		"any other in a namespace that no profile governs":   {give: storedSecret(corev1.SecretTypeOpaque, filled), ungoverned: true},
		"one for a token in a namespace without any profile": {give: asked, ungoverned: true, want: "ungoverned-namespace ("},
	} {
		t.Run(name, func(t *testing.T) {
			p := &hipaav1.BackstopSpec{Ungoverned: c.ungoverned, Workloads: []hipaav1.BackstopWorkload{{Name: "api", Controls: map[string]hipaav1.BackstopControl{"no-embedded-credentials": {}}}}}
			if c.ungoverned {
				p.Workloads = nil
			}
			var old client.Object
			if c.old != nil {
				old = c.old
			}
			refusal := server.write(c.give, old, p)
			if (refusal == "") != (c.want == "") || !strings.Contains(refusal, c.want) || strings.Contains(refusal, "a-token") {
				t.Errorf("it says %q, want %q", refusal, c.want)
			}
		})
	}
}
