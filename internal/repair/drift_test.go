package repair

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestWhatEventsTellOfDrift(t *testing.T) {
	tests := map[string]struct {
		give               Drift
		detected, corrects string
	}{
		"a field": {
			give:     Drift{Kind: "NetworkPolicy", Name: "api", Path: "spec.ingress", Was: "[{}]", Want: "[]", Who: "rob", Took: 7 * time.Millisecond},
			detected: "NetworkPolicy/api spec.ingress: found [{}], want [], by rob",
			corrects: "NetworkPolicy/api spec.ingress put right after 7ms",
		},
		"the whole of an object": {
			give:     Drift{Kind: "NetworkPolicy", Name: "api", Path: ".", Was: absent, Want: present, Who: "rob", Took: time.Second},
			detected: "NetworkPolicy/api: found absent, want present, by rob",
			corrects: "NetworkPolicy/api put right after 1s",
		},
		"what somebody added is told by what it does": {
			give:     Drift{Kind: "NetworkPolicy", Name: "open", Path: "spec.ingress[0]", Was: "opens PHIWorkload api: anyone may connect", Want: absent, Who: "rob"},
			detected: "NetworkPolicy/open spec.ingress[0] opens PHIWorkload api: anyone may connect; want it gone, by rob",
			corrects: "NetworkPolicy/open spec.ingress[0] put right after 0s",
		},
		"what borrowed the operator's labels": {
			give:     Drift{Kind: "NetworkPolicy", Name: "x", Path: ".", Was: present, Want: absent, Who: "rob"},
			detected: "NetworkPolicy/x: found present, want absent, by rob",
			corrects: "NetworkPolicy/x put right after 0s",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := [2]string{tt.give.DetectedEvent().Note, tt.give.CorrectedEvent().Note}
			if diff := cmp.Diff([2]string{tt.detected, tt.corrects}, got); diff != "" {
				t.Errorf("detected, corrected (-want +got):\n%s", diff)
			}
		})
	}
}
