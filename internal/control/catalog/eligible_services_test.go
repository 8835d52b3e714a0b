package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

const onTheList = "AWS's list of HIPAA eligible services of 2026-05-22"

func aws(service string) hipaav1.CloudService {
	return hipaav1.CloudService{Cloud: hipaav1.CloudAWS, Service: service}
}

// used is a resource of an API group, in namespace ehr.
func used(version string) *unstructured.Unstructured { return cloudResource(version, "Thing", nil) }

func TestAServiceIsJudgedByItsGroup(t *testing.T) {
	day := date(2026, time.November, 23)
	covers := func(service hipaav1.CloudService) control.CloudServiceParameters {
		return control.CloudServiceParameters{Covered: map[hipaav1.CloudService]hipaav1.Statement{
			service: {StatedBy: "Dana Reyes", Reason: "our agreement lists it", Expires: metav1.NewTime(date(2027, time.July, 1))},
		}}
	}
	withholds := func(service hipaav1.CloudService) control.CloudServiceParameters {
		return control.CloudServiceParameters{Withheld: map[hipaav1.CloudService]bool{service: true}}
	}
	compared := control.CloudServiceParameters{ListCompared: &hipaav1.ListComparison{ComparedOn: metav1.NewTime(date(2027, time.June, 1))}}
	longAfter := date(2027, time.July, 2)
	for name, tc := range map[string]struct {
		give     *unstructured.Unstructured
		services control.CloudServiceParameters
		now      time.Time
		want     string
	}{
		"of ACK":                       {give: used("s3.services.k8s.aws/v1alpha1"), want: `Pass: apiVersion is of Amazon S3 ("s3"), which is on ` + onTheList},
		"of Crossplane":                {give: used("cognitoidp.aws.upbound.io/v1beta1"), want: `Pass: apiVersion is of Amazon Cognito ("cognitoidp"), which is on ` + onTheList},
		"of Crossplane, namespaced":    {give: used("cognitoidp.aws.m.upbound.io/v1beta1"), want: `Pass: apiVersion is of Amazon Cognito ("cognitoidp"), which is on ` + onTheList},
		"of Crossplane's first":        {give: used("notification.aws.crossplane.io/v1alpha1"), want: `Pass: apiVersion is of Amazon SNS ("notification"), which is on ` + onTheList},
		"a tool":                       {give: used("iam.services.k8s.aws/v1alpha1"), want: `Pass: apiVersion is of AWS IAM ("iam"), which keeps no PHI`},
		"not on the list":              {give: used("lightsail.aws.upbound.io/v1beta1"), want: `apiVersion is of Amazon Lightsail ("lightsail"), which is not on ` + onTheList},
		"unheard of":                   {give: used("novelty.services.k8s.aws/v1"), want: `apiVersion is of "novelty" of AWS, which is not on ` + onTheList},
		"perhaps part of a listed one": {give: used("imagebuilder.aws.upbound.io/v1beta1"), want: `Unknown: apiVersion is of EC2 Image Builder ("imagebuilder"), of which ` + onTheList + " does not say whether it is part of one (live)"},
		"a feature of a listed one":    {give: used("recyclebin.services.k8s.aws/v1alpha1"), want: `Unknown: apiVersion is of Recycle Bin of Amazon EBS ("recyclebin"), of which ` + onTheList + " does not say whether it is part of one (live)"},
		"the provider's own settings":  {give: used("aws.upbound.io/v1beta1"), want: "NotApplicable: is of no service of a cloud"},
		"ACK's own settings":           {give: used("services.k8s.aws/v1alpha1"), want: "NotApplicable: is of no service of a cloud"},
		"Karpenter's settings":         {give: used("karpenter.azure.com/v1beta1"), want: "NotApplicable: is of no service of a cloud"},
		"Config Connector's own":       {give: used("customize.core.cnrm.cloud.google.com/v1alpha1"), want: "NotApplicable: is of no service of a cloud"},
		"add-ons of AKS":               {give: used("approuting.kubernetes.azure.com/v1alpha1"), want: "NotApplicable: is of no service of a cloud"},
		"settings of a cluster on Arc": {give: used("clusterconfig.azure.com/v1beta1"), want: "NotApplicable: is of no service of a cloud"},
		"no cloud at all":              {give: used("k8s.keycloak.org/v2alpha1"), want: "NotApplicable: is of no service of a cloud"},
		"nothing that could be read":   {give: &unstructured.Unstructured{}, want: "NotApplicable: is of no service of a cloud"},
		"of Google": {
			give: used("storage.cnrm.cloud.google.com/v1beta1"),
			want: `Unknown: apiVersion is of "storage" of Google Cloud, and the operator has no list with a date of what its provider's agreement covers (live)`,
		},
		"of Google by Crossplane": {
			give: used("storage.gcp.upbound.io/v1beta2"),
			want: `Unknown: apiVersion is of "storage" of Google Cloud, and the operator has no list with a date of what its provider's agreement covers (live)`,
		},
		"of Google by Crossplane, namespaced, and stated to be covered": {
			give: used("storage.gcp.m.upbound.io/v1beta1"), services: covers(hipaav1.CloudService{Cloud: hipaav1.CloudGoogle, Service: "storage"}),
			want: `Pass: apiVersion is of "storage" of Google Cloud, which is stated until 2027-07-01 to be covered by the agreement [Attested]`,
		},
		"of Azure": {
			give: used("keyvault.azure.com/v1api20230701"),
			want: `Unknown: apiVersion is of "keyvault" of Azure, and the operator has no list with a date of what its provider's agreement covers (live)`,
		},
		"of Azure by Crossplane": {
			give: used("cosmosdb.azure.upbound.io/v1beta2"),
			want: `Unknown: apiVersion is of "cosmosdb" of Azure, and the operator has no list with a date of what its provider's agreement covers (live)`,
		},
		"of Azure by Crossplane, namespaced, and stated to be covered": {
			give: used("cosmosdb.azure.m.upbound.io/v1beta1"), services: covers(hipaav1.CloudService{Cloud: hipaav1.CloudAzure, Service: "cosmosdb"}),
			want: `Pass: apiVersion is of "cosmosdb" of Azure, which is stated until 2027-07-01 to be covered by the agreement [Attested]`,
		},
		"stated to be covered": {
			give: used("apprunner.aws.upbound.io/v1beta1"), services: covers(aws("apprunner")),
			want: `Pass: apiVersion is of AWS App Runner ("apprunner"), which is stated until 2027-07-01 to be covered by the agreement [Attested]`,
		},
		"another stated to be covered": {
			give: used("apprunner.aws.upbound.io/v1beta1"), services: covers(aws("lightsail")),
			want: `apiVersion is of AWS App Runner ("apprunner"), which is not on ` + onTheList,
		},
		"one of Azure stated to be covered": {
			give: used("storage.azure.com/v1api20230101"), services: covers(hipaav1.CloudService{Cloud: hipaav1.CloudAzure, Service: "storage"}),
			want: `Pass: apiVersion is of "storage" of Azure, which is stated until 2027-07-01 to be covered by the agreement [Attested]`,
		},
		"the same name of another cloud": {
			give: used("storage.azure.com/v1api20230101"), services: covers(hipaav1.CloudService{Cloud: hipaav1.CloudGoogle, Service: "storage"}),
			want: `Unknown: apiVersion is of "storage" of Azure, and the operator has no list with a date of what its provider's agreement covers (live)`,
		},
		"on the list and withheld": {
			give: used("s3.services.k8s.aws/v1alpha1"), services: withholds(aws("s3")), want: `apiVersion is of Amazon S3 ("s3"), which the profile withholds from PHI`,
		},
		"covered and withheld": {
			give:     used("s3.services.k8s.aws/v1alpha1"),
			services: control.CloudServiceParameters{Covered: covers(aws("s3")).Covered, Withheld: withholds(aws("s3")).Withheld},
			want:     `apiVersion is of Amazon S3 ("s3"), which the profile withholds from PHI`,
		},
		"a list that is too old": {
			give: used("s3.services.k8s.aws/v1alpha1"), now: longAfter,
			want: `Unknown: apiVersion is of Amazon S3 ("s3"), and AWS's list of HIPAA eligible services that has it is of 2026-05-22: older than the profile allows (live)`,
		},
		"never on a list that is too old": {
			give: used("lightsail.services.k8s.aws/v1alpha1"), now: longAfter,
			want: `Unknown: apiVersion is of Amazon Lightsail ("lightsail"), which is not on ` + onTheList + ", and that is older than the profile allows",
		},
		"an old list that somebody compared": {
			give: used("s3.services.k8s.aws/v1alpha1"), now: longAfter, services: compared,
			want: `Pass: apiVersion is of Amazon S3 ("s3"), which is on AWS's list of HIPAA eligible services of 2027-06-01 [Attested]`,
		},
		"not on an old list that somebody compared": {
			give: used("lightsail.services.k8s.aws/v1alpha1"), now: longAfter, services: compared,
			want: `apiVersion is of Amazon Lightsail ("lightsail"), which is not on AWS's list of HIPAA eligible services of 2027-06-01 [Attested]`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.now.IsZero() {
				tc.now = day
			}
			s := control.Subject{Profile: &control.Profile{CloudServices: tc.services}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}, Now: tc.now}
			s = s.Of(tc.give)
			if diff := cmp.Diff([]string{tc.want}, sentences([]control.Finding{usesService(&s)})); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// A list that ends brings another verdict without anything else changing.
func TestWhatTheListShowsEndsWithIt(t *testing.T) {
	s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}, Now: date(2026, time.November, 23)}
	want := date(2027, time.May, 22)
	for _, version := range []string{"s3.services.k8s.aws/v1alpha1", "lightsail.services.k8s.aws/v1alpha1", "iam.services.k8s.aws/v1alpha1"} {
		s = s.Of(used(version))
		if got := usesService(&s).Until; !got.Equal(want) {
			t.Errorf("%s: until %s, want %s", version, got, want)
		}
	}
}

