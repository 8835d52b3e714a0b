package subject

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	toolscache "k8s.io/client-go/tools/cache"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// +kubebuilder:rbac:groups=apiextensions.k8s.io,resources=customresourcedefinitions,verbs=get;list;watch

// Resources watches custom resources of some types, each for as long as the cluster
// serves it: a type may come with a CRD at any time, and go with it.
type Resources struct {
	types []control.ResourceType
	// families are API groups of which it is known what the cluster serves.
	families []control.Family
	cluster  dynamic.Interface
	// trim is what the cache keeps of a type, and differs whether anything has changed
	// that controls look at.
	trim    func(control.ResourceType) toolscache.TransformFunc
	differs func(old, updated *unstructured.Unstructured) bool
	// everywhere are types whose objects may be about any namespace.
	everywhere map[control.ResourceType]bool
	// shares tells of some types what their objects have in common with others.
	shares map[control.ResourceType]func(*unstructured.Unstructured) []string
	// ctx and changed are those of Start.
	ctx     context.Context //nolint:containedctx // a type is watched from when its CRD comes, long after Start
	changed func(*unstructured.Unstructured)

	mu sync.RWMutex
	// discovered reports whether all CRDs have been seen that there were at the start.
	discovered func() bool
	watched    map[control.ResourceType]watchedType
	// members are the types of families that the cluster serves, by the CRD's name, and
	// served are they with what has been read of them, sorted.
	members map[string]control.ResourceType
	served  []control.ServedType
}

// watchedType is a type that the cluster serves.
type watchedType struct {
	informer toolscache.SharedIndexInformer
	stop     context.CancelFunc
}

// byServed indexes resources by the namespace whose PHI they serve. Those that hold PHI
// and do not say whose stand under everywhere.
const (
	byServed   = "hipaa.served"
	everywhere = "*"
)

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// WatchResources prepares to watch; Start begins. Of what belongs to families alone the
// metadata count.
func WatchResources(types []control.ResourceType, families []control.Family, cluster dynamic.Interface) *Resources {
	r := &Resources{
		types: types, families: families, cluster: cluster, differs: declaresOther,
		watched: map[control.ResourceType]watchedType{}, members: map[string]control.ResourceType{},
	}
	r.trim = func(t control.ResourceType) toolscache.TransformFunc {
		if r.byMetadata(t) {
			return trimToMetadata
		}
		return trimResource
	}
	return r
}

// WatchReports prepares to watch what other systems report; Start begins. Of a report
// the status counts.
func WatchReports(types []control.ReportType, cluster dynamic.Interface) *Resources {
	r := &Resources{
		cluster: cluster, watched: map[control.ResourceType]watchedType{},
		trim:    func(t control.ResourceType) toolscache.TransformFunc { return trimReport(types, t) },
		differs: reportsOther, everywhere: map[control.ResourceType]bool{},
		shares: map[control.ResourceType]func(*unstructured.Unstructured) []string{},
	}
	for _, t := range types {
		r.everywhere[t.ResourceType] = t.Everywhere
		if t.Shares != nil {
			r.shares[t.ResourceType] = t.Shares
		}
		r.types = append(r.types, t.ResourceType)
	}
	return r
}

// Start begins to watch, until the context ends, and returns at once. Changed is told
// of every resource that changes in what is judged, as it was and as it is, and with nil
// when a type comes or goes.
func (r *Resources) Start(ctx context.Context, changed func(*unstructured.Unstructured)) error {
	r.ctx, r.changed = ctx, changed
	informer := dynamicinformer.NewFilteredDynamicInformer(r.cluster, definitions, "", 0, toolscache.Indexers{}, nil).Informer()
	if err := informer.SetTransform(trimDefinition); err != nil {
		return fmt.Errorf("watching CRDs: %w", err)
	}
	registration, err := informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    func(object any) { r.define(object, servedBy) },
		UpdateFunc: func(_, updated any) { r.define(updated, servedBy) },
		DeleteFunc: func(object any) { r.define(object, func(*unstructured.Unstructured) map[string]bool { return nil }) },
	})
	if err != nil {
		return fmt.Errorf("watching CRDs: %w", err)
	}
	r.mu.Lock()
	r.discovered = registration.HasSynced
	r.mu.Unlock()
	go informer.RunWithContext(ctx)
	go func() {
		if toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			r.announce()
		}
	}()
	return nil
}

// announce tells that another type can be read, or cannot any more.
func (r *Resources) announce() {
	r.mu.Lock()
	r.served = r.servedTypes()
	r.mu.Unlock()
	r.changed(nil)
}

