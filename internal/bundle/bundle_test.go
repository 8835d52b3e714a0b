package bundle

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/manager"
)

// A manager runs on the leader alone what does not say otherwise.
func TestEveryReplicaWatches(t *testing.T) {
	var watch manager.LeaderElectionRunnable = &Published{}
	if watch.NeedLeaderElection() {
		t.Error("replicas that do not lead would refuse every pod")
	}
}
