package catalog

import (
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var (
	cnpgClusters    = control.ResourceType{Group: "postgresql.cnpg.io", Version: "v1", Kind: "Cluster", Resource: "clusters"}
	objectStores    = control.ResourceType{Group: "barmancloud.cnpg.io", Version: "v1", Kind: "ObjectStore", Resource: "objectstores"}
	veleroSchedules = control.ResourceType{Group: "velero.io", Version: "v1", Kind: "Schedule", Resource: "schedules"}
	veleroBackups   = control.ResourceType{Group: "velero.io", Version: "v1", Kind: "Backup", Resource: "backups"}
	veleroLocations = control.ResourceType{Group: "velero.io", Version: "v1", Kind: "BackupStorageLocation", Resource: "backupstoragelocations"}
)

var _ = add(control.Control{
	ID:       "backup-encryption",
	Title:    "Encrypt backups under a key that is named",
	Cites:    []hipaa.Citation{hipaa.EncryptionAtRest, hipaa.DataBackupAndStorage},
	Severity: control.High,
	Since:    1,
	Why: "A backup holds all that the database holds, lies in a place that more people reach, and is kept for years. An encrypted volume does not " +
		"help a dump of it that is not.",
	Remedy: "name the key under which the backup is encrypted",
	Decides: "CloudNativePG's Clusters and the ObjectStores of its Barman Cloud plugin, by their own fields, at admission and live alike: in S3 data and " +
		"WAL both ask for encryption aws:kms and name the key by --sse-kms-key-id; where the profile's storage.cloudKeys is Provider, any encryption " +
		"will do. In other object stores no field names a key: Unknown, live. Only live: the places into which Velero's Schedules, and Backups that " +
		"nobody scheduled, bring the namespace, in whatever namespace Velero runs, by config.kmsKeyId (AWS) and config.kmsKeyName (Google); other " +
		"providers show no key. VolumeSnapshots of claims that the workload mounts, and CloudNativePG's ScheduledBackups by snapshot, are encrypted " +
		"as the volume is, whose key decides; a VolumeSnapshotClass that is not there, or of Longhorn with type bak, is Unknown. A ScheduledBackup " +
		"to an object store has to lead to one that is declared, which is judged by itself. " +
		"Where nothing is declared that says where a backup goes the verdict is Unknown: it may be made outside this cluster.",
	Parameters: []control.Parameter{{
		Path: "storage.cloudKeys", Basis: control.BasisProfile,
		Meaning: "Whose key must encrypt what is declared: Customer, also where no profile says it, is one of your own; Provider takes the provider's as " +
			"well. The rule asks for encryption, is addressable, and names no holder of the key.",
	}},
	Example: `apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: patient-db, namespace: ehr}
spec:
  instances: 3
  storage: {size: 20Gi, storageClass: hipaa-encrypted}
  backup:
    barmanObjectStore:
      destinationPath: s3://ehr-backups/patient-db
      s3Credentials: {inheritFromIAMRole: true}
      data: {encryption: "aws:kms", additionalCommandArgs: ["--sse-kms-key-id=alias/ehr-backups"]}
      wal: {encryption: "aws:kms", archiveAdditionalCommandArgs: ["--sse-kms-key-id=alias/ehr-backups"]}
`,
	Resources: []control.ResourceType{objectStores, cnpgClusters},
	Reports: []control.ReportType{
		{ResourceType: veleroLocations, Trim: dropStatus, Everywhere: true},
		{ResourceType: veleroSchedules, Trim: dropStatus, Everywhere: true},
		{ResourceType: veleroBackups, Trim: dropStatus, Everywhere: true},
		{ResourceType: snapshotClasses, Everywhere: true},
		{ResourceType: snapshots, Trim: dropStatus},
		{ResourceType: cnpgSchedules, Trim: dropStatus},
	},
	Judges:    control.Resources | control.Workloads,
	NeedsLive: control.Infrastructure | control.Reports | control.StorageChain,
	Check: func(s control.Subject) []control.Finding {
		switch s.Kind() {
		case control.Resources:
			return []control.Finding{backedUp(&s)}
		case control.Workloads:
			return taken(&s)
		default:
			return nil
		}
	},
	Satisfy: func(s *control.Subject) {
		declareResource(s, objectStoreWith("aws:kms", "--sse-kms-key-id=alias/ehr-backups"))
	},
	Breaks: control.Breaks{
		"a database that is backed up in the clear":                         breaksResource(clusterWith("")),
		"a database that is backed up without a key":                        breaksResource(clusterWith("aws:kms")),
		"a database that is backed up under AWS's key":                      breaksResource(clusterWith("aws:kms", "--sse-kms-key-id=alias/aws/s3")),
		"an object store without a key":                                     breaksResource(objectStoreWith("AES256")),
		"a Velero schedule into a place without a key":                      veleroBrings(map[string]any{"region": "us-east-1"}),
		"a Velero schedule into a place that is not there":                  veleroBrings(nil),
		"a Velero backup that nobody scheduled, into a place without a key": reportsAlso(veleroBackup("ehr"), veleroLocation("offsite", "aws", nil, false)),
		"a snapshot of a volume without a key": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
			plain := provides(s, encryptingClass("plain", "false"))
			s.World.Claims["data"].Spec.StorageClassName = &plain
			report(s, snapshotOf("data", "ebs"))
			report(s, snapshotClass("ebs", "ebs.csi.aws.com", nil))
		}},
		"a snapshot that Longhorn takes to a backup target":       reportsAlso(snapshotOf("data", "offsite"), snapshotClass("offsite", "driver.longhorn.io", map[string]any{"type": "bak"})),
		"a scheduled backup of a database that says not where to": reportsAlso(cnpgSchedule(map[string]any{"cluster": map[string]any{"name": "orders"}, "schedule": "0 0 3 * * *"})),
		"no backup that can be seen": {Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
			s.World.Resources = slices.DeleteFunc(s.World.Resources, objectStores.Is)
		}},
	},
})

