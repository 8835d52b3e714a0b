package catalog

import (
	"fmt"
	"strings"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/rights"
)

var _ = add(control.Control{
	ID:       "kubernetes-user-mfa",
	Title:    "Let people reach PHI namespaces only by way of an identity provider that asks for a second factor",
	Cites:    []hipaa.Citation{hipaa.EntityAuthentication},
	Severity: control.High,
	Since:    1,
	Why: "A client certificate is a file: whoever copies it is its owner, no second factor stands before it, and until it expires nobody " +
		"can take it back. One of the group system:masters passes every check that RBAC could make.",
	Remedy: "bind groups of the identity provider instead of users and groups of client certificates",
	Decides: "Only live, and only from names: the API server keeps no list of people. Each user and group that a RoleBinding of the namespace " +
		"names, or a ClusterRoleBinding to what reaches into namespaces, should carry the prefix that the profile says the API server gives " +
		"people of the identity provider. One without it fails: some other way vouches for it, most often a client certificate. While the " +
		"profile gives no prefix that is Unknown. The group system:masters fails, but for the one ClusterRoleBinding that Kubernetes ships and " +
		"restores. ServiceAccounts, and components of Kubernetes, are no people; bindings to everybody are least-privilege-rbac's. Names can " +
		"be imitated: whoever signs client certificates can write the prefix into one. That the identity provider asks for a second factor, " +
		"and that nobody works with a certificate of system:masters, no field shows: it is Attested by the profile's statement until that " +
		"ends, and Unknown without.",
	Parameters: []control.Parameter{
		{
			Path: "access.identityProvider.usernamePrefix", Basis: control.BasisProfile,
			Meaning: "What the API server puts before users of the identity provider (usernamePrefix of its authentication configuration).",
		},
		{
			Path: "access.identityProvider.groupsPrefix", Basis: control.BasisProfile,
			Meaning: "What it puts before their groups.",
		},
		{
			Path: "access.identityProvider.mfa", Basis: control.BasisProfile,
			Meaning: "What a person states, until an end date: that everybody is asked for a second factor, and nobody works with a certificate " +
				"of system:masters. The rule asks to verify that a person is the one claimed and names no factor.",
		},
	},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: ComplianceProfile
metadata: {name: people}
spec:
  namespaceSelector: {matchLabels: {hipaa-operator.io/phi: "true"}}
  rulesetVersion: "2026.1"
  access:
    identityProvider:
      usernamePrefix: "oidc:"
      groupsPrefix: "oidc:"
      mfa:
        statedBy: identity team
        reason: The conditional access policy of the provider demands a hardware key for this client.
        expires: "2027-06-30T00:00:00Z"
`,
	Judges:    control.Bindings | control.Workloads,
	NeedsLive: control.Access,
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Bindings:
			return comeBy(&s.Profile.Access.Provider, s.Binding.Subjects, "")
		case control.Workloads:
			return peopleEverywhere(&s)
		default:
			return nil
		}
	},
	Satisfy: func(s *control.Subject) {
		s.Profile.Access.Provider = hipaav1.IdentityProvider{
			UsernamePrefix: "oidc:", GroupsPrefix: "oidc:",
			MFA: &hipaav1.Statement{StatedBy: "identity team", Expires: metav1.Date(2027, time.June, 30, 0, 0, 0, 0, time.UTC)},
		}
	},
	Breaks: control.Breaks{
		"a binding to system:masters":                             bindsPeople(rbacv1.GroupKind, "system:masters"),
		"a binding to a user of no identity provider":             bindsPeople(rbacv1.UserKind, "admin"),
		"a binding to a group of no identity provider":            bindsPeople(rbacv1.GroupKind, "kubeadm:cluster-admins"),
		"a binding of the whole cluster to a user of none":        boundTo("reads-secrets", rbacv1.Subject{Kind: rbacv1.UserKind, Name: "admin"}),
		"nobody states that people are asked for a second factor": live(func(s *control.Subject) { s.Profile.Access.Provider.MFA = nil }),
	},
})

// bindsPeople is binds where it is only reported.
func bindsPeople(kind, name string) control.Break {
	b := binds(kind, name)
	b.Reported = true
	return b
}

// peopleEverywhere says of the workload as a whole what is stated, and who reaches it
// from bindings of the whole cluster.
func peopleEverywhere(s *control.Subject) []control.Finding {
	if !byRBAC(s.World) {
		return []control.Finding{notByRBAC()}
	}
	provider := &s.Profile.Access.Provider
	findings := []control.Finding{secondFactor(provider.MFA)}
	for _, b := range s.World.ClusterBindings {
		role := s.World.ClusterRoles[b.RoleRef.Name]
		if role == nil || rights.Harmless(role.Rules) || shippedForMasters(b) {
			continue
		}
		findings = append(findings, comeBy(provider, b.Subjects, b.Name)...)
	}
	return findings
}

// shippedForMasters reports whether a binding is the one that Kubernetes restores
// whenever somebody deletes it.
func shippedForMasters(b *rbacv1.ClusterRoleBinding) bool {
	return b.Name == "cluster-admin" && len(b.Subjects) == 1 && isMasters(&b.Subjects[0])
}

func isMasters(subject *rbacv1.Subject) bool {
	return subject.Kind == rbacv1.GroupKind && subject.Name == rights.Masters
}

func secondFactor(stated *hipaav1.Statement) control.Finding {
	if stated == nil {
		return control.Undecided("", "nobody states that the identity provider asks people for a second factor").OnlyLive().
			But("state it under access.identityProvider.mfa in the ComplianceProfile, if it does")
	}
	return control.Met("", "people are stated to be asked for a second factor until %s", stated.Expires.UTC().Format(time.DateOnly)).
		Known(hipaav1.EvidenceAttested)
}

// comeBy says which subjects of a binding do not come by way of the identity
// provider: of each sort where the first one stands, and how many there are. Names of
// people stay out of it. The binding's name is given for those of the whole cluster.
func comeBy(provider *hipaav1.IdentityProvider, subjects []rbacv1.Subject, everywhere string) []control.Finding {
	var order []string
	first, count, verdict := map[string]int{}, map[string]int{}, map[string]hipaav1.Verdict{}
	for i := range subjects {
		says, how := origin(provider, &subjects[i])
		if says == "" {
			continue
		}
		if count[says] == 0 {
			order, first[says], verdict[says] = append(order, says), i, how
		}
		count[says]++
	}
	var findings []control.Finding
	for _, says := range order {
		path := fmt.Sprintf("subjects[%d]", first[says])
		text := says
		if everywhere != "" {
			path, text = "", fmt.Sprintf("ClusterRoleBinding %s: %s %s", everywhere, path, says)
		}
		if count[says] > 1 {
			text += fmt.Sprintf(" (+%d more)", count[says]-1)
		}
		finding := control.Finding{Verdict: verdict[says], Path: path, Message: text}.OnlyLive().As(everywhere + "/" + says)
		if verdict[says] == hipaav1.VerdictUnknown {
			finding = finding.But("give the prefixes under access.identityProvider in the ComplianceProfile")
		}
		findings = append(findings, finding)
	}
	return findings
}

// origin says what is wrong with where a subject comes from; empty is nothing.
func origin(provider *hipaav1.IdentityProvider, subject *rbacv1.Subject) (says string, verdict hipaav1.Verdict) {
	if isMasters(subject) {
		return "is the group system:masters, which holders of client certificates are in", hipaav1.VerdictFail
	}
	if rights.Own(subject) || rights.Machine(subject) || rights.Crowd(subject) != "" {
		return "", ""
	}
	prefix := provider.UsernamePrefix
	if subject.Kind == rbacv1.GroupKind {
		prefix = provider.GroupsPrefix
	}
	switch {
	case prefix == "":
		return fmt.Sprintf("is a %s, and no profile says by which prefix those of the identity provider are known", subject.Kind), hipaav1.VerdictUnknown
	case !strings.HasPrefix(subject.Name, prefix):
		return fmt.Sprintf("is a %s without the prefix of the identity provider", subject.Kind), hipaav1.VerdictFail
	default:
		return "", ""
	}
}
