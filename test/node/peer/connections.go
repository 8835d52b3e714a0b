package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// connections are opened by one request and used by a later one, to see what a
// change in between does to them.
type connections struct {
	mu  sync.Mutex
	all []net.Conn
}

// open connects and returns the number under which the connection is found again.
func (c *connections) open(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, conn)
	return strconv.Itoa(len(c.all) - 1), nil
}

// ask sends a request over the connection and closes it.
func (c *connections) ask(id string) (string, error) {
	conn, err := c.take(id)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n"); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}

func (c *connections) take(id string) (net.Conn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := strconv.Atoi(id)
	if err != nil || n < 0 || n >= len(c.all) {
		return nil, errors.New("no such connection")
	}
	return c.all[n], nil
}
