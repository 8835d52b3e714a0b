package outcome

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
)

// maxNote bounds the text of an event, in bytes, as the API server does.
const maxNote = 1000

// Event is one thing that people should hear of.
type Event struct {
	// Warning says that it is not as it should be.
	Warning bool
	// Reason is a word of the API.
	Reason string
	// Action tells apart what must not be counted together: of events with the
	// same reason, action, object and related object only the first text is kept.
	Action string
	// Related is the other object that it concerns. Optional.
	Related *corev1.ObjectReference
	Note    string
}

// Apart makes an action that tells events apart by what they say, where nothing else
// does: the API counts those of one action together and keeps the first text alone.
func Apart(action string, texts ...string) string {
	sum := fnv.New32a()
	// Writing into a hash cannot fail.
	_, _ = sum.Write([]byte(strings.Join(texts, "\x00")))
	return fmt.Sprintf("%s-%08x", action, sum.Sum32())
}

// Hours is a time in words where it is one of whole days or hours, such as "7 days" or
// "36 hours".
func Hours(d time.Duration) string {
	const day = 24 * time.Hour
	if d%time.Hour != 0 {
		return d.String()
	}
	count, unit := int64(d/time.Hour), "hour"
	if d%day == 0 {
		count, unit = int64(d/day), "day"
	}
	if count != 1 {
		unit += "s"
	}
	return fmt.Sprintf("%d %s", count, unit)
}

// About records the event about an object.
func (e Event) About(object runtime.Object, recorder events.EventRecorder) {
	kind := corev1.EventTypeNormal
	if e.Warning {
		kind = corev1.EventTypeWarning
	}
	var related runtime.Object
	if e.Related != nil {
		related = e.Related
	}
	recorder.Eventf(object, related, kind, e.Reason, e.Action, "%s", Shorten(e.Note, maxNote))
}

// Event tells of a condition that became something else.
func (t Transition) Event() Event {
	return Event{
		Warning: t.After.Status != "True", Reason: t.After.Reason, Action: t.After.Type,
		Note: t.After.Type + ": " + t.After.Message,
	}
}