func breaksResource(r *unstructured.Unstructured) control.Break {
	return control.Break{Kind: control.Resources, Apply: func(s *control.Subject) { *s = s.Of(r.DeepCopy()) }}
}

// declareResource puts a resource into the world once.
func declareResource(s *control.Subject, r *unstructured.Unstructured) {
	if !slices.ContainsFunc(s.World.Resources, func(there *unstructured.Unstructured) bool { return control.CompareResources(there, r) == 0 }) {
		s.World.Resources = append(s.World.Resources, r)
	}
}

// barman is what CloudNativePG is told of an S3 store.
func barman(encryption string, arguments ...any) map[string]any {
	part := func(list string) map[string]any {
		fields := map[string]any{list: arguments}
		if encryption != "" {
			fields["encryption"] = encryption
		}
		return fields
	}
	return map[string]any{
		"destinationPath": "s3://ehr-backups/patient-db", "s3Credentials": map[string]any{"inheritFromIAMRole": true},
		"data": part("additionalCommandArgs"), "wal": part("archiveAdditionalCommandArgs"),
	}
}

func clusterWith(encryption string, arguments ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": map[string]any{"namespace": "ehr", "name": "patient-db"},
		"spec": map[string]any{"instances": int64(3), "backup": map[string]any{"barmanObjectStore": barman(encryption, arguments...)}},
	}}
}

func objectStoreWith(encryption string, arguments ...any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "barmancloud.cnpg.io/v1", "kind": "ObjectStore", "metadata": map[string]any{"namespace": "ehr", "name": "backups"},
		"spec": map[string]any{"configuration": barman(encryption, arguments...)},
	}}
}

// veleroBrings lets Velero bring the namespace into a place of AWS; nil is none.
func veleroBrings(config map[string]any) control.Break {
	return control.Break{Kind: control.Workloads, Reported: true, Apply: func(s *control.Subject) {
		report(s, veleroSchedule(map[string]any{"includedNamespaces": []any{s.Namespace.Name}, "storageLocation": "offsite"}))
		if config != nil {
			report(s, veleroLocation("offsite", "aws", config, false))
		}
	}}
}

func veleroSchedule(template map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "velero.io/v1", "kind": "Schedule", "metadata": map[string]any{"namespace": "velero", "name": "nightly"},
		"spec": map[string]any{"schedule": "0 3 * * *", "template": template},
	}}
}

