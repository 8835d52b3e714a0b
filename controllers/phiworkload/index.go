package phiworkload

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// Indexes by which a change finds the workloads that it concerns.
const (
	// workloads by the profiles that they name or were judged under
	byProfile = "hipaa.profiles"
	// workloads by the PHIWorkloads and Services that their flows name
	byPeer    = "hipaa.peers"
	byService = "hipaa.services"
	// workloads by the vendors that their flows name
	byVendor = "hipaa.vendors"
	// workloads that call the API server
	byKubernetesAPI = "hipaa.kubernetesAPI"
	// pods by the claims that they mount and the node that they run on, claims by
	// their class
	byClaim = "hipaa.claims"
	byNode  = "hipaa.node"
	// pods by the ConfigMaps that they take settings from
	byConfigMap = "hipaa.configMaps"
	byClass     = "hipaa.class"
	// bindings by the other namespaces whose ServiceAccounts they let in
	byGranted = "hipaa.granted"
)

const yes = "true"

// addIndexes teaches the cache to find by them.
func addIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	for _, index := range []struct {
		of    client.Object
		name  string
		value client.IndexerFunc
	}{
		{&hipaav1.PHIWorkload{}, byProfile, ofWorkload(profilesOf)},
		{&hipaav1.PHIWorkload{}, byPeer, ofWorkload(peersOf)},
		{&hipaav1.PHIWorkload{}, byService, ofWorkload(servicesOf)},
		{&hipaav1.PHIWorkload{}, byVendor, ofWorkload(subject.VendorsOf)},
		{&hipaav1.PHIWorkload{}, byKubernetesAPI, ofWorkload(callsKubernetesAPI)},
		{&corev1.Pod{}, byClaim, claimsOf},
		{&corev1.Pod{}, byNode, nodeOf},
		{&corev1.Pod{}, byConfigMap, configMapsOf},
		{&corev1.Pod{}, subject.ByServiceAccount, subject.ServiceAccountOf},
		{&corev1.Pod{}, subject.ByAgentOf, subject.AgentOf},
		{&corev1.Pod{}, subject.ByAddress, subject.AddressesOf},
		{&corev1.PersistentVolumeClaim{}, byClass, classOf},
		{&rbacv1.RoleBinding{}, byGranted, grantedTo},
	} {
		if err := indexer.IndexField(ctx, index.of, index.name, index.value); err != nil {
			return fmt.Errorf("indexing %T by %s: %w", index.of, index.name, err)
		}
	}
	return nil
}

func ofWorkload(values func(*hipaav1.PHIWorkload) []string) client.IndexerFunc {
	return func(object client.Object) []string {
		w, ok := object.(*hipaav1.PHIWorkload)
		if !ok {
			return nil
		}
		found := values(w)
		slices.Sort(found)
		return slices.Compact(found)
	}
}

func profilesOf(w *hipaav1.PHIWorkload) []string {
	names := slices.Clone(w.Status.Profiles)
	if ref := profileRef(w); ref != "" {
		names = append(names, ref)
	}
	return names
}

func peersOf(w *hipaav1.PHIWorkload) []string {
	var names []string
	add := func(peer *hipaav1.PHIWorkloadPeer) {
		if peer != nil {
			names = append(names, keyIn(w, peer.Namespace, peer.Name))
		}
	}
	if w.Spec.Access != nil {
		for i := range w.Spec.Access.From {
			add(w.Spec.Access.From[i].PHIWorkload)
		}
	}
	if w.Spec.Egress != nil {
		for i := range w.Spec.Egress.To {
			add(w.Spec.Egress.To[i].PHIWorkload)
		}
	}
	return names
}

func servicesOf(w *hipaav1.PHIWorkload) []string {
	var names []string
	if w.Spec.Egress != nil {
		for i := range w.Spec.Egress.To {
			if peer := w.Spec.Egress.To[i].Service; peer != nil {
				names = append(names, keyIn(w, peer.Namespace, peer.Name))
			}
		}
	}
	return names
}

func callsKubernetesAPI(w *hipaav1.PHIWorkload) []string {
	if w.Spec.Egress != nil {
		for i := range w.Spec.Egress.To {
			if w.Spec.Egress.To[i].KubernetesAPI != nil {
				return []string{yes}
			}
		}
	}
	return nil
}

func nodeOf(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok || pod.Spec.NodeName == "" {
		return nil
	}
	return []string{pod.Spec.NodeName}
}

func configMapsOf(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	return control.ConfigMapsOf(&pod.Spec)
}

func keyIn(w *hipaav1.PHIWorkload, namespace, name string) string {
	if namespace == "" {
		namespace = w.Namespace
	}
	return types.NamespacedName{Namespace: namespace, Name: name}.String()
}

func claimsOf(object client.Object) []string {
	pod, ok := object.(*corev1.Pod)
	if !ok {
		return nil
	}
	var names []string
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		switch {
		case v.PersistentVolumeClaim != nil:
			names = append(names, v.PersistentVolumeClaim.ClaimName)
		case v.Ephemeral != nil:
			names = append(names, pod.Name+"-"+v.Name)
		}
	}
	return names
}

func classOf(object client.Object) []string {
	claim, ok := object.(*corev1.PersistentVolumeClaim)
	if !ok || claim.Spec.StorageClassName == nil {
		return nil
	}
	return []string{*claim.Spec.StorageClassName}
}

func grantedTo(object client.Object) []string {
	binding, ok := object.(*rbacv1.RoleBinding)
	if !ok {
		return nil
	}
	var namespaces []string
	for i := range binding.Subjects {
		if namespace := control.AccountNamespace(&binding.Subjects[i]); namespace != "" && namespace != binding.Namespace {
			namespaces = append(namespaces, namespace)
		}
	}
	slices.Sort(namespaces)
	return slices.Compact(namespaces)
}
