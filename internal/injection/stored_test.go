package injection

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Who creates a pod can write a version into it: the API server takes 0 from them.
func TestOnlyTheAPIServerStores(t *testing.T) {
	for version, want := range map[string]bool{"": false, "0": false, "00": false, "-1": false, "new": false, "4711": true} {
		if got := Stored(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{ResourceVersion: version}}); got != want {
			t.Errorf("Stored(%q) = %t", version, got)
		}
	}
}
