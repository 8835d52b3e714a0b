//go:build !linux

package main

import "errors"

// seen is what was seen of packets.
type seen struct {
	Packets int
	Found   map[string]int
	TLS13   map[string]int
}

func (seen) String() string { return "" }

type nobody struct{}

func (nobody) Seen() (seen, error) { return seen{}, errors.ErrUnsupported }
func (nobody) Close() error        { return nil }

// watch is what only Linux has a node for.
func watch(...string) (nobody, error) { return nobody{}, errors.ErrUnsupported }
