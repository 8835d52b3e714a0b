package engine

import apiequality "k8s.io/apimachinery/pkg/api/equality"

// equal compares as the API server would: nil and empty are the same.
func equal[T any](a, b T) bool {
	return apiequality.Semantic.DeepEqual(a, b)
}
