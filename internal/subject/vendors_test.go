package subject_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/subject"
)

func TestVendorsThatFlowsName(t *testing.T) {
	w := phitest.Workload("api").To(phitest.ToVendor("eprescribe"), phitest.ToKubernetesAPI(), phitest.ToVendor("lab"), phitest.ToVendor("nobody")).Obj()
	scene := &subject.Scene{Namespace: phiNamespace("ehr"), Workloads: []*hipaav1.PHIWorkload{w}}
	known, fresh := phitest.Vendor("eprescribe").Obj(), phitest.Vendor("lab").Obj()
	loader := subject.Loader{Cache: reader(t, known, phitest.Vendor("other").Obj()), Live: reader(t, known, fresh)}
	live, err := loader.Subject(t.Context(), scene, w, control.Vendors)
	if err != nil {
		t.Fatalf("Subject: %v", err)
	}
	for _, tt := range []struct {
		when string
		give control.Subject
		want []string
	}{
		{"at admission, also one that was declared together with it", loader.AtAdmission(t.Context(), scene, w, w, control.Vendors), []string{"eprescribe", "lab"}},
		{"live, what the watch has told", live, []string{"eprescribe"}},
	} {
		if diff := cmp.Diff(tt.want, slices.Sorted(maps.Keys(tt.give.World.Vendors))); diff != "" || len(tt.give.World.Missing) > 0 {
			t.Errorf("%s: vendors (-want +got):\n%smissing %v", tt.when, diff, tt.give.World.Missing)
		}
	}
	broken := interceptor.NewClient(reader(t), interceptor.Funcs{
		Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return errors.New("the API server is away")
		},
	})
	loader = subject.Loader{Cache: broken, Live: broken}
	if s := loader.AtAdmission(t.Context(), scene, w, w, control.Vendors); !s.World.Lacks(control.Vendors) {
		t.Error("vendors that cannot be read pass for vendors that nobody declares")
	}
}
