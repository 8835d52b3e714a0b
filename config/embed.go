// Package config carries the admission manifests inside the binary, so that the
// manager can put them back. Its promise: what is restored is what was installed.
package config

import "embed"

// Admission holds webhook/mutating.yaml, webhook/validating.yaml and the policies
// of admission/ and backstop/, as applied by kustomize.
//
//go:embed webhook/mutating.yaml webhook/validating.yaml admission/*.yaml backstop/*.yaml
var Admission embed.FS

// Profiles holds the profiles of profiles/, for the command line.
//
//go:embed profiles/*.yaml
var Profiles embed.FS
