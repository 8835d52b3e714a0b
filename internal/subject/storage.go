package subject

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// storageChain reads claims, the volumes that they are bound to, and classes.
// What does not exist stays absent: controls say so.
type storageChain struct {
	loader *Loader
	world  *world
}

// pod reads the chain behind every claim that a pod mounts.
func (c *storageChain) pod(ctx context.Context, namespace string, pod *corev1.Pod) error {
	for i := range pod.Spec.Volumes {
		if err := c.volume(ctx, namespace, pod, &pod.Spec.Volumes[i]); err != nil {
			return err
		}
	}
	return nil
}

func (c *storageChain) volume(ctx context.Context, namespace string, pod *corev1.Pod, v *corev1.Volume) error {
	switch {
	case v.PersistentVolumeClaim != nil:
		return c.claim(ctx, namespace, v.PersistentVolumeClaim.ClaimName)
	case v.Ephemeral != nil && v.Ephemeral.VolumeClaimTemplate != nil:
		if class := v.Ephemeral.VolumeClaimTemplate.Spec.StorageClassName; class != nil {
			if err := c.class(ctx, *class); err != nil {
				return err
			}
		}
		if pod.Name == "" || pod.UID == "" {
			return nil
		}
		return c.claim(ctx, namespace, pod.Name+"-"+v.Name)
	default:
		return nil
	}
}

func (c *storageChain) claim(ctx context.Context, namespace, name string) error {
	if _, known := c.world.Claims[name]; known {
		return nil
	}
	claim := &corev1.PersistentVolumeClaim{}
	found, err := c.loader.get(ctx, types.NamespacedName{Namespace: namespace, Name: name}, claim)
	if err != nil || !found {
		return err
	}
	c.world.Claims[name] = claim
	return c.behind(ctx, claim)
}

// origin reads the claim whose data another one begins as.
func (c *storageChain) origin(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	from, copied := control.DataSourceOf(claim)
	if !copied || c.world.Origins[from] != nil {
		return nil
	}
	of := from.NamespacedName
	switch {
	case from.IsSnapshot():
		var err error
		if of, err = c.taken(ctx, of); err != nil || of.Name == "" {
			return err
		}
	case !from.IsClaim():
		return nil
	}
	origin := &corev1.PersistentVolumeClaim{}
	found, err := c.loader.get(ctx, of, origin)
	if err != nil || !found {
		return err
	}
	c.world.Origins[from] = origin
	return nil
}

// taken is the claim that a VolumeSnapshot was taken of. One that somebody made for a
// snapshot which was there before names none, and whose data that is nothing shows.
func (c *storageChain) taken(ctx context.Context, snapshot types.NamespacedName) (types.NamespacedName, error) {
	found := &unstructured.Unstructured{}
	found.SetAPIVersion("snapshot.storage.k8s.io/v1")
	found.SetKind("VolumeSnapshot")
	err := c.loader.Live.Get(ctx, snapshot, found)
	if meta.IsNoMatchError(err) || apierrors.IsNotFound(err) {
		return types.NamespacedName{}, nil
	}
	if err != nil {
		return types.NamespacedName{}, fmt.Errorf("reading VolumeSnapshot %s live: %w", snapshot, err)
	}
	name, _, _ := unstructured.NestedString(found.Object, "spec", "source", "persistentVolumeClaimName") // what is no text names none
	return types.NamespacedName{Namespace: snapshot.Namespace, Name: name}, nil
}

// behind reads what stands behind a claim: the claim that it is cloned from, its
// class, and its volume once bound.
func (c *storageChain) behind(ctx context.Context, claim *corev1.PersistentVolumeClaim) error {
	if err := c.origin(ctx, claim); err != nil {
		return err
	}
	if claim.Spec.StorageClassName != nil {
		if err := c.class(ctx, *claim.Spec.StorageClassName); err != nil {
			return err
		}
	}
	if claim.Spec.VolumeName == "" {
		return nil
	}
	if _, known := c.world.Volumes[claim.Spec.VolumeName]; known {
		return nil
	}
	volume := &corev1.PersistentVolume{}
	found, err := c.loader.get(ctx, types.NamespacedName{Name: claim.Spec.VolumeName}, volume)
	if err != nil || !found {
		return err
	}
	c.world.Volumes[volume.Name] = volume
	return c.class(ctx, volume.Spec.StorageClassName)
}

func (c *storageChain) class(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	if _, known := c.world.Classes[name]; known {
		return nil
	}
	class := &storagev1.StorageClass{}
	found, err := c.loader.get(ctx, types.NamespacedName{Name: name}, class)
	if err != nil || !found {
		return err
	}
	c.world.Classes[name] = class
	return nil
}