// veleroBackup is one that nobody scheduled.
func veleroBackup(namespace string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "velero.io/v1", "kind": "Backup", "metadata": map[string]any{"namespace": "velero", "name": "before-upgrade"},
		"spec": map[string]any{"includedNamespaces": []any{namespace}, "storageLocation": "offsite"},
	}}
}

func veleroLocation(name, provider string, config map[string]any, isDefault bool) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "velero.io/v1", "kind": "BackupStorageLocation", "metadata": map[string]any{"namespace": "velero", "name": name},
		"spec": map[string]any{"provider": provider, "objectStorage": map[string]any{"bucket": "backups"}, "config": config, "default": isDefault},
	}}
}

// backedUp judges a resource that tells where a database is backed up to.
func backedUp(s *control.Subject) control.Finding {
	switch {
	case objectStores.Is(s.Resource):
		return stored(s, "spec", "configuration")
	case cnpgClusters.Is(s.Resource):
		if namesStore(s.Resource) {
			return stored(s, "spec", "backup", "barmanObjectStore")
		}
		return control.NotApplicable("names no object store itself: a plugin's is judged by itself, and snapshots are encrypted as their volumes are")
	default:
		return control.NotApplicable("is not of a type that this control judges")
	}
}

// namesStore reports whether a resource tells of an object store. A cluster without one
// is no evidence that backups are encrypted, whatever else there is.
func namesStore(r *unstructured.Unstructured) bool {
	_, there, _ := unstructured.NestedMap(r.Object, "spec", "backup", "barmanObjectStore")
	return objectStores.Is(r) || cnpgClusters.Is(r) && there
}

// stored judges an object store by what Barman is told: of data and of WAL, the weaker.
func stored(s *control.Subject, where ...string) control.Finding {
	field := strings.Join(where, ".")
	if _, s3, _ := unstructured.NestedMap(s.Resource.Object, append(slices.Clone(where), "s3Credentials")...); !s3 {
		return control.Undecided(field, "is not in S3, and no field names the key").
			But("ask for an exception that says under which key the store is, or use one in S3").OnlyLive()
	}
	for _, part := range []struct{ name, arguments string }{{"data", "additionalCommandArgs"}, {"wal", "archiveAdditionalCommandArgs"}} {
		at := append(slices.Clone(where), part.name)
		encryption, _, _ := unstructured.NestedString(s.Resource.Object, append(slices.Clone(at), "encryption")...) // what is none is empty
		arguments, _, _ := unstructured.NestedStringSlice(s.Resource.Object, append(slices.Clone(at), part.arguments)...)
		if f, fails := unencrypted(s, field+"."+part.name, encryption, keyOf(arguments)); fails {
			return f.But("set encryption: aws:kms and %s with --sse-kms-key-id=... for data and wal", part.arguments)
		}
	}
	return control.Met(field, "is encrypted for data and WAL")
}

// unencrypted reports whether encryption and a key fall short of what the profile asks.
func unencrypted(s *control.Subject, path, encryption, key string) (control.Finding, bool) {
	own := encryption == "aws:kms" && isOwnKey(key)
	switch {
	case encryption == "":
		return control.Failed(path, "asks for no encryption"), true
	case !own && s.Profile.Storage.KeysInCloud() == hipaav1.KeyHolderCustomer:
		return control.Failed(path, "names no key of your own, and the profile asks for one"), true
	default:
		return control.Finding{}, false
	}
}

// isOwnKey reports whether a key of KMS is named that is not the provider's.
func isOwnKey(key string) bool { return key != "" && !strings.Contains(key, "alias/aws/") }

// keyOf finds the key among the arguments of barman-cloud-backup.
func keyOf(arguments []string) string {
	const option = "--sse-kms-key-id"
	for i, argument := range arguments {
		if key, with := strings.CutPrefix(argument, option+"="); with {
			return key
		}
		if argument == option && i+1 < len(arguments) {
			return arguments[i+1]
		}
	}
	return ""
}

