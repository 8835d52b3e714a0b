package subject

import (
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// world is a World that is being filled.
type world struct {
	*control.World
}

func (l *Loader) newWorld(sc *Scene) *world {
	w := &world{World: &control.World{
		Claims:       map[string]*corev1.PersistentVolumeClaim{},
		Origins:      map[control.DataSource]*corev1.PersistentVolumeClaim{},
		Volumes:      map[string]*corev1.PersistentVolume{},
		Classes:      map[string]*storagev1.StorageClass{},
		Workloads:    make(map[types.NamespacedName]*hipaav1.PHIWorkload, len(sc.Workloads)),
		Services:     map[types.NamespacedName]*corev1.Service{},
		ClusterRoles: map[string]*rbacv1.ClusterRole{},
		Environments: map[string][]hipaav1.Environment{},
		Identities:   map[string][]string{},
		ConfigMaps:   map[string]*corev1.ConfigMap{},
		Nodes:        map[string]*corev1.Node{},
		Agents:       map[string][]*corev1.Pod{},
		Vendors:      map[string]*hipaav1.Vendor{},
		Missing:      map[control.Evidence]string{},
		ProxyImages:  l.ProxyImages,
	}}
	for _, workload := range sc.Workloads {
		w.Workloads[client.ObjectKeyFromObject(workload)] = workload
	}
	return w
}

// note records a source that could not be read. The reason goes into verdicts,
// so it names the source and not what the API server answered.
func (w *world) note(source control.Evidence, err error) {
	if err != nil {
		w.Missing[source] = "the operator could not read them; its log says why, and it tries again"
	}
}
