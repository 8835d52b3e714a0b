//go:build race

package inbound

// raced says that pools lose things at random, so that races show.
const raced = true
