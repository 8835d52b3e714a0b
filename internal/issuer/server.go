// Package issuer gives pods of PHI workloads their certificates. Its promise: a pod
// gets the identity under which it runs and no other, from its own address, and the
// roots are read by this process alone.
package issuer

import (
	"context"
	"net/http"
	"net/netip"
	"strconv"
	"time"

	"github.com/go-json-experiment/json"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/hipaa-operator/hipaa-operator/internal/enrol"
	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

// What one replica takes on. A pod asks twice a day, and a few times more when it
// starts; a cluster of ten thousand that restarts at once is through in a minute.
const (
	everySecond = rate.Limit(200)
	atOnce      = 400
	// How often an address may come, and how often a token of it is reviewed: an address
	// may be wrong about its token more often than a pod is right.
	arriving, arrivingAtOnce = rate.Limit(10), 40
	reviewBurst, addressMost = 20, 32 << 10
	podBurst, podMost        = 6, 32 << 10
	// inHand is how many are answered at once.
	inHand = 64
	// answerTime is how long one answer may take, reads included.
	answerTime = 10 * time.Second
)

// Server answers requests for certificates.
type Server struct {
	client    client.Client
	authority *Authority
	registrar *Registrar
	all       *limits
	reviews   *limits
	pods      *limits
	hands     chan struct{}
}

// NewServer puts together who signs and who decides for whom.
func NewServer(c client.Client, authority *Authority, registrar *Registrar, now clock.PassiveClock) *Server {
	return &Server{
		client:    c,
		authority: authority,
		registrar: registrar,
		all:       newLimits(now, everySecond, atOnce, 1),
		reviews:   newLimits(now, rate.Every(10*time.Second), reviewBurst, addressMost),
		pods:      newLimits(now, rate.Every(10*time.Second), podBurst, podMost),
		hands:     make(chan struct{}, inHand),
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), answerTime)
	defer cancel()
	defer mark(ctx, false)
	response, no := s.answer(ctx, w, r)
	if no != nil {
		metrics.IssuerAnswered(no.result)
		tell(ctx, no)
		if no.after > 0 {
			w.Header().Set("Retry-After", strconv.Itoa(int((no.after+time.Second-1)/time.Second)))
		}
		write(ctx, w, no.status, enrol.Refusal{Error: no.text})
		return
	}
	metrics.IssuerAnswered(metrics.IssuerIssued)
	write(ctx, w, http.StatusOK, response)
}

// tell logs a refusal. One for a foreign address may be about a stolen token, so
// nobody has to have asked for it; pods are limited in how often they cause one.
func tell(ctx context.Context, no *refusal) {
	logger := log.FromContext(ctx)
	switch no.result {
	case metrics.IssuerBusy:
		return
	case metrics.IssuerAddress:
	default:
		logger = logger.V(1)
	}
	logger.Info("Refused a certificate", "status", no.status, "reason", no.text)
}

// answer goes from what costs little to what costs much.
func (s *Server) answer(ctx context.Context, w http.ResponseWriter, r *http.Request) (enrol.Response, *refusal) {
	if r.URL.Path != enrol.Path {
		return enrol.Response{}, refuse(http.StatusNotFound, metrics.IssuerRequest, "certificates are asked for at %s", enrol.Path)
	}
	if r.Method != http.MethodPost {
		return enrol.Response{}, refuse(http.StatusMethodNotAllowed, metrics.IssuerRequest, "certificates are asked for by POST")
	}
	address := addressOf(r.RemoteAddr)
	if !address.IsValid() {
		return enrol.Response{}, refuse(http.StatusBadRequest, metrics.IssuerRequest, "the connection has no address")
	}
	token, no := bearer(r.Header.Get("Authorization"))
	if no != nil {
		return enrol.Response{}, no
	}
	request, err := enrol.ReadRequest(http.MaxBytesReader(w, r.Body, enrol.MaxRequest))
	if err != nil {
		return enrol.Response{}, refuse(http.StatusBadRequest, metrics.IssuerRequest, "%v", err)
	}
	key, err := pki.ParseRequest(request.CSR)
	if err != nil {
		return enrol.Response{}, refuse(http.StatusBadRequest, metrics.IssuerRequest, "%v", err)
	}
	// What everybody shares is drawn on only now: neither who sends nothing of use nor
	// who sends it slowly takes any of it.
	if !s.reviews.allow(address.String()) || !s.all.allow("") {
		return enrol.Response{}, busy(http.StatusTooManyRequests)
	}
	select {
	case s.hands <- struct{}{}:
		defer func() { <-s.hands }()
	default:
		return enrol.Response{}, busy(http.StatusServiceUnavailable)
	}
	mark(ctx, true)
	id, no := s.who(ctx, token, address)
	if no != nil {
		return enrol.Response{}, no
	}
	chain, bundle, err := s.authority.Sign(id, key)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not sign")
		return enrol.Response{}, unavailable("the issuer cannot sign now")
	}
	log.FromContext(ctx).V(1).Info("Issued a certificate", "id", id.String(), "until", chain[0].NotAfter)
	return enrol.Response{Chain: pki.DER(chain), Bundle: bundle.PEM()}, nil
}

// who says whom to certify.
func (s *Server) who(ctx context.Context, token string, address netip.Addr) (pki.ID, *refusal) {
	c, no := identify(ctx, s.client, token)
	if no != nil {
		return pki.ID{}, no
	}
	pod, no := s.registrar.find(ctx, c, address)
	if no != nil {
		return pki.ID{}, no
	}
	// Only the pod itself draws on its allowance, not who stole its token.
	if !s.pods.allow(c.uid) {
		return pki.ID{}, busy(http.StatusTooManyRequests)
	}
	return s.registrar.name(ctx, c, pod)
}

// busy is more than is taken on.
func busy(status int) *refusal {
	no := retry(refuse(0, metrics.IssuerBusy, "the issuer is asked more often than it answers"), status)
	no.after = 5 * time.Second
	return no
}

func write(ctx context.Context, w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		log.FromContext(ctx).Error(err, "Could not write an answer")
		status, text = http.StatusInternalServerError, []byte("{}")
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := w.Write(text); err != nil {
		log.FromContext(ctx).V(1).Info("Nobody took the answer", "error", err.Error())
	}
}
