package control_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

func TestWhatASecretSaysOfCopies(t *testing.T) {
	for name, tc := range map[string]struct {
		key, value    string
		offered, from string
	}{
		"nothing":                                 {},
		"that the reflector may":                  {key: "reflector.v1.k8s.emberstack.com/reflection-allowed", value: "True", offered: "reflector.v1.k8s.emberstack.com/reflection-allowed"},
		"that the reflector may not":              {key: "reflector.v1.k8s.emberstack.com/reflection-allowed", value: "false"},
		"that config-syncer is to, everywhere":    {key: "kubed.appscode.com/sync", value: "", offered: "kubed.appscode.com/sync"},
		"that the replicator is to, by pattern":   {key: "replicator.v1.mittwald.de/replicate-to", value: "test-.*", offered: "replicator.v1.mittwald.de/replicate-to"},
		"whose copy it is":                        {key: "replicator.v1.mittwald.de/replicate-from", value: "records/database", from: "records"},
		"that it reflects one of its namespace":   {key: "reflector.v1.k8s.emberstack.com/reflects", value: "ehr/database"},
		"that it reflects one, without namespace": {key: "reflector.v1.k8s.emberstack.com/reflects", value: "database"},
	} {
		t.Run(name, func(t *testing.T) {
			s := control.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "s"}}
			if tc.key != "" {
				s.Annotations = map[string]string{tc.key: tc.value}
			}
			key, from := s.CopiedFrom()
			if s.Offered() != tc.offered || from != tc.from || (key == tc.key) != (from != "") && tc.key != "" {
				t.Errorf("offered by %q, copied from %q by %q; want %q and %q", s.Offered(), from, key, tc.offered, tc.from)
			}
		})
	}
}
