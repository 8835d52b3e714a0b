// Package version says which build this is. Its promise: a released binary names
// the commit that it was made from.
package version

// version is set by the linker (GO_LDFLAGS in the Makefile).
var version = "development"

// String is the version of this build, such as v0.1.0 or v0.1.0-3-g1a2b3c4.
func String() string { return version }