// taken judges where backups of the namespace go, the places of Velero each once. Where
// nothing tells where any backup goes that is all there is to say.
func taken(s *control.Subject) []control.Finding {
	findings := append(snapshotted(s), scheduledByCNPG(s)...)
	judged := map[veleroPlace]bool{}
	for _, r := range s.World.Reports {
		if r == nil || !veleroSchedules.Is(r) && !veleroBackups.Is(r) || !brings(r, s.Namespace.Name) {
			continue
		}
		place := placeOf(r)
		if !judged[place] {
			judged[place] = true
			findings = append(findings, place.judge(s))
		}
	}
	if len(findings) == 0 && !declaresStore(s, cnpgClusters, "") && !declaresStore(s, objectStores, "") {
		return []control.Finding{control.Undecided("", "no backup of the namespace is declared that says where it goes, and it may be made outside this cluster").
			But("declare it as Cluster of postgresql.cnpg.io or as Schedule of velero.io; or show by other means how it is encrypted").OnlyLive()}
	}
	return findings
}

// scheduled is what a Schedule says of the backups that it makes, and a Backup of itself.
func scheduled(r *unstructured.Unstructured, field string) any {
	path := []string{"spec", field}
	if veleroSchedules.Is(r) {
		path = []string{"spec", "template", field}
	}
	value, _, _ := unstructured.NestedFieldNoCopy(r.Object, path...) // what is not there is nil
	return value
}

// brings reports whether a Schedule or a Backup backs a namespace up. One that includes none by name
// holds all.
func brings(r *unstructured.Unstructured, namespace string) bool {
	included, excluded := patterns(scheduled(r, "includedNamespaces")), patterns(scheduled(r, "excludedNamespaces"))
	matches := func(pattern string) bool {
		is, err := path.Match(pattern, namespace)
		return is || err != nil // nobody knows what it means: it may be this one
	}
	return !slices.Contains(excluded, namespace) && !slices.Contains(excluded, "*") &&
		(len(included) == 0 || slices.ContainsFunc(included, matches))
}

func patterns(value any) []string {
	list, _ := value.([]any) // what is no list is empty
	var texts []string
	for _, one := range list {
		if text, is := one.(string); is {
			texts = append(texts, text)
		}
	}
	return texts
}

// veleroPlace is where a backup goes; without a name it is the default of its
// namespace.
type veleroPlace struct{ namespace, name string }

func placeOf(r *unstructured.Unstructured) veleroPlace {
	name, _ := scheduled(r, "storageLocation").(string) // what is none is empty
	return veleroPlace{r.GetNamespace(), name}
}

func (p veleroPlace) judge(s *control.Subject) control.Finding {
	location := p.find(s)
	if location == nil {
		return control.Undecided("BackupStorageLocation/"+p.name, "is not there, and a Schedule or Backup of Velero names it").As(p.namespace + "/" + p.name).OnlyLive()
	}
	at := "BackupStorageLocation/" + location.GetName() + " spec.config"
	provider, _, _ := unstructured.NestedString(location.Object, "spec", "provider")
	setting := func(name string) string {
		value, _, _ := unstructured.NestedString(location.Object, "spec", "config", name)
		return value
	}
	var key, encryption string
	switch strings.TrimPrefix(provider, "velero.io/") {
	case "aws":
		key, encryption = setting("kmsKeyId"), setting("serverSideEncryption")
	case "gcp":
		key, encryption = setting("kmsKeyName"), "of Google"
	default:
		return control.Undecided(at, "is of provider %q, which shows no key", provider).But("ask for an exception that says under which key the place is").As(at).OnlyLive()
	}
	switch {
	case isOwnKey(key):
		return control.Met(at, "names a key of your own")
	case (key != "" || encryption != "") && s.Profile.Storage.KeysInCloud() == hipaav1.KeyHolderProvider:
		return control.Met(at, "is encrypted under the provider's key")
	default:
		return control.Failed(at, "names no key of your own, and the profile asks for one").But("set kmsKeyId (AWS) or kmsKeyName (Google)").As(at).OnlyLive()
	}
}

// find reads the place; nil is none.
func (p veleroPlace) find(s *control.Subject) *unstructured.Unstructured {
	var fallback *unstructured.Unstructured
	for _, r := range s.World.Reports {
		if r == nil || !veleroLocations.Is(r) || r.GetNamespace() != p.namespace {
			continue
		}
		isDefault, _, _ := unstructured.NestedBool(r.Object, "spec", "default")
		switch {
		case p.name != "" && r.GetName() == p.name, p.name == "" && isDefault:
			return r
		case p.name == "" && r.GetName() == "default":
			fallback = r // Velero's own default where none is marked
		}
	}
	return fallback
}
