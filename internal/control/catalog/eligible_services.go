package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var (
	ackInstances  = control.ResourceType{Group: "rds.services.k8s.aws", Version: "v1alpha1", Kind: "DBInstance", Resource: "dbinstances"}
	ackClusters   = control.ResourceType{Group: "rds.services.k8s.aws", Version: "v1alpha1", Kind: "DBCluster", Resource: "dbclusters"}
	rdsInstances  = control.ResourceType{Group: "rds.aws.upbound.io", Version: "v1beta3", Kind: "Instance", Resource: "instances"}
	rdsClusters   = control.ResourceType{Group: "rds.aws.upbound.io", Version: "v1beta2", Kind: "Cluster", Resource: "clusters"}
	rdsMembers    = control.ResourceType{Group: "rds.aws.upbound.io", Version: "v1beta1", Kind: "ClusterInstance", Resource: "clusterinstances"}
	rdsInstancesM = control.ResourceType{Group: "rds.aws.m.upbound.io", Version: "v1beta1", Kind: "Instance", Resource: "instances"}
	rdsClustersM  = control.ResourceType{Group: "rds.aws.m.upbound.io", Version: "v1beta1", Kind: "Cluster", Resource: "clusters"}
	rdsMembersM   = control.ResourceType{Group: "rds.aws.m.upbound.io", Version: "v1beta1", Kind: "ClusterInstance", Resource: "clusterinstances"}
	directories   = control.ResourceType{Group: "ds.aws.upbound.io", Version: "v1beta2", Kind: "Directory", Resource: "directories"}
	directoriesM  = control.ResourceType{Group: "ds.aws.m.upbound.io", Version: "v1beta1", Kind: "Directory", Resource: "directories"}
)

