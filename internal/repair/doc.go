// Package repair puts right what departs from what the operator wants. Its
// promise: nothing is called drift that the API server itself has not shown to
// be different, and no running pod is taken away unless a better one is sure to
// take its place.
package repair
