package app

import (
	"fmt"

	"k8s.io/apimachinery/pkg/runtime"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Scheme knows the kinds of Kubernetes and of this project.
func Scheme() (*runtime.Scheme, error) {
	scheme := runtime.NewScheme()
	if err := clientgoscheme.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the kinds of Kubernetes: %w", err)
	}
	if err := hipaav1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("registering the kinds of this project: %w", err)
	}
	return scheme, nil
}