var _ = add(control.Control{
	ID:       "eligible-services",
	Title:    "Keep PHI in services that the agreement with their provider covers",
	Cites:    []hipaa.Citation{hipaa.BusinessAssociateContract},
	Severity: control.High,
	Since:    1,
	Why: "A provider's business associate agreement covers the services that the provider lists, and no others. PHI in another one is with somebody " +
		"who has promised nothing, however well it is encrypted there.",
	Remedy: "use a service that is on the list, or state under cloudServices.covered of the profile that your agreement covers this one",
	Decides: "The API group of a resource, whatever its type: a group tells the service. Of AWS the operator has the list of HIPAA eligible services of " +
		dated(awsListed) + ", and of tools that keep no PHI, such as IAM and Budgets. What is on it passes, what is not fails and is refused. Where the list " +
		"does not say whether something is part of a listed service, such as EC2 Image Builder, the verdict is Unknown. The list takes engines of " +
		"Amazon RDS other than SQL Server, MySQL, Oracle, PostgreSQL, Db2 and MariaDB out, and Simple AD of Directory Service: these are told by the " +
		"resource's own fields. What it takes out that no field shows is for you to see to: edge locations of CloudFront embedded elsewhere, public and " +
		"vendor workforces, Studio Lab and Ground Truth Plus of SageMaker AI and Augmented AI, voice messages and WhatsApp of Pinpoint, Managed " +
		"Services' operations on demand, deletion of earlier versions in WorkDocs. Once the list is older than the profile allows all is Unknown, and " +
		"what is not on it is still refused, until the operator is updated or somebody states to have compared the list with AWS's page. Of Google " +
		"Cloud and Azure the operator has no list with a date: Unknown, live, until the profile states what is covered. Live the operator reads, of " +
		"resources that no other control judges, those of services that may fail; where the cluster serves a type of another service that is not " +
		"on the list, or one that only its fields could clear and that is not read, the verdict is Unknown. No resource of a cloud in the namespace is Unknown: it may be managed outside this cluster.",
	Parameters: []control.Parameter{{
		Path: "cloudServices.covered", Basis: control.BasisRegulation,
		Meaning: "Services of which a person states, until a day, that your agreement covers them. The rule asks for satisfactory assurances of whoever " +
			"keeps PHI for you; the verdict is Attested.",
	}, {
		Path: "cloudServices.withheld", Basis: control.BasisProfile,
		Meaning: "Services that must not hold PHI although they are on the list.",
	}, {
		Path: "cloudServices.listCompared", Basis: control.BasisProfile,
		Meaning: "A person's statement that the operator's list was AWS's on a day. From then on it is as old as that, and the verdict is Attested.",
	}, {
		Path: "platform.tableMaxAgeDays", Basis: control.BasisProfile,
		Meaning: "How old the list may be for it to show anything, in days; 365 where no profile says it.",
	}},
	Example: `apiVersion: sfn.services.k8s.aws/v1alpha1
kind: StateMachine
metadata: {name: claims, namespace: ehr}
spec:
  name: claims
  roleARN: arn:aws:iam::111122223333:role/claims
  definition: '{"StartAt": "Done", "States": {"Done": {"Type": "Succeed"}}}'
`,
	Resources: []control.ResourceType{
		ackInstances, ackClusters, rdsInstances, rdsClusters, rdsMembers, rdsInstancesM, rdsClustersM, rdsMembersM, directories, directoriesM,
	},
	Families:  cloudServiceFamilies,
	Judges:    control.Resources | control.Workloads,
	NeedsLive: control.Infrastructure,
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Resources:
			return []control.Finding{usesService(&s)}
		case control.Workloads:
			return usesServices(&s)
		default:
			return nil
		}
	},
	Satisfy: func(s *control.Subject) {
		declareResource(s, cloudResource("sqs.services.k8s.aws/v1alpha1", "Queue", map[string]any{"queueName": "admissions", "kmsMasterKeyID": "alias/phi"}))
		coverOtherClouds(s)
	},
	Breaks: control.Breaks{
		"a service that is not on the list":         breaksResource(appRunner()),
		"a service that the list does not know":     breaksResource(cloudResource("newcomer.services.k8s.aws/v1alpha1", "Gadget", map[string]any{"size": "large"})),
		"a database engine that the list takes out": breaksResource(cloudResource("rds.services.k8s.aws/v1alpha1", "DBInstance", rdsOf("cassandra"))),
		"a Simple AD":                             breaksResource(directoryOf("SimpleAD")),
		"a service of a cloud without a list":     uncoveredBucket(),
		"a type of a service that nobody reads":   servesUnread(),
		"no resource of a cloud that can be seen": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) { s.World.Resources = nil }},
	},
})

// cloudServiceFamilies are the API groups that this control is about.
var cloudServiceFamilies = cloudFamilies()

// cloudServiceOf is the service whose resources an API group holds.
func cloudServiceOf(group string) (service hipaav1.CloudService, is bool) {
	family := control.FamilyOf(cloudServiceFamilies, group)
	if family == nil {
		return service, false
	}
	service.Cloud = cloudOf[family.Suffix]
	service.Service, is = family.Member(group)
	return service, is
}

// usesService judges a resource by its service, and by what of the service the list takes
// out. One that serves no namespace in particular is no evidence for any.
func usesService(s *control.Subject) control.Finding {
	service, is := cloudServiceOf(s.Resource.GroupVersionKind().Group)
	if !is {
		return control.NotApplicable("is of no service of a cloud")
	}
	f := mayHoldPHI(s, service)
	if _, covered := s.Profile.CloudServices.Covered[service]; f.Verdict == hipaav1.VerdictPass && !covered {
		f = withoutExcluded(s, service, f)
	}
	if f.Verdict == hipaav1.VerdictPass && control.NamespaceOf(s.Resource) == "" {
		return control.NotApplicable("serves no namespace in particular")
	}
	return f
}

