package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// maxReview is how many bytes a review may have. An object has at most three
// megabytes on its way to etcd, and a review holds two of them.
const maxReview = 7 << 20

// endpoint is one webhook on the wire. It takes reviews of version v1 and
// nothing else, and answers everything that it takes with a review.
type endpoint struct {
	handler   admission.Handler
	turnstile *turnstile
}

// ServeHTTP answers one review, or turns it away.
func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	patience, room := patienceOf(r.URL.RawQuery), roomFor(r.ContentLength)
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if !e.turnstile.enter(ctx, room, patience) {
		e.turnstile.turnAway(w)
		return
	}
	if until, limited := ctx.Deadline(); limited {
		// A body that does not come gives its room back. Where a writer has no
		// deadlines there is no connection that could stall.
		_ = http.NewResponseController(w).SetReadDeadline(until)
	}
	writeReview(w, e.answer(ctx, r, room))
}

// answer reads and judges one review, and gives its room back: to wait until the
// caller has taken the answer needs none.
func (e endpoint) answer(ctx context.Context, r *http.Request, room int64) *admissionv1.AdmissionResponse {
	defer e.turnstile.leave(room)
	review, response := readReview(r)
	if response != nil {
		return response
	}
	ctx = log.IntoContext(ctx, ctrl.Log.WithName("admission"))
	req := admission.Request{AdmissionRequest: *review.Request}
	answered := e.handler.Handle(ctx, req)
	if err := answered.Complete(req); err != nil {
		log.FromContext(ctx).Error(err, "Encoding a patch")
		answered = refused(http.StatusInternalServerError, metav1.StatusReasonInternalError, bugText(req))
		answered.UID = req.UID
	}
	return &answered.AdmissionResponse
}

// question is the half of an AdmissionReview that the API server writes.
type question struct {
	metav1.TypeMeta `json:",inline"`
	Request         *admissionv1.AdmissionRequest `json:"request"`
}

// readReview reads a review, or says why there is none.
func readReview(r *http.Request) (*question, *admissionv1.AdmissionResponse) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, unreadable(http.StatusUnsupportedMediaType, "admission reviews are application/json")
	}
	body, err := readBody(r)
	switch {
	case err != nil:
		return nil, unreadable(http.StatusBadRequest, "the admission review could not be read to its end")
	case len(body) > maxReview:
		return nil, unreadable(http.StatusRequestEntityTooLarge, fmt.Sprintf("the admission review has more than %d bytes", maxReview))
	}
	review := &question{}
	if err := unmarshal(body, review); err != nil {
		return nil, unreadable(http.StatusBadRequest, "the request is no admission review in JSON")
	}
	if review.APIVersion != admissionv1.SchemeGroupVersion.String() || review.Kind != "AdmissionReview" {
		return nil, unreadable(http.StatusBadRequest, fmt.Sprintf("this webhook answers AdmissionReview of %s, not %.63s of %.63s",
			admissionv1.SchemeGroupVersion, review.Kind, review.APIVersion))
	}
	if review.Request == nil {
		return nil, unreadable(http.StatusBadRequest, "the admission review has no request")
	}
	return review, nil
}

// readBody reads a body, and no more than one byte too many. It takes the memory
// at once that the caller announced, for which there is room.
func readBody(r *http.Request) ([]byte, error) {
	var body bytes.Buffer
	if r.ContentLength <= maxReview {
		body.Grow(int(max(r.ContentLength, 0)) + bytes.MinRead)
	}
	_, err := body.ReadFrom(io.LimitReader(r.Body, maxReview+1))
	return body.Bytes(), err
}

func unreadable(code int32, message string) *admissionv1.AdmissionResponse {
	response := refused(code, metav1.StatusReasonBadRequest, message)
	return &response.AdmissionResponse
}

func writeReview(w http.ResponseWriter, response *admissionv1.AdmissionResponse) {
	review := &admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Response: response,
	}
	text, err := json.Marshal(review)
	if err != nil {
		http.Error(w, "encoding the answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text) // the caller has gone, and there is nobody to tell
}
