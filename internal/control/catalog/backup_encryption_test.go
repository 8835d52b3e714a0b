package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

func TestDatabasesAreBackedUpUnderAKey(t *testing.T) {
	const (
		store    = "spec.configuration"
		inClear  = ".data asks for no encryption"
		noKey    = ".data names no key of your own, and the profile asks for one"
		argument = "--sse-kms-key-id"
	)
	without := func(r *unstructured.Unstructured, path ...string) *unstructured.Unstructured {
		unstructured.RemoveNestedField(r.Object, path...)
		return r
	}
	wal := objectStoreWith("aws:kms", argument+"=alias/ehr")
	if err := unstructured.SetNestedField(wal.Object, "AES256", "spec", "configuration", "wal", "encryption"); err != nil {
		t.Fatal(err)
	}
	const exempt = "NotApplicable: names no object store itself: a plugin's is judged by itself, and snapshots are encrypted as their volumes are"
	for name, tc := range map[string]struct {
		give *unstructured.Unstructured
		keys hipaav1.KeyHolder
		want string
	}{
		"under a key":                          {give: objectStoreWith("aws:kms", argument+"=alias/ehr"), want: "Pass: " + store + " is encrypted for data and WAL"},
		"under a key, in two arguments":        {give: objectStoreWith("aws:kms", "--jobs", "2", argument, "alias/ehr"), want: "Pass: " + store + " is encrypted for data and WAL"},
		"under no key":                         {give: objectStoreWith("aws:kms"), want: store + noKey},
		"with the argument and nothing behind": {give: objectStoreWith("aws:kms", argument), want: store + noKey},
		"under AWS's key":                      {give: objectStoreWith("aws:kms", argument, "alias/aws/s3"), want: store + noKey},
		"with a key that AES256 does not take": {give: objectStoreWith("AES256", argument, "alias/ehr"), want: store + noKey},
		"where the provider's key will do":     {give: objectStoreWith("AES256"), keys: hipaav1.KeyHolderProvider, want: "Pass: " + store + " is encrypted for data and WAL"},
		"in the clear, whatever will do":       {give: objectStoreWith(""), keys: hipaav1.KeyHolderProvider, want: store + inClear},
		"with WAL under none":                  {give: wal, want: store + ".wal names no key of your own, and the profile asks for one"},
		"with WAL in the clear":                {give: without(objectStoreWith("aws:kms", argument, "alias/ehr"), "spec", "configuration", "wal"), want: store + ".wal asks for no encryption"},
		"in a store that is not S3":            {give: without(objectStoreWith("aws:kms", argument, "alias/ehr"), "spec", "configuration", "s3Credentials"), want: "Unknown: " + store + " is not in S3, and no field names the key (live)"},
		"a cluster by its own store":           {give: clusterWith(""), want: "spec.backup.barmanObjectStore" + inClear},
		"a cluster that names no store":        {give: without(clusterWith(""), "spec", "backup"), want: exempt},
		"a location of Velero":                 {give: veleroLocation("offsite", "aws", nil, true), want: "NotApplicable: is not of a type that this control judges"},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Profile.Storage.CloudKeys = tc.keys
			if diff := cmp.Diff([]string{tc.want}, sentences(controlOf("backup-encryption").Check(s.Of(tc.give)))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVeleroBringsBackupsToPlacesWithAKey(t *testing.T) {
	offsite := func(provider string, config map[string]any) *unstructured.Unstructured {
		return veleroLocation("offsite", provider, config, false)
	}
	into := func(place string) *unstructured.Unstructured {
		return veleroSchedule(map[string]any{"includedNamespaces": []any{"ehr"}, "storageLocation": place})
	}
	of := func(included, excluded []any) *unstructured.Unstructured {
		return veleroSchedule(map[string]any{"includedNamespaces": included, "excludedNamespaces": excluded, "storageLocation": "offsite"})
	}
	kms := map[string]any{"kmsKeyId": "alias/velero"}
	others := offsite("aws", kms)
	others.SetNamespace("other-velero")
	const (
		met     = "Pass: BackupStorageLocation/offsite spec.config names a key of your own"
		keyless = "BackupStorageLocation/offsite spec.config names no key of your own, and the profile asks for one (live)"
		nothing = "Unknown: no backup of the namespace is declared that says where it goes, and it may be made outside this cluster (live)"
	)
	unbacked := clusterWith("")
	unstructured.RemoveNestedField(unbacked.Object, "spec", "backup")
	list := func(r ...*unstructured.Unstructured) []*unstructured.Unstructured { return r }
	for name, tc := range map[string]struct {
		reports, resources []*unstructured.Unstructured
		keys               hipaav1.KeyHolder
		want               []string
	}{
		"nothing declared":                      {want: []string{nothing}},
		"a database that is backed up":          {resources: list(clusterWith("")), want: nil},
		"a database that is not":                {resources: list(unbacked), want: []string{nothing}},
		"under a key of AWS KMS":                {reports: list(into("offsite"), offsite("aws", kms)), want: []string{met}},
		"by the plugin's full name":             {reports: list(into("offsite"), offsite("velero.io/aws", kms)), want: []string{met}},
		"under a key of Google":                 {reports: list(into("offsite"), offsite("gcp", map[string]any{"kmsKeyName": "projects/p/k"})), want: []string{met}},
		"under AWS's own key":                   {reports: list(into("offsite"), offsite("aws", map[string]any{"kmsKeyId": "alias/aws/s3"})), want: []string{keyless}},
		"under no key":                          {reports: list(into("offsite"), offsite("aws", nil)), want: []string{keyless}},
		"under the provider's key":              {reports: list(into("offsite"), offsite("aws", map[string]any{"serverSideEncryption": "AES256"})), keys: hipaav1.KeyHolderProvider, want: []string{"Pass: BackupStorageLocation/offsite spec.config is encrypted under the provider's key"}},
		"at a provider that shows no key":       {reports: list(into("offsite"), offsite("azure", nil)), want: []string{`Unknown: BackupStorageLocation/offsite spec.config is of provider "azure", which shows no key (live)`}},
		"into a place that is not there":        {reports: list(into("offsite"), others), want: []string{"Unknown: BackupStorageLocation/offsite is not there, and a Schedule or Backup of Velero names it (live)"}},
		"into the default":                      {reports: list(into(""), veleroLocation("main", "aws", kms, true)), want: []string{"Pass: BackupStorageLocation/main spec.config names a key of your own"}},
		"into the one that is called default":   {reports: list(into(""), veleroLocation("default", "aws", kms, false)), want: []string{"Pass: BackupStorageLocation/default spec.config names a key of your own"}},
		"one place is told of once":             {reports: list(into("offsite"), into("offsite"), offsite("aws", nil)), want: []string{keyless}},
		"of every namespace":                    {reports: list(of(nil, nil), offsite("aws", nil)), want: []string{keyless}},
		"of namespaces by a pattern":            {reports: list(of([]any{"e*"}, nil), offsite("aws", nil)), want: []string{keyless}},
		"of namespaces by a broken pattern":     {reports: list(of([]any{"[e"}, nil), offsite("aws", nil)), want: []string{keyless}},
		"of another namespace":                  {reports: list(of([]any{"lab"}, nil), offsite("aws", nil)), want: []string{nothing}},
		"of every namespace, without this one":  {reports: list(of(nil, []any{"ehr"}), offsite("aws", nil)), want: []string{nothing}},
		"once, under no key":                    {reports: list(veleroBackup("ehr"), offsite("aws", nil)), want: []string{keyless}},
		"once, and by a schedule":               {reports: list(veleroBackup("e*"), into("offsite"), offsite("aws", kms)), want: []string{met}},
		"once, of another namespace":            {reports: list(veleroBackup("lab"), offsite("aws", nil)), want: []string{nothing}},
		"a schedule that holds what it may not": {reports: list(veleroSchedule(map[string]any{"includedNamespaces": "ehr", "storageLocation": int64(1)})), want: []string{"Unknown: BackupStorageLocation/ is not there, and a Schedule or Backup of Velero names it (live)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Profile.Storage.CloudKeys, s.World.Reports, s.World.Resources = tc.keys, tc.reports, tc.resources
			if diff := cmp.Diff(tc.want, sentences(controlOf("backup-encryption").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCopiesAreEncryptedAsTheirVolumesAre(t *testing.T) {
	claimOf := func(class string) *corev1.PersistentVolumeClaim {
		claim := &corev1.PersistentVolumeClaim{Spec: claimSpec(class)}
		claim.Name, claim.Labels = "data", map[string]string{"cnpg.io/cluster": "orders"}
		return claim
	}
	keyed := encryptingClass("keyed", "true")
	keyed.Parameters["kmsKeyId"] = "arn:aws:kms:us-east-1:111122223333:key/7f3"
	classes := map[string]*storagev1.StorageClass{"keyed": keyed, "plain": encryptingClass("plain", "false"), "provider": encryptingClass("provider", "true"), "efs": encryptingClass("efs", "")}
	classes["efs"].Provisioner = "efs.csi.aws.com"
	ebs := snapshotClass("ebs", "ebs.csi.aws.com", nil)
	nightly := func(spec map[string]any) *unstructured.Unstructured {
		spec["cluster"] = map[string]any{"name": "orders"}
		return cnpgSchedule(spec)
	}
	plugin := func(name string) map[string]any {
		return map[string]any{"method": "plugin", "pluginConfiguration": map[string]any{"name": name}}
	}
	orders := clusterWith("aws:kms")
	orders.SetName("orders")
	const (
		source  = "VolumeSnapshot/nightly spec.source "
		class   = "VolumeSnapshot/nightly spec.volumeSnapshotClassName names a VolumeSnapshotClass "
		method  = "ScheduledBackup/nightly spec.method of data "
		keyless = "is a copy of claim data, which is not encrypted under a key of your own (live)"
		nothing = "Unknown: no backup of the namespace is declared that says where it goes, and it may be made outside this cluster (live)"
	)
	list := func(r ...*unstructured.Unstructured) []*unstructured.Unstructured { return r }
	for name, tc := range map[string]struct {
		class              string
		keys               hipaav1.KeyHolder
		stated             bool
		reports, resources []*unstructured.Unstructured
		want               []string
	}{
		"a snapshot under a key":               {class: "keyed", reports: list(snapshotOf("data", "ebs"), ebs), want: []string{"Pass: " + source + "is encrypted as claim data is"}},
		"a snapshot under the provider's":      {class: "provider", reports: list(snapshotOf("data", "ebs"), ebs), want: []string{source + keyless}},
		"where the provider's will do":         {class: "provider", keys: hipaav1.KeyHolderProvider, reports: list(snapshotOf("data", "ebs"), ebs), want: []string{"Pass: " + source + "is encrypted as claim data is"}},
		"a snapshot in the clear":              {class: "plain", keys: hipaav1.KeyHolderProvider, reports: list(snapshotOf("data", ""), ebs), want: []string{source + keyless}},
		"a snapshot of which nothing shows":    {class: "gone", reports: list(snapshotOf("data", "ebs"), ebs), want: []string{"Unknown: " + source + "is a copy of claim data, which shows no evidence of encryption (live)"}},
		"a snapshot that is stated":            {class: "efs", stated: true, reports: list(snapshotOf("data", "ebs"), ebs), want: []string{"Pass: " + source + "is encrypted as claim data is [Attested]"}},
		"two of one claim are told of once":    {class: "plain", reports: list(snapshotOf("data", "ebs"), snapshotOf("data", "ebs"), ebs), want: []string{source + keyless}},
		"a snapshot of another's claim":        {class: "plain", reports: list(snapshotOf("other", "ebs"), ebs), want: []string{nothing}},
		"a snapshot of a class that is gone":   {class: "keyed", reports: list(snapshotOf("data", "ebs")), want: []string{"Unknown: " + class + "that is not there: where the copy went cannot be told (live)"}},
		"a snapshot of Longhorn":               {class: "keyed", reports: list(snapshotOf("data", "l"), snapshotClass("l", "driver.longhorn.io", map[string]any{"type": "snap"})), want: []string{"Pass: " + source + "is encrypted as claim data is"}},
		"a backup of Longhorn":                 {class: "keyed", reports: list(snapshotOf("data", "l"), snapshotClass("l", "driver.longhorn.io", map[string]any{"type": "bak"})), want: []string{"Unknown: " + class + "of Longhorn with type bak, which takes the copy to a backup target that shows no key (live)"}},
		"a database by snapshot":               {class: "plain", reports: list(nightly(map[string]any{"method": "volumeSnapshot"})), want: []string{method + keyless}},
		"a database by snapshot, elsewhere":    {class: "plain", reports: list(cnpgSchedule(map[string]any{"method": "volumeSnapshot", "cluster": map[string]any{"name": "other"}})), want: []string{nothing}},
		"a database to a store":                {class: "keyed", reports: list(nightly(map[string]any{})), resources: list(orders), want: nil},
		"a database to no store":               {class: "keyed", reports: list(nightly(map[string]any{})), resources: list(clusterWith("")), want: []string{"Unknown: ScheduledBackup/nightly spec.cluster names a Cluster that says nothing of where its backups go (live)"}},
		"a database that is backed up no more": {class: "keyed", reports: list(nightly(map[string]any{"suspend": true})), want: []string{nothing}},
		"a database by the plugin":             {class: "keyed", reports: list(nightly(plugin(barmanPlugin))), resources: list(objectStoreWith("aws:kms")), want: nil},
		"a database by the plugin, nowhere":    {class: "keyed", reports: list(nightly(plugin(barmanPlugin))), want: []string{"Unknown: ScheduledBackup/nightly spec.pluginConfiguration names a plugin that keeps backups in an ObjectStore, and none is there (live)"}},
		"a database by another plugin":         {class: "keyed", reports: list(nightly(plugin("ours"))), resources: list(objectStoreWith("")), want: []string{"Unknown: ScheduledBackup/nightly spec.pluginConfiguration names a plugin of which nothing is known (live)"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := cabinet{}.subject()
			s.Profile.Storage.CloudKeys, s.World.Reports, s.World.Resources = tc.keys, tc.reports, tc.resources
			s.World.Claims, s.World.Classes = map[string]*corev1.PersistentVolumeClaim{"data": claimOf(tc.class)}, classes
			if tc.stated {
				s.Profile.Storage.Statements = stated("efs", hipaav1.StorageGradeCustomerKey)
			}
			if diff := cmp.Diff(tc.want, sentences(controlOf("backup-encryption").Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
