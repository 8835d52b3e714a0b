// Package storage says how the data of a volume is encrypted at rest, on which evidence, and says Unknown where the
// cluster's objects do not show it.
//
// Its one promise: no volume is graded encrypted unless an object that decides it says so, or the provider encrypts
// every volume and documents that. What was not read, contradicts itself, could have been written by someone who does
// not decide, or belongs to another volume, is Unknown and never silently left out.
//
// What a parameter means is data: one [Driver] per CSI driver in drivers.go, nothing else in this package names one.
// The package is pure: no client, no clock, no log.
package storage
