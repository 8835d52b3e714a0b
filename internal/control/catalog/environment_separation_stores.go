package catalog

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// remoteKeys are what an ExternalSecret reads from stores of the whole cluster, as store
// and key. What stores of namespaces lead to, the ExternalSecrets do not tell.
func remoteKeys(r *unstructured.Unstructured) []string {
	var keys []string
	read := func(list, ref string) {
		entries, _, _ := unstructured.NestedSlice(r.Object, "spec", list) // what is no list reads nothing
		for i := range entries {
			fields, _ := entries[i].(map[string]any) // of nil every field is absent
			key, _, _ := unstructured.NestedString(fields, ref, "key")
			if store := clusterStore(r, fields); store != "" && key != "" {
				keys = append(keys, store+" "+key)
			}
		}
	}
	read("data", "remoteRef")
	read("dataFrom", "extract")
	slices.Sort(keys)
	return slices.Compact(keys)
}

// clusterStore is the ClusterSecretStore that an entry is read from; empty where it is
// another kind of store.
func clusterStore(r *unstructured.Unstructured, entry map[string]any) string {
	kind, _, _ := unstructured.NestedString(entry, "sourceRef", "storeRef", "kind")
	name, _, _ := unstructured.NestedString(entry, "sourceRef", "storeRef", "name")
	if name == "" {
		kind, _, _ = unstructured.NestedString(r.Object, "spec", "secretStoreRef", "kind")
		name, _, _ = unstructured.NestedString(r.Object, "spec", "secretStoreRef", "name")
	}
	if kind != "ClusterSecretStore" {
		return ""
	}
	return name
}

// searched are the stores of the whole cluster in which an ExternalSecret takes what a
// search finds. Which keys these are it does not tell.
func searched(r *unstructured.Unstructured) []string {
	var stores []string
	entries, _, _ := unstructured.NestedSlice(r.Object, "spec", "dataFrom") // what is no list reads nothing
	for i := range entries {
		fields, _ := entries[i].(map[string]any) // of nil every field is absent
		if _, finds, _ := unstructured.NestedFieldNoCopy(fields, "find"); !finds {
			continue
		}
		if store := clusterStore(r, fields); store != "" {
			stores = append(stores, store)
		}
	}
	slices.Sort(stores)
	return slices.Compact(stores)
}

// searches are ExternalSecrets of the workload's namespace of which nobody can tell whether
// another environment reads the same.
func searches(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for _, mine := range reportsOf(s, externalSecrets) {
		for _, store := range searched(mine) {
			findings = append(findings, control.Undecided("ExternalSecret/"+mine.GetName(), "takes what a search in ClusterSecretStore %s finds: "+
				"it cannot be told whether another environment reads that as well", store).OnlyLive().
				But("name what it reads under data or dataFrom[].extract, or let it search a SecretStore of its namespace"))
		}
	}
	return findings
}

// toldReaders are how many ExternalSecrets of others are told of each of the namespace's.
// One secret may be read by every namespace.
const toldReaders = 3

// readTwice are ExternalSecrets of the workload's namespace that read what those of the
// other side of production read.
func readTwice(s *control.Subject, own hipaav1.Environment) []control.Finding {
	readers := readersAcross(s, own)
	var findings []control.Finding
	for _, mine := range reportsOf(s, externalSecrets) {
		var others []*unstructured.Unstructured
		for _, key := range remoteKeys(mine) {
			others = append(others, readers[key]...)
		}
		slices.SortFunc(others, control.CompareResources)
		others = slices.Compact(others)
		for i, other := range others[:min(len(others), toldReaders)] {
			more := 0
			if i == toldReaders-1 {
				more = len(others) - toldReaders
			}
			of := cmp.Or(outsideProduction(s, other.GetNamespace()), string(hipaav1.EnvironmentProduction))
			findings = append(findings, control.Failed("ExternalSecret/"+mine.GetName(), "reads what ExternalSecret %s/%s of environment %s reads%s, and this one is of %s",
				other.GetNamespace(), other.GetName(), of, andOthers(more), own).OnlyLive().As(other.GetNamespace()+"/"+other.GetName()).
				But("keep a secret for each environment, with credentials that open nothing of the other, and let each read its own"))
		}
	}
	return findings
}

// readersAcross are the ExternalSecrets of the other side of production by what they read.
func readersAcross(s *control.Subject, own hipaav1.Environment) map[string][]*unstructured.Unstructured {
	readers := map[string][]*unstructured.Unstructured{}
	for _, other := range s.World.Reports {
		if other == nil || !externalSecrets.IsKind(other) || other.GetNamespace() == s.Namespace.Name || !across(s, own, other.GetNamespace()) {
			continue
		}
		for _, key := range remoteKeys(other) {
			readers[key] = append(readers[key], other)
		}
	}
	return readers
}

// across reports whether a namespace is of the other side of production.
func across(s *control.Subject, own hipaav1.Environment, namespace string) bool {
	if isProduction(own) {
		return outsideProduction(s, namespace) != ""
	}
	return slices.ContainsFunc(s.World.Environments[namespace], isProduction)
}

// readsOf is an ExternalSecret that reads one key of a store of the whole cluster.
func readsOf(namespace, name, key string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret", "metadata": map[string]any{"namespace": namespace, "name": name},
		"spec": map[string]any{
			"secretStoreRef": map[string]any{"kind": "ClusterSecretStore", "name": "vault"},
			"data":           []any{map[string]any{"secretKey": "password", "remoteRef": map[string]any{"key": key}}},
		},
	}}
}

// readsAlike is a namespace of production that reads the secret of a test namespace.
func readsAlike(s *control.Subject) {
	s.World.Reports = append(s.World.Reports, readsOf(s.Namespace.Name, "database", "ehr/database"), readsOf(testNamespace, "lab", "ehr/database"))
	s.World.Environments = map[string][]hipaav1.Environment{testNamespace: {hipaav1.EnvironmentTest}}
}
