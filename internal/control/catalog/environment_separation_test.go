package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var separation = controlOf("environment-separation")

// beside is a subject whose workload has neighbours.
func beside(w *phitest.WorkloadBuilder, neighbours ...*phitest.WorkloadBuilder) control.Subject {
	s := cabinet{}.subject()
	s.Workload = w.Obj()
	s.World.Workloads = map[types.NamespacedName]*hipaav1.PHIWorkload{}
	for _, b := range append(neighbours, w) {
		o := b.Obj()
		s.World.Workloads[types.NamespacedName{Namespace: o.Namespace, Name: o.Name}] = o
	}
	return s
}

func TestFlowsAcrossEnvironmentsAreFound(t *testing.T) {
	test := func() *phitest.WorkloadBuilder { return phitest.Workload("lab").Environment(hipaav1.EnvironmentTest) }
	elsewhere := test().Namespace("sandbox")
	toElsewhere := hipaav1.EgressPeer{PHIWorkload: &hipaav1.PHIWorkloadPeer{Namespace: "sandbox", Name: "lab"}}
	throughService := beside(phitest.Workload("ehr").To(phitest.ToService("", "lab")), test())
	throughService.World.Services = map[types.NamespacedName]*corev1.Service{
		{Namespace: phitest.DefaultNamespace, Name: "lab"}: phitest.Service("lab").Port("http", 80, intstr.FromInt32(80)).Obj(),
	}
	for name, tc := range map[string]struct {
		give control.Subject
		want []string
	}{
		"none are declared": {
			give: beside(phitest.Workload("ehr"), phitest.Workload("db"), elsewhere),
			want: []string{"Pass: of environment Production, declares no flow across"},
		},
		"one to production": {
			give: beside(phitest.Workload("ehr").Environment("").To(phitest.ToWorkload("db")), phitest.Workload("db")),
			want: []string{"Pass: of environment Production, declares no flow across"},
		},
		"production calls a test workload": {
			give: beside(phitest.Workload("ehr").To(toElsewhere), elsewhere),
			want: []string{"spec.egress.to[0] calls PHIWorkload sandbox/lab of environment Test, and this one is of Production (live)"},
		},
		"production lets a test workload in": {
			give: beside(phitest.Workload("ehr").From(phitest.FromWorkload("lab")), test()),
			want: []string{"spec.access.from[0] lets in PHIWorkload ehr/lab of environment Test, and this one is of Production (live)"},
		},
		"production calls a test workload through its Service": {
			give: throughService,
			want: []string{"spec.egress.to[0] calls PHIWorkload ehr/lab of environment Test, and this one is of Production (live)"},
		},
		"a test workload calls one that does not exist": {
			give: beside(test().To(phitest.ToWorkload("db"))), want: []string{"Pass: of environment Test, declares no flow across"},
		},
		"a test workload calls staging": {
			give: beside(test().To(phitest.ToWorkload("db")), phitest.Workload("db").Environment(hipaav1.EnvironmentStaging)),
			want: []string{"Pass: of environment Test, declares no flow across"},
		},
		"a test workload runs beside production": {
			give: beside(test(), phitest.Workload("ehr"), phitest.Workload("db")),
			want: []string{"is of environment Test and shares its namespace, and so its Secrets, with db, ehr of production (live)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, sentences(checkSides(&tc.give))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestOriginsOfClaimsAreJudged(t *testing.T) {
	clone := func(c *corev1.PersistentVolumeClaim) {
		c.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: "records"}
	}
	restored := func(c *corev1.PersistentVolumeClaim) { c.Spec.DataSource = snapshotNamed("nightly") }
	for name, tc := range map[string]struct {
		environment hipaav1.Environment
		give        func(*corev1.PersistentVolumeClaim)
		origin      *phitest.ClaimBuilder
		want        string
	}{
		"that starts empty":                         {environment: hipaav1.EnvironmentTest, want: "Pass: pvc copy: starts empty"},
		"of production, whatever it is cloned from": {give: clone, want: "Pass: pvc copy: of production, as its workload"},
		"cloned from production": {
			environment: hipaav1.EnvironmentTest, give: clone, origin: phitest.Claim("records").Label(hipaav1.DefaultEnvironmentKey, "Production"),
			want: "spec.dataSource clones claim ehr/records of environment Production into one of Test",
		},
		"cloned from a claim of a workload of production": {
			environment: hipaav1.EnvironmentTest, give: clone, origin: phitest.Claim("records").Label(hipaav1.LabelWorkload, "db"),
			want: "spec.dataSource clones claim ehr/records of environment Production into one of Test",
		},
		"cloned from staging": {
			environment: hipaav1.EnvironmentTest, give: clone, origin: phitest.Claim("records").Label(hipaav1.DefaultEnvironmentKey, "Staging"),
			want: "Pass: pvc copy: begins as a claim of environment Staging",
		},
		"cloned from a claim that says nothing": {
			environment: hipaav1.EnvironmentTest, give: clone, origin: phitest.Claim("records"),
			want: "Unknown: spec.dataSource clones claim ehr/records into environment Test, and the claim does not say of which environment it is",
		},
		"cloned from a claim that is not there": {
			environment: hipaav1.EnvironmentTest, give: clone,
			want: "Unknown: spec.dataSource brings data of PersistentVolumeClaim ehr/records into environment Test, and nothing shows whose it is",
		},
		"made from a snapshot of production": {
			environment: hipaav1.EnvironmentTest, give: restored, origin: phitest.Claim("records").Label(hipaav1.DefaultEnvironmentKey, "Production"),
			want: "spec.dataSource restores VolumeSnapshot ehr/nightly of claim records of environment Production into one of Test",
		},
		"made from a snapshot of a test": {
			environment: hipaav1.EnvironmentDevelopment, give: restored, origin: phitest.Claim("records").Label(hipaav1.DefaultEnvironmentKey, "Test"),
			want: "Pass: pvc copy: begins as a claim of environment Test",
		},
		"made from a snapshot of a claim that says nothing": {
			environment: hipaav1.EnvironmentTest, give: restored, origin: phitest.Claim("records"),
			want: "Unknown: spec.dataSource restores VolumeSnapshot ehr/nightly of claim records into environment Test, and the claim does not say of which environment it is",
		},
		"made from a snapshot that shows no claim": {
			environment: hipaav1.EnvironmentDevelopment, give: func(c *corev1.PersistentVolumeClaim) {
				c.Spec.DataSourceRef = &corev1.TypedObjectReference{Kind: "VolumeSnapshot", Name: "nightly"}
			},
			want: "Unknown: spec.dataSourceRef brings data of VolumeSnapshot ehr/nightly into environment Development, and nothing shows whose it is",
		},
		"restored from a backup": {
			environment: hipaav1.EnvironmentTest, give: func(c *corev1.PersistentVolumeClaim) {
				c.Labels = map[string]string{"velero.io/restore-name": "monday"}
			},
			want: "Unknown: metadata.labels brings data of Backup ehr/monday into environment Test, and nothing shows whose it is",
		},
		"of another workload": {
			environment: hipaav1.EnvironmentTest, give: func(c *corev1.PersistentVolumeClaim) { c.Labels = map[string]string{hipaav1.LabelWorkload: "db"} },
			want: "NotApplicable: it is classified as of another PHIWorkload",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := beside(phitest.Workload("lab").Environment(tc.environment), phitest.Workload("db"))
			claim := phitest.Claim("copy")
			if tc.give != nil {
				claim = claim.With(tc.give)
			}
			s.Claim = claim.Obj()
			if tc.origin != nil {
				s.World.Origins = originOf(s.Claim, tc.origin.Obj())
			}
			if diff := cmp.Diff([]string{tc.want}, sentences(separation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRightsOfOtherEnvironmentsAreFound(t *testing.T) {
	of := map[string][]hipaav1.Environment{
		"sandbox": {hipaav1.EnvironmentDevelopment, hipaav1.EnvironmentTest}, "records": {hipaav1.EnvironmentProduction}, "mixed": {hipaav1.EnvironmentProduction, hipaav1.EnvironmentTest},
	}
	account := func(namespace string) rbacv1.Subject {
		return rbacv1.Subject{Kind: "ServiceAccount", Namespace: namespace, Name: "a"}
	}
	for name, tc := range map[string]struct {
		environment hipaav1.Environment
		give        []rbacv1.Subject
		want        string
	}{
		"for a test namespace":          {give: []rbacv1.Subject{account("ehr"), account("sandbox")}, want: "subjects[1] lets ServiceAccounts of namespace sandbox, of environment Development, Test, into production"},
		"for all of a test namespace":   {give: []rbacv1.Subject{{Kind: "Group", Name: "system:serviceaccounts:sandbox"}}, want: "subjects[0] lets ServiceAccounts of namespace sandbox, of environment Development, Test, into production"},
		"for production":                {give: []rbacv1.Subject{account("records")}, want: "Pass: names no ServiceAccount of another environment"},
		"for a namespace that has both": {give: []rbacv1.Subject{account("mixed")}, want: "Pass: names no ServiceAccount of another environment"},
		"for tools of no environment":   {give: []rbacv1.Subject{account("argocd")}, want: "Pass: names no ServiceAccount of another environment"},
		"for people":                    {give: []rbacv1.Subject{{Kind: "Group", Name: "sandbox"}}, want: "Pass: names no ServiceAccount of another environment"},
		"for a test namespace, in test": {environment: hipaav1.EnvironmentTest, give: []rbacv1.Subject{account("sandbox")}, want: "NotApplicable: it grants rights in environment Test"},
	} {
		t.Run(name, func(t *testing.T) {
			s := beside(phitest.Workload("ehr").Environment(tc.environment))
			s.World.Environments, s.Binding = of, phitest.Binding("b").Obj()
			s.Binding.Subjects = tc.give
			if diff := cmp.Diff([]string{tc.want}, sentences(separation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatTwoEnvironmentsReadIsFound(t *testing.T) {
	of := map[string][]hipaav1.Environment{"records": {hipaav1.EnvironmentProduction}, "sandbox": {hipaav1.EnvironmentTest}}
	namespaced := readsOf("sandbox", "lab", "ehr/database")
	_ = unstructured.SetNestedField(namespaced.Object, "SecretStore", "spec", "secretStoreRef", "kind")
	extracted := readsOf("sandbox", "lab", "other")
	_ = unstructured.SetNestedSlice(extracted.Object, []any{map[string]any{"extract": map[string]any{"key": "ehr/database"}}}, "spec", "dataFrom")
	elsewhere := readsOf("sandbox", "lab", "ehr/database")
	_ = unstructured.SetNestedSlice(elsewhere.Object, []any{map[string]any{
		"remoteRef": map[string]any{"key": "ehr/database"},
		"sourceRef": map[string]any{"storeRef": map[string]any{"kind": "ClusterSecretStore", "name": "lab-vault"}},
	}}, "spec", "data")
	const alike = "ExternalSecret/database reads what ExternalSecret sandbox/lab of environment Test reads, and this one is of Production (live)"
	for name, tc := range map[string]struct {
		environment hipaav1.Environment
		other       *unstructured.Unstructured
		want        string
	}{
		"one secret of a store":                      {other: readsOf("sandbox", "lab", "ehr/database"), want: alike},
		"one secret, taken as a whole":               {other: extracted, want: alike},
		"two secrets of a store":                     {other: readsOf("sandbox", "lab", "lab/database"), want: "Pass: of environment Production, declares no flow across"},
		"one name in two stores":                     {other: elsewhere, want: "Pass: of environment Production, declares no flow across"},
		"one name in a store of the namespace":       {other: namespaced, want: "Pass: of environment Production, declares no flow across"},
		"one secret of two namespaces of production": {other: readsOf("records", "db", "ehr/database"), want: "Pass: of environment Production, declares no flow across"},
		"one secret, seen from the test": {
			environment: hipaav1.EnvironmentTest, other: readsOf("records", "db", "ehr/database"),
			want: "ExternalSecret/database reads what ExternalSecret records/db of environment Production reads, and this one is of Test (live)",
		},
		"one secret of two tests":                     {environment: hipaav1.EnvironmentTest, other: readsOf("sandbox", "lab", "ehr/database"), want: "Pass: of environment Test, declares no flow across"},
		"one secret of a namespace of no environment": {other: readsOf("tools", "t", "ehr/database"), want: "Pass: of environment Production, declares no flow across"},
	} {
		t.Run(name, func(t *testing.T) {
			s := beside(phitest.Workload("ehr").Environment(tc.environment))
			s.World.Environments = of
			for _, r := range []*unstructured.Unstructured{readsOf(phitest.DefaultNamespace, "database", "ehr/database"), tc.other} {
				trimExternalSecret(r)
				s.World.Reports = append(s.World.Reports, r)
			}
			if diff := cmp.Diff([]string{tc.want}, sentences(checkSides(&s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A secret that all read brings a few findings, and says how many there are.
func TestOfManyReadersAFewAreTold(t *testing.T) {
	s := beside(phitest.Workload("ehr"))
	s.World.Environments = map[string][]hipaav1.Environment{"sandbox": {hipaav1.EnvironmentTest}}
	s.World.Reports = []*unstructured.Unstructured{readsOf(phitest.DefaultNamespace, "database", "ehr/database")}
	for _, name := range []string{"e", "d", "c", "b", "a"} {
		s.World.Reports = append(s.World.Reports, readsOf("sandbox", name, "ehr/database"))
	}
	const reads, here = "ExternalSecret/database reads what ExternalSecret sandbox/", ", and this one is of Production (live)"
	want := []string{
		reads + "a of environment Test reads" + here, reads + "b of environment Test reads" + here, reads + "c of environment Test reads (+2 more)" + here,
	}
	if diff := cmp.Diff(want, sentences(checkSides(&s))); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// What a search finds the operator cannot tell, whoever reads it.
func TestWhatASearchFindsIsUnknown(t *testing.T) {
	finds := func(entry map[string]any) *unstructured.Unstructured {
		r := readsOf(phitest.DefaultNamespace, "all", "ehr/database")
		_ = unstructured.SetNestedSlice(r.Object, []any{entry}, "spec", "dataFrom")
		trimExternalSecret(r)
		return r
	}
	ref := func(kind string) map[string]any {
		return map[string]any{"storeRef": map[string]any{"kind": kind, "name": "mine"}}
	}
	const passes = "Pass: of environment Production, declares no flow across"
	unknown := func(store string) string {
		return "Unknown: ExternalSecret/all takes what a search in ClusterSecretStore " + store + " finds: it cannot be told whether another environment reads that as well (live)"
	}
	for name, tc := range map[string]struct {
		give map[string]any
		want string
	}{
		"by path":                       {give: map[string]any{"find": map[string]any{"path": "ehr"}}, want: unknown("vault")},
		"by a pattern":                  {give: map[string]any{"find": map[string]any{"name": map[string]any{"regexp": ".*"}}}, want: unknown("vault")},
		"in another store":              {give: map[string]any{"find": map[string]any{"path": "ehr"}, "sourceRef": ref("ClusterSecretStore")}, want: unknown("mine")},
		"in a store of its namespace":   {give: map[string]any{"find": map[string]any{"path": "ehr"}, "sourceRef": ref("SecretStore")}, want: passes},
		"no search, one secret by name": {give: map[string]any{"extract": map[string]any{"key": "ehr/database"}}, want: passes},
	} {
		t.Run(name, func(t *testing.T) {
			s := beside(phitest.Workload("ehr"))
			s.World.Reports = []*unstructured.Unstructured{finds(tc.give)}
			if diff := cmp.Diff([]string{tc.want}, sentences(checkSides(&s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCopiesOfSecretsAreFound(t *testing.T) {
	of := map[string][]hipaav1.Environment{"records": {hipaav1.EnvironmentProduction}, "sandbox": {hipaav1.EnvironmentTest}}
	const from = "replicator.v1.mittwald.de/replicate-from"
	for name, tc := range map[string]struct {
		environment hipaav1.Environment
		key, value  string
		want        string
	}{
		"of production, for anybody": {
			key: "kubed.appscode.com/sync", want: "Unknown: metadata.annotations[kubed.appscode.com/sync] let the Secret be copied into other namespaces, and nothing shows that these are of production",
		},
		"of production, for nobody": {want: "Pass: is offered to no other namespace"},
		"of test, for anybody":      {environment: hipaav1.EnvironmentTest, key: "kubed.appscode.com/sync", want: "Pass: is copied from no namespace of production"},
		"of production, into test":  {environment: hipaav1.EnvironmentTest, key: from, value: "records/db", want: "metadata.annotations[" + from + "] takes a copy from namespace records, of production, into environment Test"},
		"of test, into test":        {environment: hipaav1.EnvironmentTest, key: from, value: "sandbox/db", want: "Pass: is copied from no namespace of production"},
		"of tools, into test":       {environment: hipaav1.EnvironmentTest, key: from, value: "cert-manager/wildcard", want: "Pass: is copied from no namespace of production"},
		"of test, into production":  {key: from, value: "sandbox/db", want: "Pass: is offered to no other namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			s := beside(phitest.Workload("ehr").Environment(tc.environment))
			s.World.Environments = of
			s.Secret = &control.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "db"}}
			if tc.key != "" {
				s.Secret.Annotations = map[string]string{tc.key: tc.value}
			}
			if diff := cmp.Diff([]string{tc.want}, sentences(separation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestClaimsOfTheOtherSideAreNotMounted(t *testing.T) {
	for name, tc := range map[string]struct {
		environment hipaav1.Environment
		claim       *phitest.ClaimBuilder
		want        string
	}{
		"test in test": {hipaav1.EnvironmentTest, phitest.Claim("data").Label(hipaav1.DefaultEnvironmentKey, "Test"), "Pass: mounts no claim of another environment than Test"},
		"unsaid":       {hipaav1.EnvironmentTest, phitest.Claim("data"), "Pass: mounts no claim of another environment than Test"},
		"production in test": {
			hipaav1.EnvironmentTest, phitest.Claim("data").Label(hipaav1.DefaultEnvironmentKey, "Production"),
			`spec.volumes[0] mounts claim "data" of environment Production into one of Test`,
		},
		"test in production": {
			"", phitest.Claim("data").Label(hipaav1.DefaultEnvironmentKey, "Test"), `spec.volumes[0] mounts claim "data" of environment Test into one of Production`,
		},
		"a copy in test": {
			hipaav1.EnvironmentTest, phitest.Claim("data").With(func(c *corev1.PersistentVolumeClaim) {
				c.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "VolumeSnapshot", Name: "nightly"}
			}),
			`Unknown: spec.volumes[0] mounts claim "data", which brings data of VolumeSnapshot ehr/nightly into environment Test, and nothing shows whose it is`,
		},
		"none": {hipaav1.EnvironmentTest, phitest.Claim("other"), "NotApplicable: it mounts no claim"},
	} {
		t.Run(name, func(t *testing.T) {
			s := beside(phitest.Workload("lab").Environment(tc.environment))
			claim := tc.claim.Obj()
			s.World.Claims[claim.Name], s.Pod = claim, phitest.Pod("app").Mounts("data", "data").Obj()
			if diff := cmp.Diff([]string{tc.want}, sentences(separation.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
