//go:build !race

package inbound

const raced = false
