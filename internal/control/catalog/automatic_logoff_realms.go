package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// Realms of Keycloak, as its own operator and as Crossplane's provider declare them.
var (
	realmImports    = control.ResourceType{Group: "k8s.keycloak.org", Version: "v2alpha1", Kind: "KeycloakRealmImport", Resource: "keycloakrealmimports"}
	crossplaneRealm = control.ResourceType{Group: "realm.keycloak.crossplane.io", Version: "v1alpha1", Kind: "Realm", Resource: "realms"}
)

// realm is where a resource says what it says of one, and in what unit; zero is a
// duration that names its own.
type realm struct {
	path []string
	unit time.Duration
	says map[string]any
}

func realmOf(r *unstructured.Unstructured) *realm {
	var is *realm
	switch {
	case realmImports.Is(r):
		is = &realm{path: []string{"spec", "realm"}, unit: time.Second}
	case crossplaneRealm.Is(r):
		is = &realm{path: []string{"spec", "forProvider"}}
	default:
		return nil
	}
	is.says, _, _ = unstructured.NestedMap(r.Object, is.path...) // what is no map says nothing
	return is
}

// realmLimit is a limit that a realm has, and what Keycloak takes where it says none.
type realmLimit struct {
	field    string
	kind     limitKind
	ordinary time.Duration
	// remembered says that it counts for those who ask to be remembered, and only
	// where it is set; else the ordinary one counts for them too.
	remembered bool
}

// realmLimits are those of a realm's sessions. Those of its clients only shorten them,
// and offline tokens are no sessions.
var realmLimits = []realmLimit{
	{"ssoSessionIdleTimeout", idleLimit, 30 * time.Minute, false},
	{"ssoSessionMaxLifespan", absoluteLimit, 10 * time.Hour, false},
	{"ssoSessionIdleTimeoutRememberMe", idleLimit, 0, true},
	{"ssoSessionMaxLifespanRememberMe", absoluteLimit, 0, true},
}

// checkRealm judges when a realm ends the sessions of those who sign in there. One that
// serves no namespace in particular is no evidence for any.
func checkRealm(limits control.SessionParameters, r *unstructured.Unstructured) []control.Finding {
	is := realmOf(r)
	if is == nil {
		return []control.Finding{control.NotApplicable("is not of a type that this control judges")}
	}
	t := &sessions{limits: limits}
	for _, l := range realmLimits {
		at := strings.Join(append(slices.Clone(is.path), l.field), ".")
		most := limits.Idle()
		if l.kind == absoluteLimit {
			most = limits.Absolute()
		}
		value, there := is.says[l.field]
		limit, said := limitOf(fmt.Sprint(value), is.unit)
		switch {
		case l.remembered && (is.says["rememberMe"] != true || !there || said && limit <= 0):
		case !there && l.ordinary > most:
			t.add(control.Failed(at, "is not there, so that Keycloak's own counts, %s of %s, and the profile asks for %s", l.kind, spoken(l.ordinary), spoken(most)))
		case !there:
			t.add(control.Met(at, "is not there, so that Keycloak's own counts, %s of %s", l.kind, spoken(l.ordinary)))
		case !said:
			t.add(control.Undecided(at, "is %s that cannot be read here", l.kind).But("write it as a number of the unit that the application takes, in the open"))
		default:
			t.judge(control.Setting{Name: l.field, Path: at}, l.kind, limit, most)
		}
	}
	passes := func(f control.Finding) bool { return f.Verdict == hipaav1.VerdictPass }
	if control.NamespaceOf(r) == "" {
		t.findings = slices.DeleteFunc(t.findings, passes)
	}
	if len(t.findings) == 0 {
		return []control.Finding{control.NotApplicable("serves no namespace in particular")}
	}
	return t.findings
}

// withoutUnremembered leaves out of what stands in files the limits for people who are
// remembered where the realm remembers nobody, as Keycloak's do unless they say rememberMe:
// an export has these limits all the same. What cannot be read may be true.
func withoutUnremembered(entries []control.Setting) []control.Setting {
	remembers := map[string]bool{}
	for _, e := range entries {
		if strings.HasSuffix(e.Name, "rememberMe") && e.Value != "false" {
			remembers[fileOf(e)] = true
		}
	}
	return slices.DeleteFunc(entries, func(e control.Setting) bool {
		known := sessionSettingOf(e.Name)
		return known != nil && (known.kind == rememberedIdle || known.kind == rememberedAbsolute) && !remembers[fileOf(e)]
	})
}

// fileOf is the file that an entry stands in, without its line.
func fileOf(e control.Setting) string {
	file, _, _ := strings.Cut(e.Path, " line ")
	return file
}

// keycloakImages are repositories of Keycloak, by the end of their names.
var keycloakImages = []string{"keycloak/keycloak", "bitnami/keycloak", "rhbk/keycloak-rhel9"}

// masterRealm is one that every Keycloak has from its start.
const masterRealm = "master"

// signsIn is what is known of a pod that is a Keycloak by the realms that its namespace
// declares, which are judged themselves; nil where it is none, or none are. One that is
// declared says nothing of the others: realm master has Keycloak's own limits until
// something sets them, and an import leaves alone what is there already.
func signsIn(s *control.Subject) *control.Finding {
	if len(s.Pod.Spec.Containers) == 0 || !slices.Contains(keycloakImages, repositoryOf(s.Pod.Spec.Containers[0].Image)) {
		return nil
	}
	declared, master := false, false
	for _, r := range s.World.Resources {
		if is := realmOf(r); is != nil && control.NamespaceOf(r) == s.Namespace.Name {
			declared = true
			master = master || is.says["realm"] == masterRealm && crossplaneRealm.Is(r)
		}
	}
	switch {
	case !declared:
		return nil
	case master:
		f := control.NotApplicable("its declared realms, master among them, are judged themselves; one that nobody declared is not seen")
		return &f
	default:
		f := control.Undecided("spec.containers", "realms of it are declared, and judged themselves; nothing shows when realm master ends a session that nobody uses").
			But("declare realm master as a Realm of Crossplane's provider as well, with an ssoSessionIdleTimeout of at most %s; "+
				"KeycloakRealmImport leaves a realm alone that is there already", spoken(s.Profile.Session.Shared().Idle())).OnlyLive()
		return &f
	}
}

// realmImport is a realm of the Keycloak operator that asks for good passwords.
func realmImport(namespace string, limits map[string]any) *unstructured.Unstructured {
	says := map[string]any{"realm": "clinic", "passwordPolicy": "length(14) and notUsername()"}
	maps.Copy(says, limits)
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "k8s.keycloak.org/v2alpha1", "kind": "KeycloakRealmImport", "metadata": map[string]any{"namespace": namespace, "name": "clinic"},
		"spec": map[string]any{"keycloakCRName": "keycloak", "realm": says},
	}}
}

// crossplaneRealmWith is a realm of Crossplane's that asks for good passwords.
func crossplaneRealmWith(idle string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "realm.keycloak.crossplane.io/v1alpha1", "kind": "Realm",
		"metadata": map[string]any{"name": "clinic", "labels": map[string]any{control.LabelClaimNamespace: "ehr"}},
		"spec": map[string]any{"forProvider": map[string]any{
			"realm": "clinic", "passwordPolicy": "length(14) and notUsername()", "ssoSessionIdleTimeout": idle,
		}},
	}}
}