// usesServices says what is not known where resources do not tell it.
func usesServices(s *control.Subject) []control.Finding {
	if unread := servedUnread(s); len(unread) > 0 {
		return []control.Finding{control.Undecided("", "the cluster serves %s%s, which the operator does not read: whether the namespace has any is not known",
			unread[0], andOthers(len(unread)-1)).
			But("remove the CRDs that nobody needs, or state under cloudServices.covered of the profile that your agreement covers the services").OnlyLive()}
	}
	for _, r := range s.World.Resources {
		if _, is := cloudServiceOf(r.GroupVersionKind().Group); is && control.NamespaceOf(r) == s.Namespace.Name {
			return nil
		}
	}
	return []control.Finding{control.Undecided("", "no resource of the namespace tells which services of a cloud it uses, and the infrastructure may be managed outside this cluster").
		But("declare it with AWS Controllers for Kubernetes, Crossplane, Config Connector or Azure Service Operator; or show by other means which services hold PHI").
		OnlyLive()}
}

// servedUnread names the types that the cluster serves, whose objects nobody reads and
// whose services do not pass, or pass by fields of such objects alone. A provider may
// bring hundreds of types of few groups.
func servedUnread(s *control.Subject) []string {
	var unread []string
	passes := map[string]bool{}
	for i := range s.World.Served {
		t := &s.World.Served[i]
		if t.Read {
			continue
		}
		service, is := cloudServiceOf(t.Group)
		pass, known := passes[t.Group]
		if !known {
			pass = !is || mayHoldPHI(s, service).Verdict == hipaav1.VerdictPass
			passes[t.Group] = pass
		}
		if !pass || goesByFields(s, service, t.Kind) {
			unread = append(unread, t.CRD())
		}
	}
	return unread
}

// goesByFields reports whether it takes the fields of a resource to judge it.
func goesByFields(s *control.Subject, service hipaav1.CloudService, kind string) bool {
	_, covered := s.Profile.CloudServices.Covered[service]
	return service.Cloud == hipaav1.CloudAWS && !covered && slices.Contains(decidedByFields[service.Service], kind)
}

// mayHoldPHI judges a service.
func mayHoldPHI(s *control.Subject, service hipaav1.CloudService) control.Finding {
	const at = "apiVersion"
	if s.Profile.CloudServices.Withheld[service] {
		return control.Failed(at, "is of %s, which the profile withholds from PHI", serviceName(service)).But("use another service")
	}
	if stated, is := s.Profile.CloudServices.Covered[service]; is {
		return control.Met(at, "is of %s, which is stated until %s to be covered by the agreement", serviceName(service), dated(stated.Expires.Time)).
			Known(hipaav1.EvidenceAttested)
	}
	if service.Cloud != hipaav1.CloudAWS {
		return control.Undecided(at, "is of %s, and the operator has no list with a date of what its provider's agreement covers", serviceName(service)).
			But("compare it with the provider's page and state under cloudServices.covered of the profile that your agreement covers it").OnlyLive()
	}
	return onList(s, service, at)
}

// onList judges a service of AWS by the list. While the list is too old it shows nothing
// any more; what it never had stays out.
func onList(s *control.Subject, service hipaav1.CloudService, at string) control.Finding {
	list := eligibleListOf(s)
	const renew = "update the operator, or compare the list with AWS's page and state that under cloudServices.listCompared of the profile"
	name, tooOld := serviceName(service), !s.Now.Before(list.ends)
	switch is := awsServices[service.Service].is; {
	case is == unclear:
		return control.Undecided(at, "is of %s, of which AWS's list of HIPAA eligible services of %s does not say whether it is part of one", name, list.day).
			But("state under cloudServices.covered of the profile that your agreement covers it, or use another service").OnlyLive()
	case is == unlisted && tooOld:
		return control.Undecided(at, "is of %s, which is not on AWS's list of HIPAA eligible services of %s, and that is older than the profile allows", name, list.day).
			But("use another service, or state under cloudServices.covered of the profile that your agreement covers it")
	case is == unlisted:
		return list.says(control.Failed(at, "is of %s, which is not on AWS's list of HIPAA eligible services of %s", name, list.day))
	case tooOld:
		return control.Undecided(at, "is of %s, and AWS's list of HIPAA eligible services that has it is of %s: older than the profile allows", name, list.day).
			But(renew).OnlyLive()
	case is == tool:
		return list.says(control.Met(at, "is of %s, which keeps no PHI", name))
	default:
		return list.says(control.Met(at, "is of %s, which is on AWS's list of HIPAA eligible services of %s", name, list.day))
	}
}

