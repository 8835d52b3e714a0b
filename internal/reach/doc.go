// Package reach tells what the NetworkPolicies of a cluster let through. Its one promise: what it calls covered is
// covered for every pod, namespace and address that could ever exist, and whatever it cannot prove it reports.
//
// It reads nothing and keeps nothing: objects in, answers out. Two questions are answered:
//
//   - [World.Widenings]: which rule of which policy opens a way that nobody declared, and which way.
//   - [World.Isolated]: is every pod of a target selected by some policy, so that what is not permitted is refused.
//
// What NetworkPolicy itself leaves open stays open here and is said where it matters: a pod's own node and a pod's way
// to itself are never restricted, pods on the host's network are undefined, an ipBlock may or may not match the address
// of a pod, protocols other than TCP, UDP and SCTP may or may not be dropped, and a network plugin may enforce nothing
// at all. Cluster-wide admin policies are not looked at.
package reach
