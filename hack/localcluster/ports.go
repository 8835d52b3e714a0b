package main

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
)

// Ports are taken from below the range that Linux (32768) and macOS (49152) hand out to
// outgoing connections, so that none of those can take a port between our look and its use.
const (
	firstPort = 20000
	lastPort  = 29999
)

// freePorts returns n different ports that are free on loopback right now.
func freePorts(n int, draw func() int) (ports []int, err error) {
	var held []io.Closer
	defer func() {
		for _, l := range held {
			err = errors.Join(err, l.Close())
		}
	}()
	for range 100 * n {
		if len(ports) == n {
			return ports, nil
		}
		port := draw()
		l, listenErr := net.Listen("tcp4", loopback(port))
		if listenErr != nil {
			err = listenErr
			continue
		}
		held = append(held, l)
		ports = append(ports, port)
	}
	return nil, fmt.Errorf("finding %d free ports on loopback: %w", n, err)
}

func drawPort() int { return firstPort + rand.IntN(lastPort-firstPort+1) }

func portText(port int) string { return strconv.Itoa(port) }
func loopback(port int) string { return net.JoinHostPort("127.0.0.1", portText(port)) }
func localURL(port int) string { return "https://" + loopback(port) }