// trimDefinition keeps of a CRD which versions of which kind it serves.
func trimDefinition(object any) (any, error) {
	crd, is := object.(*unstructured.Unstructured)
	if !is {
		return object, nil
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions") // what is no list serves nothing
	for i := range versions {
		if version, is := versions[i].(map[string]any); is {
			versions[i] = map[string]any{"name": version["name"], "served": version["served"]}
		}
	}
	conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
	kind, _, _ := unstructured.NestedString(crd.Object, "spec", "names", "kind")
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": crd.GetAPIVersion(), "kind": crd.GetKind(),
		"metadata": map[string]any{"name": crd.GetName(), "uid": string(crd.GetUID()), "resourceVersion": crd.GetResourceVersion()},
		"spec":     map[string]any{"names": map[string]any{"kind": kind}, "versions": versions},
		"status":   map[string]any{"conditions": conditions},
	}}, nil
}

// servedBy are the versions that a CRD serves. Before it is established there are none.
func servedBy(crd *unstructured.Unstructured) map[string]bool {
	if !control.HasCondition(crd, string(apiextensionsv1.Established)) {
		return nil
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	served := map[string]bool{}
	for i := range versions {
		if version, is := versions[i].(map[string]any); is && version["served"] == true {
			served[fmt.Sprint(version["name"])] = true
		}
	}
	return served
}

// define begins and ends to watch the types of a CRD.
func (r *Resources) define(object any, versions func(*unstructured.Unstructured) map[string]bool) {
	if tombstone, is := object.(toolscache.DeletedFinalStateUnknown); is {
		object = tombstone.Obj
	}
	crd, is := object.(*unstructured.Unstructured)
	if !is {
		return
	}
	served, other := versions(crd), false
	read := r.version(crd.GetName(), served)
	for _, t := range r.types {
		if t.CRD() == crd.GetName() && r.set(t, t.Version == read) {
			other = true
		}
	}
	if (r.note(crd, served) || other) && r.known() {
		r.announce()
	}
}

// version is the one in which the objects of a CRD are read: the most stable of those
// that it serves and controls know, so that each object counts once; empty is none.
func (r *Resources) version(crd string, served map[string]bool) string {
	read := ""
	for _, t := range r.types {
		if t.CRD() == crd && served[t.Version] && (read == "" || version.CompareKubeAwareVersionStrings(t.Version, read) > 0) {
			read = t.Version
		}
	}
	return read
}

// known reports whether it is known which types there are. Until then nothing is told of
// them one by one.
func (r *Resources) known() bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.discovered != nil && r.discovered()
}

// set watches a type or leaves it, and reports whether that is new.
func (r *Resources) set(t control.ResourceType, served bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, watched := r.watched[t]
	switch {
	case served == watched:
		return false
	case watched:
		w.stop()
		delete(r.watched, t)
	default:
		r.watched[t] = r.watch(t)
	}
	return true
}

func (r *Resources) watch(t control.ResourceType) watchedType {
	served, tell := servedNamespace, r.tell
	if r.everywhere[t] {
		served = func(any) ([]string, error) { return []string{everywhere}, nil }
		tell = func(any) { r.changed(nil) }
	}
	indexers := toolscache.Indexers{byServed: served}
	var informer toolscache.SharedIndexInformer
	if share := r.shares[t]; share != nil {
		indexers[byShared] = sharedBy(share)
		tell = func(object any) {
			r.tell(object)
			for _, other := range sharing(informer.GetIndexer(), object) {
				r.changed(other)
			}
		}
	}
	informer = dynamicinformer.NewFilteredDynamicInformer(r.cluster, t.GroupVersionResource(), "", 0, indexers, nil).Informer()
	ctx, stop := context.WithCancel(r.ctx)
	// Neither can fail before the informer runs.
	_ = informer.SetTransform(r.trim(t))
	registration, _ := informer.AddEventHandler(toolscache.ResourceEventHandlerDetailedFuncs{
		AddFunc: func(object any, initially bool) {
			if !initially || !r.everywhere[t] { // what is there at first is told of as a whole, below
				tell(object)
			}
		},
		UpdateFunc: func(old, updated any) {
			was, isResource := old.(*unstructured.Unstructured)
			is, alsoResource := updated.(*unstructured.Unstructured)
			if !isResource || !alsoResource || r.differs(was, is) {
				tell(old)
				tell(updated)
			}
		},
		DeleteFunc: tell,
	})
	go informer.RunWithContext(ctx)
	go func() {
		// Until then the type is one that could not be read.
		if toolscache.WaitForCacheSync(ctx.Done(), registration.HasSynced) {
			r.announce()
		}
	}()
	return watchedType{informer: informer, stop: stop}
}

