package catalog

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/storage"
)

var (
	cnpgSchedules   = control.ResourceType{Group: "postgresql.cnpg.io", Version: "v1", Kind: "ScheduledBackup", Resource: "scheduledbackups"}
	snapshots       = control.ResourceType{Group: "snapshot.storage.k8s.io", Version: "v1", Kind: "VolumeSnapshot", Resource: "volumesnapshots"}
	snapshotClasses = control.ResourceType{Group: "snapshot.storage.k8s.io", Version: "v1", Kind: "VolumeSnapshotClass", Resource: "volumesnapshotclasses"}
)

const (
	// cnpgClusterLabel is on the claims of a database of CloudNativePG.
	cnpgClusterLabel = "cnpg.io/cluster"
	// barmanPlugin is CloudNativePG's own plugin, which backs up to ObjectStores.
	barmanPlugin = "barman-cloud.cloudnative-pg.io"
)

// text reads a field of a resource; what is none is empty.
func text(r *unstructured.Unstructured, fields ...string) string {
	value, _, _ := unstructured.NestedString(r.Object, fields...)
	return value
}

// snapshotted judges the snapshots of the workload's claims, those of one claim and class
// once.
func snapshotted(s *control.Subject) []control.Finding {
	var findings []control.Finding
	judged := map[[2]string]bool{}
	for _, r := range reportsOf(s, snapshots) {
		class, claim := text(r, "spec", "volumeSnapshotClassName"), s.World.Claims[text(r, "spec", "source", "persistentVolumeClaimName")]
		if claim == nil || judged[[2]string{class, claim.Name}] {
			continue
		}
		judged[[2]string{class, claim.Name}] = true
		if f, leaves := leavesDriver(s, r, class); leaves {
			findings = append(findings, f)
			continue
		}
		findings = append(findings, copied(s, "VolumeSnapshot/"+r.GetName()+" spec.source", claim))
	}
	return findings
}

// leavesDriver reports whether a class takes the copy to where the driver of the volume
// does not keep it.
func leavesDriver(s *control.Subject, r *unstructured.Unstructured, class string) (control.Finding, bool) {
	path := "VolumeSnapshot/" + r.GetName() + " spec.volumeSnapshotClassName"
	i := slices.IndexFunc(s.World.Reports, func(c *unstructured.Unstructured) bool {
		return c != nil && snapshotClasses.Is(c) && c.GetName() == class
	})
	switch {
	case class == "":
		return control.Finding{}, false // of a content that was there before, or not taken yet
	case i < 0:
		return control.Undecided(path, "names a VolumeSnapshotClass that is not there: where the copy went cannot be told").OnlyLive().
			But("take a snapshot of a class that is there, and delete this one"), true
	case text(s.World.Reports[i], "driver") == "driver.longhorn.io" && text(s.World.Reports[i], "parameters", "type") == "bak":
		return control.Undecided(path, "names a VolumeSnapshotClass of Longhorn with type bak, which takes the copy to a backup target that shows no key").OnlyLive().
			But("ask for an exception that says under which key the backup target is"), true
	default:
		return control.Finding{}, false
	}
}

// copied judges a copy that is encrypted as the volume of a claim is.
func copied(s *control.Subject, path string, claim *corev1.PersistentVolumeClaim) control.Finding {
	chain := volumeChain{subject: s, claim: claim}
	seen, statement := chain.seen()
	own, encrypted := seen.Grade == storage.CustomerKey, seen.Grade.Encrypted()
	if statement != nil {
		own, encrypted = statement.Grade == hipaav1.StorageGradeCustomerKey, true
	}
	switch {
	case own || encrypted && s.Profile.Storage.KeysInCloud() == hipaav1.KeyHolderProvider:
		f := control.Met(path, "is encrypted as claim %s is", claim.Name)
		if statement != nil {
			f = f.Known(hipaav1.EvidenceAttested)
		}
		return f
	case encrypted || seen.Grade == storage.NotEncrypted:
		return control.Failed(path, "is a copy of claim %s, which is not encrypted under a key of your own", claim.Name).As(path).OnlyLive().
			But("use a StorageClass that names a key%s, and delete the copy", ofClass(s, ", such as %q"))
	default:
		return control.Undecided(path, "is a copy of claim %s, which shows no evidence of encryption", claim.Name).As(path).OnlyLive().
			But("use a StorageClass that names a key%s", ofClass(s, ", such as %q"))
	}
}

// scheduledByCNPG judges where CloudNativePG's ScheduledBackups lead. What names an object
// store is judged by itself.
func scheduledByCNPG(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for _, r := range reportsOf(s, cnpgSchedules) {
		suspended, _, _ := unstructured.NestedBool(r.Object, "spec", "suspend")
		if suspended {
			continue
		}
		at, cluster := "ScheduledBackup/"+r.GetName()+" spec.", text(r, "spec", "cluster", "name")
		switch method := text(r, "spec", "method"); {
		case method == "volumeSnapshot":
			findings = append(findings, snapshotsOf(s, at+"method", cluster)...)
		case method == "plugin" && text(r, "spec", "pluginConfiguration", "name") != barmanPlugin:
			findings = append(findings, control.Undecided(at+"pluginConfiguration", "names a plugin of which nothing is known").OnlyLive().
				But("ask for an exception that says under which key it keeps backups"))
		case method == "plugin" && !declaresStore(s, objectStores, ""):
			findings = append(findings, control.Undecided(at+"pluginConfiguration", "names a plugin that keeps backups in an ObjectStore, and none is there").OnlyLive().
				But("declare the ObjectStore in this namespace"))
		case method != "plugin" && !declaresStore(s, cnpgClusters, cluster):
			findings = append(findings, control.Undecided(at+"cluster", "names a Cluster that says nothing of where its backups go").OnlyLive().
				But("declare barmanObjectStore under spec.backup of the Cluster"))
		}
	}
	return findings
}

// snapshotsOf judges the claims of a database that the workload's pods mount.
func snapshotsOf(s *control.Subject, path, cluster string) []control.Finding {
	var findings []control.Finding
	for _, object := range s.World.Objects(control.Claims) {
		if claim := s.World.Claims[object.GetName()]; claim != nil && claim.Labels[cnpgClusterLabel] == cluster {
			findings = append(findings, copied(s, fmt.Sprintf("%s of %s", path, claim.Name), claim))
		}
	}
	return findings
}

// declaresStore reports whether the namespace declares a resource that tells of an object
// store; an empty name is any.
func declaresStore(s *control.Subject, t control.ResourceType, name string) bool {
	return slices.ContainsFunc(s.World.Resources, func(r *unstructured.Unstructured) bool {
		return r != nil && t.Is(r) && control.NamespaceOf(r) == s.Namespace.Name && (name == "" || r.GetName() == name) && namesStore(r)
	})
}

// snapshotOf is a snapshot of a claim of the workload of tests.
func snapshotOf(claim, class string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": map[string]any{"namespace": "ehr", "name": "nightly"},
		"spec": map[string]any{"volumeSnapshotClassName": class, "source": map[string]any{"persistentVolumeClaimName": claim}},
	}}
}

func snapshotClass(name, driver string, parameters map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshotClass", "metadata": map[string]any{"name": name},
		"driver": driver, "deletionPolicy": "Delete", "parameters": parameters,
	}}
}

func cnpgSchedule(spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "postgresql.cnpg.io/v1", "kind": "ScheduledBackup", "metadata": map[string]any{"namespace": "ehr", "name": "nightly"}, "spec": spec,
	}}
}
