package witness

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Change is one write that admission let through. It may still have failed
// afterwards: quota, a conflict, another webhook.
type Change struct {
	// ID is that of the admission request.
	ID string `json:"id"`
	// Kind, Namespace and Name are the object.
	Kind      string `json:"kind"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	// Operation is CREATE, UPDATE or DELETE.
	Operation string `json:"operation"`
	// User is who asked, as the API server knows them.
	User string `json:"user"`
	// Time is when admission was asked.
	Time metav1.MicroTime `json:"time"`
}

// Object names what changed.
type Object struct {
	Kind, Namespace, Name string
}

// Object is what changed.
func (c *Change) Object() Object {
	return Object{Kind: c.Kind, Namespace: c.Namespace, Name: c.Name}
}