// eligibleList is AWS's list as of the instant of the question.
type eligibleList struct {
	day  string
	ends time.Time
	// class is Attested where a person has compared the list.
	class hipaav1.EvidenceClass
}

func eligibleListOf(s *control.Subject) eligibleList {
	asOf, class := awsListed, hipaav1.EvidenceClass("")
	if compared := s.Profile.CloudServices.ListCompared; compared != nil && compared.ComparedOn.After(asOf) {
		asOf, class = compared.ComparedOn.Time, hipaav1.EvidenceAttested
	}
	return eligibleList{day: dated(asOf), ends: asOf.Add(s.Profile.Platform.OldestTable()), class: class}
}

func (l eligibleList) says(f control.Finding) control.Finding { return f.Known(l.class).EndsAt(l.ends) }

// withoutExcluded is a finding about an eligible service, unless the resource's own fields
// show what the list takes out of it.
func withoutExcluded(s *control.Subject, service hipaav1.CloudService, f control.Finding) control.Finding {
	list := eligibleListOf(s)
	switch service.Service {
	case "rds", "database":
		path, engine := declaredField(s.Resource, "engine")
		switch {
		case engine == "" && slices.Contains(decidedByFields[service.Service], s.Resource.GetKind()):
			return control.Undecided(path, "is not set: a database that is restored has the engine of its snapshot").But("name the engine").OnlyLive()
		case engine != "" && !slices.ContainsFunc(rdsEngines, func(listed string) bool { return strings.HasPrefix(strings.TrimPrefix(engine, "custom-"), listed) }):
			return list.says(control.Failed(path, "is no engine for which AWS's list of HIPAA eligible services of %s has Amazon RDS", list.day)).
				But("use SQL Server, MySQL, Oracle, PostgreSQL, Db2 or MariaDB").As(engine)
		}
	case "ds":
		path, kind := declaredField(s.Resource, "type")
		if s.Resource.GetKind() == "Directory" && (kind == "" || kind == "SimpleAD") {
			return list.says(control.Failed(path, "is Simple AD, which AWS's list of HIPAA eligible services of %s takes out of Directory Service", list.day)).
				But("set MicrosoftAD or ADConnector")
		}
	}
	return f
}

// declaredField is a field of what is declared, where ACK or Crossplane have it.
func declaredField(r *unstructured.Unstructured, field string) (path, value string) {
	if _, crossplane, _ := unstructured.NestedFieldNoCopy(r.Object, "spec", "forProvider"); crossplane {
		value, _, _ = unstructured.NestedString(r.Object, "spec", "forProvider", field) // what is no text is no name
		return "spec.forProvider." + field, value
	}
	value, _, _ = unstructured.NestedString(r.Object, "spec", field)
	return "spec." + field, value
}

// serviceName is a service as people and as API groups call it.
func serviceName(service hipaav1.CloudService) string {
	switch name := awsServices[service.Service].name; {
	case service.Cloud == hipaav1.CloudGoogle:
		return fmt.Sprintf("%q of Google Cloud", service.Service)
	case service.Cloud == hipaav1.CloudAzure:
		return fmt.Sprintf("%q of Azure", service.Service)
	case name == "":
		return fmt.Sprintf("%q of AWS", service.Service)
	default:
		return fmt.Sprintf("%s (%q)", name, service.Service)
	}
}

// dated is a day as people write it.
func dated(at time.Time) string { return at.UTC().Format(time.DateOnly) }