func TestWhatTheListTakesOutIsToldByFields(t *testing.T) {
	crossplane := func(field, value string) map[string]any {
		return map[string]any{"forProvider": map[string]any{"region": "us-east-1", field: value}}
	}
	const engine = "is no engine for which " + onTheList + " has Amazon RDS"
	const simple = "is Simple AD, which " + onTheList + " takes out of Directory Service"
	covers := map[hipaav1.CloudService]hipaav1.Statement{aws("rds"): {Expires: metav1.NewTime(date(2027, time.July, 1))}}
	for name, tc := range map[string]struct {
		version, kind string
		spec          map[string]any
		covered       map[hipaav1.CloudService]hipaav1.Statement
		want          string
	}{
		"PostgreSQL":                    {version: "rds.services.k8s.aws/v1alpha1", kind: "DBInstance", spec: rdsOf("postgres"), want: "Pass: apiVersion is of Amazon RDS"},
		"Aurora":                        {version: "rds.aws.upbound.io/v1beta2", kind: "Cluster", spec: crossplane("engine", "aurora-mysql"), want: "Pass: apiVersion is of Amazon RDS"},
		"an edition of SQL Server":      {version: "rds.aws.m.upbound.io/v1beta1", kind: "Instance", spec: crossplane("engine", "sqlserver-ee"), want: "Pass: apiVersion is of Amazon RDS"},
		"Oracle on a host of one's own": {version: "rds.services.k8s.aws/v1alpha1", kind: "DBInstance", spec: rdsOf("custom-oracle-ee"), want: "Pass: apiVersion is of Amazon RDS"},
		"an engine of none":             {version: "rds.services.k8s.aws/v1alpha1", kind: "DBInstance", spec: rdsOf("cassandra"), want: "spec.engine " + engine},
		"one of none of the first provider": {
			version: "database.aws.crossplane.io/v1beta1", kind: "RDSInstance", spec: crossplane("engine", "cassandra"), want: "spec.forProvider.engine " + engine,
		},
		"one of none that is stated to be covered": {
			version: "rds.services.k8s.aws/v1alpha1", kind: "DBInstance", spec: rdsOf("cassandra"), covered: covers, want: "Pass: apiVersion is of Amazon RDS",
		},
		"a restored one": {
			version: "rds.aws.upbound.io/v1beta3", kind: "Instance", spec: crossplane("snapshotIdentifier", "records"),
			want: "Unknown: spec.forProvider.engine is not set: a database that is restored has the engine of its snapshot",
		},
		"a group of parameters": {version: "rds.services.k8s.aws/v1alpha1", kind: "DBParameterGroup", spec: map[string]any{"family": "postgres17"}, want: "Pass: apiVersion is of Amazon RDS"},
		"Microsoft's directory": {version: "ds.aws.upbound.io/v1beta2", kind: "Directory", spec: crossplane("type", "MicrosoftAD"), want: "Pass: apiVersion is of AWS Directory Service"},
		"Simple AD":             {version: "ds.aws.upbound.io/v1beta2", kind: "Directory", spec: crossplane("type", "SimpleAD"), want: "spec.forProvider.type " + simple},
		"a directory of no type, which is Simple AD": {
			version: "ds.aws.m.upbound.io/v1beta1", kind: "Directory", spec: crossplane("name", "corp.example.org"), want: "spec.forProvider.type " + simple,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{
				Profile: &control.Profile{CloudServices: control.CloudServiceParameters{Covered: tc.covered}}, Namespace: phitest.Namespace("ehr").Obj(),
				World: &control.World{}, Now: date(2026, time.November, 23),
			}
			s = s.Of(cloudResource(tc.version, tc.kind, tc.spec))
			if got := sentences([]control.Finding{usesService(&s)})[0]; !strings.HasPrefix(got, tc.want) {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// An update from one to the other is a new fault, and is refused as one.
func TestTwoEnginesThatTheListTakesOutAreTwoFaults(t *testing.T) {
	s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}, Now: date(2026, time.November, 23)}
	keys := map[string]bool{}
	for _, engine := range []string{"cassandra", "ingres", "ingres"} {
		s = s.Of(cloudResource("rds.services.k8s.aws/v1alpha1", "DBInstance", rdsOf(engine)))
		keys[usesService(&s).Key] = true
	}
	if len(keys) != 2 || keys[""] {
		t.Errorf("two engines have the keys %v", keys)
	}
}

func TestWhatIsServedAndNotReadIsUnknown(t *testing.T) {
	served := func(group string, read bool) control.ServedType {
		return control.ServedType{ResourceType: control.ResourceType{Group: group, Version: "v1beta1", Kind: "Thing", Resource: "things"}, Read: read}
	}
	const nothing = "Unknown: no resource of the namespace tells which services of a cloud it uses, and the infrastructure may be managed outside this cluster (live)"
	unread := func(what string) string {
		return "Unknown: the cluster serves " + what + ", which the operator does not read: whether the namespace has any is not known (live)"
	}
	directory := served("ds.aws.upbound.io", false)
	directory.Kind, directory.Resource = "Directory", "directories"
	readDirectory := directory
	readDirectory.Read = true
	database := served("database.aws.crossplane.io", false)
	database.Kind, database.Resource = "RDSInstance", "rdsinstances"
	bucket, elsewhere := used("s3.services.k8s.aws/v1alpha1"), used("s3.services.k8s.aws/v1alpha1")
	elsewhere.SetNamespace("lab")
	for name, tc := range map[string]struct {
		resources []*unstructured.Unstructured
		served    []control.ServedType
		withheld  map[hipaav1.CloudService]bool
		covered   map[hipaav1.CloudService]hipaav1.Statement
		want      []string
	}{
		"nothing":                            {want: []string{nothing}},
		"resources of another namespace":     {resources: []*unstructured.Unstructured{elsewhere}, want: []string{nothing}},
		"resources of no cloud":              {resources: []*unstructured.Unstructured{used("example.org/v1")}, want: []string{nothing}},
		"a resource, which is judged itself": {resources: []*unstructured.Unstructured{bucket}},
		"types of listed services":           {resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{served("sfn.services.k8s.aws", false)}},
		"types that are read":                {resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{served("apprunner.aws.upbound.io", true)}},
		"a type that is not":                 {resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{served("novelty.services.k8s.aws", false)}, want: []string{unread("things.novelty.services.k8s.aws")}},
		"types of clouds without a list": {
			resources: []*unstructured.Unstructured{bucket},
			served:    []control.ServedType{served("redis.cnrm.cloud.google.com", false), served("web.azure.com", false)},
			want:      []string{unread("things.redis.cnrm.cloud.google.com (+1 more)")},
		},
		"a type that only its fields could clear": {
			resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{database, directory},
			want: []string{unread("rdsinstances.database.aws.crossplane.io (+1 more)")},
		},
		"one whose fields are read":   {resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{readDirectory}},
		"another of the same service": {resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{served("ds.aws.upbound.io", false)}},
		"one that is stated to be covered": {
			resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{directory}, covered: map[hipaav1.CloudService]hipaav1.Statement{aws("ds"): {}},
		},
		"a type of a listed service that is withheld": {
			resources: []*unstructured.Unstructured{bucket}, served: []control.ServedType{served("sfn.services.k8s.aws", false)},
			withheld: map[hipaav1.CloudService]bool{aws("sfn"): true}, want: []string{unread("things.sfn.services.k8s.aws")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Subject{
				Profile: &control.Profile{CloudServices: control.CloudServiceParameters{Withheld: tc.withheld, Covered: tc.covered}}, Namespace: phitest.Namespace("ehr").Obj(),
				World: &control.World{Resources: tc.resources, Served: tc.served}, Now: date(2026, time.November, 23),
			}
			if diff := cmp.Diff(tc.want, sentences(usesServices(&s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

// One that serves no namespace in particular is no evidence for any, and can fail all.
func TestAResourceOfNobodyProvesNothing(t *testing.T) {
	s := control.Subject{Profile: &control.Profile{}, Namespace: phitest.Namespace("ehr").Obj(), World: &control.World{}, Now: date(2026, time.November, 23)}
	for version, want := range map[string]string{
		"s3.aws.upbound.io/v1beta1":        "NotApplicable: serves no namespace in particular",
		"apprunner.aws.upbound.io/v1beta1": `apiVersion is of AWS App Runner ("apprunner"), which is not on ` + onTheList,
	} {
		r := used(version)
		r.SetNamespace("")
		r.SetLabels(map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue})
		s = s.Of(r)
		if diff := cmp.Diff([]string{want}, sentences([]control.Finding{usesService(&s)})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", version, diff)
		}
	}
}

// The manager may read what may fail and nothing more, so that a list that moves on takes
// its rights along.
func TestOnlyServicesThatMayFailAreRead(t *testing.T) {
	for _, f := range cloudFamilies() {
		if (cloudOf[f.Suffix] == hipaav1.CloudAWS) != (len(f.Read) > 0) {
			t.Errorf("%s reads %d services", f.Suffix, len(f.Read))
		}
		for _, service := range f.Read {
			if is := awsServices[service].is; is == eligible || is == tool {
				t.Errorf("%s reads %s, which passes", f.Suffix, service)
			}
		}
	}
}