func (r *Resources) tell(object any) {
	if tombstone, is := object.(toolscache.DeletedFinalStateUnknown); is {
		object = tombstone.Obj
	}
	if resource, is := object.(*unstructured.Unstructured); is {
		r.changed(resource)
	}
}

// declaresOther reports whether a resource declares something else than it did.
func declaresOther(was, is *unstructured.Unstructured) bool {
	return was.GetGeneration() != is.GetGeneration() || !maps.Equal(was.GetLabels(), is.GetLabels())
}

// reportsOther reports whether what is kept of a report says something else than it did.
func reportsOther(was, is *unstructured.Unstructured) bool {
	return !reflect.DeepEqual(withoutMetadata(was), withoutMetadata(is))
}

func withoutMetadata(r *unstructured.Unstructured) map[string]any {
	rest := maps.Clone(r.Object)
	delete(rest, "metadata")
	return rest
}

// trimResource is Trim, and drops the status: controls judge what is declared.
func trimResource(object any) (any, error) {
	if resource, is := object.(*unstructured.Unstructured); is {
		delete(resource.Object, "status")
	}
	return Trim(object)
}

// trimReport keeps of a report what controls read.
func trimReport(types []control.ReportType, t control.ResourceType) toolscache.TransformFunc {
	i := slices.IndexFunc(types, func(r control.ReportType) bool { return r.ResourceType == t })
	return func(object any) (any, error) {
		if report, is := object.(*unstructured.Unstructured); is && types[i].Trim != nil {
			types[i].Trim(report)
		}
		return Trim(object)
	}
}

func servedNamespace(object any) ([]string, error) {
	resource, is := object.(*unstructured.Unstructured)
	switch {
	case !is:
		return nil, nil
	case control.NamespaceOf(resource) != "":
		return []string{control.NamespaceOf(resource)}, nil
	case control.ServesNobody(resource):
		return []string{everywhere}, nil
	default:
		return nil, nil
	}
}

// of lists what counts for a namespace, and what of families is served, both sorted. An
// error says that a type is served and has not been read, or that it is not known yet
// which are.
func (r *Resources) of(namespace string) ([]*unstructured.Unstructured, []control.ServedType, error) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.discovered == nil || !r.discovered() {
		return nil, nil, fmt.Errorf("listing resources of namespace %q: the types are not known yet", namespace)
	}
	var list []*unstructured.Unstructured
	for t, w := range r.watched {
		if !w.informer.HasSynced() {
			if r.byMetadata(t) {
				continue // it is told that the type is served and not read
			}
			return nil, nil, fmt.Errorf("listing resources of namespace %q: %s has not been read yet", namespace, t)
		}
		for _, served := range []string{namespace, everywhere} {
			found, err := w.informer.GetIndexer().ByIndex(byServed, served)
			if err != nil {
				return nil, nil, fmt.Errorf("listing %s of namespace %q: %w", t, namespace, err)
			}
			for _, object := range found {
				if resource, is := object.(*unstructured.Unstructured); is {
					list = append(list, resource)
				}
			}
		}
	}
	list = append(list, r.sharing(namespace)...)
	slices.SortFunc(list, control.CompareResources)
	return list, r.served, nil
}

// infrastructure reads the resources that count for a namespace.
func (l *Loader) infrastructure(w *world, namespace string) error {
	if l.Resources == nil {
		return fmt.Errorf("listing resources of namespace %q: nothing watches them", namespace)
	}
	var err error
	w.Resources, w.Served, err = l.Resources.of(namespace)
	return err
}

// reports reads what other systems report about a namespace.
func (l *Loader) reports(ctx context.Context, w *world, namespace string) error {
	if l.Reports == nil {
		return fmt.Errorf("listing reports about namespace %q: nothing watches them", namespace)
	}
	var err error
	if w.Reports, _, err = l.Reports.of(namespace); err != nil {
		return err
	}
	for _, other := range l.Reports.Sharing(namespace) {
		if err := l.environments(ctx, w, other); err != nil {
			return err
		}
	}
	if l.Serving != nil {
		ends, unread := l.Serving()
		if unread != nil {
			ends = time.Time{} // that it could not be read is for the control to say
		}
		w.Serving = &control.Serving{Ends: ends}
	}
	return err
}
