package inject

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/manifest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

// read is an object of the manifests, with its type.
type read struct {
	written *manifest.Object
	object  client.Object
}

// name is for people.
func (r *read) name() string {
	name := r.object.GetName()
	if name == "" {
		name = r.object.GetGenerateName()
	}
	return r.written.Place + ": " + r.written.Kind + "/" + name
}

// change writes what differs between two readings of what stands at some steps.
func (r *read) change(steps []string, before, after any) (bool, error) {
	was, err := runtime.DefaultUnstructuredConverter.ToUnstructured(before)
	if err != nil {
		return false, fmt.Errorf("reading it: %w", err)
	}
	is, err := runtime.DefaultUnstructuredConverter.ToUnstructured(after)
	if err != nil {
		return false, fmt.Errorf("reading what it becomes: %w", err)
	}
	return r.written.Change(steps, was, is)
}

// clusterWide are the kinds that loaders read and that stand in no namespace.
var clusterWide = []string{
	"Namespace", "Node", "PersistentVolume", "StorageClass", "ClusterRole", "ClusterRoleBinding", "ComplianceProfile",
}

// read reads the objects whose kinds are known. All others pass.
func (i *Injector) read(streams []*manifest.Stream) ([]*read, error) {
	decoder := serializer.NewCodecFactory(i.Scheme).UniversalDeserializer()
	var objects []*read
	for _, s := range streams {
		for _, written := range s.Objects() {
			decoded, _, err := decoder.Decode(written.JSON, nil, nil)
			if runtime.IsNotRegisteredError(err) || runtime.IsMissingKind(err) || runtime.IsMissingVersion(err) {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("%s: reading a %s: %w", written.Place, written.Kind, err)
			}
			object, is := decoded.(client.Object)
			if !is {
				continue
			}
			if object.GetNamespace() == "" && !slices.Contains(clusterWide, written.Kind) {
				object.SetNamespace(i.Namespace)
			}
			objects = append(objects, &read{written: written, object: object})
		}
	}
	return objects, nil
}

// loader reads evidence from the manifests, and from the cluster if there is one.
func (i *Injector) loader(manifests []*read) (*subject.Loader, error) {
	var objects []client.Object
	for _, m := range manifests {
		objects = append(objects, m.object)
	}
	for _, p := range i.Profiles {
		objects = append(objects, p)
	}
	if i.Cluster == nil {
		objects = append(objects, declared(objects)...)
	}
	files, err := subject.FromFiles(i.Scheme, objects)
	if err != nil {
		return nil, err
	}
	if i.Cluster != nil {
		files = files.Over(i.Cluster)
	}
	return &subject.Loader{Cache: files, Live: files}, nil
}

// declared are the namespaces that a PHIWorkload stands in and no manifest has, as
// in the output of Helm. A PHIWorkload stands in PHI namespaces only: an admission
// policy sees to that.
func declared(objects []client.Object) []client.Object {
	known := map[string]bool{}
	for _, o := range objects {
		if _, is := o.(*corev1.Namespace); is {
			known[o.GetName()] = true
		}
	}
	var missing []client.Object
	for _, o := range objects {
		if _, is := o.(*hipaav1.PHIWorkload); !is || known[o.GetNamespace()] {
			continue
		}
		known[o.GetNamespace()] = true
		missing = append(missing, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name:   o.GetNamespace(),
			Labels: map[string]string{hipaav1.LabelPHI: hipaav1.LabelPHIValue, corev1.LabelMetadataName: o.GetNamespace()},
		}})
	}
	return missing
}
