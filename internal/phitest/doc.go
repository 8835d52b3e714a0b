// Package phitest builds the objects that tests talk about. Its promise: what a
// builder makes is accepted by a real API server and violates no control, and a
// test says only what departs from that.
//
//	phitest.Workload("patient-api").Port("http", 8080).From(phitest.FromWorkload("portal")).Obj()
//
// Every builder is a value that is changed in place and returns itself; Obj
// returns a deep copy, so that one builder can serve several objects.
package phitest

import (
	"maps"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Names that builders use unless told otherwise.
const (
	// DefaultNamespace is where namespaced objects live.
	DefaultNamespace = "ehr"
	// EncryptedClass is the class of claims and of Class.
	EncryptedClass = "hipaa-encrypted"
	// Team is the owner of workloads.
	Team = "clinical-apps"
)

// Epoch is the instant at which tests begin. It has no fraction of a second, as
// stored objects have none.
var Epoch = time.Date(2026, time.March, 2, 9, 0, 0, 0, time.UTC)

// After is Epoch plus a duration, as objects hold it.
func After(d time.Duration) metav1.Time {
	return metav1.NewTime(Epoch.Add(d))
}

// pairs turns key, value, key, value into a map.
func pairs(keysAndValues []string) map[string]string {
	m := make(map[string]string, len(keysAndValues)/2)
	for i := 0; i+1 < len(keysAndValues); i += 2 {
		m[keysAndValues[i]] = keysAndValues[i+1]
	}
	return m
}

// merged returns into with more added; into may be nil.
func merged(into, more map[string]string) map[string]string {
	if into == nil {
		into = make(map[string]string, len(more))
	}
	maps.Copy(into, more)
	return into
}

// Labels is a selector by exact labels, as key, value, key, value.
func Labels(keysAndValues ...string) *metav1.LabelSelector {
	if len(keysAndValues) == 0 {
		return &metav1.LabelSelector{}
	}
	return &metav1.LabelSelector{MatchLabels: pairs(keysAndValues)}
}

// NamespaceNamed is a selector of one namespace by its name.
func NamespaceNamed(name string) *metav1.LabelSelector {
	return Labels("kubernetes.io/metadata.name", name)
}
