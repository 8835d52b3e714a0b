package main

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
)

const (
	dnsHeader = 12
	typeA     = 1
)

// startResolver answers every question for an IPv4 address with the one given,
// and every other with none. It is the smallest thing that a resolver library
// takes for a name server.
func startResolver(ctx context.Context, address net.IP, failed chan<- error) error {
	conn, err := new(net.ListenConfig).ListenPacket(ctx, "udp", "127.0.0.1:53")
	if err != nil {
		return err
	}
	go func() {
		query := make([]byte, 512)
		for {
			n, from, err := conn.ReadFrom(query)
			if err != nil {
				failed <- err
				return
			}
			if reply, err := replyTo(query[:n], address.To4()); err == nil {
				_, _ = conn.WriteTo(reply, from) // who asked asks again
			}
		}
	}()
	return nil
}

// replyTo repeats the query's one question and answers it.
func replyTo(query []byte, address net.IP) ([]byte, error) {
	end := dnsHeader
	for end < len(query) && query[end] != 0 {
		end += 1 + int(query[end])
	}
	end += 1 + 4 // the root, type and class
	if end > len(query) {
		return nil, errors.New("reading a query: it ends too early")
	}
	reply := append([]byte{}, query[:end]...)
	copy(reply[2:dnsHeader], []byte{0x84, 0, 0, 1, 0, 0, 0, 0, 0, 0}) // an authoritative answer to one question
	if binary.BigEndian.Uint16(query[end-4:]) != typeA {
		return reply, nil
	}
	reply[7] = 1 // one answer: the name above, type A, class IN, not to be kept
	reply = append(reply, 0xc0, dnsHeader, 0, typeA, 0, 1, 0, 0, 0, 0, 0, 4)
	return append(reply, address...), nil
}
