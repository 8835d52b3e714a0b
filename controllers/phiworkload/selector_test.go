package phiworkload

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestDisjointSelectors(t *testing.T) {
	in := metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"db"}}}}
	tests := map[string]struct {
		giveA, giveB *metav1.LabelSelector
		want         bool
	}{
		"different values of one label":         {phitest.Labels("app", "api"), phitest.Labels("app", "db", "tier", "x"), true},
		"the same value":                        {phitest.Labels("app", "api"), phitest.Labels("app", "api", "tier", "x"), false},
		"different labels":                      {phitest.Labels("app", "api"), phitest.Labels("tier", "x"), false},
		"everything":                            {phitest.Labels(), phitest.Labels("app", "api"), false},
		"expressions are not looked into":       {phitest.Labels("app", "api"), &in, false},
		"the second says it, the first as well": {phitest.Labels("app", "db", "tier", "x"), phitest.Labels("app", "api"), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := disjoint(tt.giveA, tt.giveB); got != tt.want {
				t.Errorf("disjoint() = %v, want %v", got, tt.want)
			}
		})
	}
}
