package admission

import (
	"context"

	admissionv1 "k8s.io/api/admission/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/hipaa-operator/hipaa-operator/internal/engine"
)

// judgement is how objects of one type are judged in an open hearing.
type judgement[P any] func(ctx context.Context, h *hearing, object P) (engine.Decision, error)

// validate judges the object of a request. An update is refused only for what
// it makes worse: what stood before is for drift control to deal with.
func validate[T any, P namespaced[T]](ctx context.Context, g *Gate, req *admission.Request, kind schema.GroupVersionKind, judge judgement[P]) (answer, error) {
	if err := expect(req, kind); err != nil {
		return answer{}, err
	}
	object, err := decodeNew[T, P](req)
	if err != nil {
		return answer{}, err
	}
	h, err := g.open(ctx, req.Namespace)
	if err != nil || h == nil {
		return permitted(), err
	}
	d, err := judge(ctx, h, object)
	if err != nil {
		return answer{}, err
	}
	if req.Operation == admissionv1.Update && found(d) {
		old, err := decodeOld[T](req)
		if err != nil {
			return answer{}, err
		}
		before, err := judge(ctx, h, old)
		if err != nil {
			return answer{}, err
		}
		d = without(d, before)
	}
	return decided(whatOf(req), d), nil
}

func found(d engine.Decision) bool {
	return len(d.Denied)+len(d.Warned)+len(d.Audited) > 0
}
