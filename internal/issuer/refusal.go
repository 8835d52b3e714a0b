package issuer

import (
	"fmt"
	"net/http"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/metrics"
)

// refusal is why somebody gets no certificate.
type refusal struct {
	status int
	result metrics.IssuerResult
	text   string
	// after is when asking again may help; zero where only a change does.
	after time.Duration
}

func refuse(status int, result metrics.IssuerResult, format string, values ...any) *refusal {
	return &refusal{status: status, result: result, text: fmt.Sprintf(format, values...)}
}

// retry makes a refusal one that time heals.
func retry(no *refusal, status int) *refusal {
	no.status, no.after = status, soon
	return no
}

// unavailable is a question that could not be asked.
func unavailable(text string) *refusal {
	return retry(refuse(0, metrics.IssuerError, "%s", text), http.StatusServiceUnavailable)
}
