package splice

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

// pair is both ends of a connection over loopback.
func pair(t *testing.T) (here, there *net.TCPConn) {
	t.Helper()
	listener, err := net.ListenTCP("tcp", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	conn, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	here, _ = conn.(*net.TCPConn) // as Dial says of tcp
	if there, err = listener.AcceptTCP(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

// secured is both ends of a TLS connection.
func secured(t *testing.T) (here, there *tls.Conn) {
	t.Helper()
	client, server := pair(t)
	authority := proxytest.NewAuthority(t, time.Now())
	own := authority.Leaf(t, time.Now(), "spiffe://cluster.local/ns/ehr/sa/db")
	there = tls.Server(server, &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{*own}})
	here = tls.Client(client, &tls.Config{MinVersion: tls.VersionTLS13, InsecureSkipVerify: true})
	go func() { _ = there.Handshake() }()
	if err := here.Handshake(); err != nil {
		t.Fatal(err)
	}
	return here, there
}

func TestBytesArriveInTheirOrderAndEndsArePassedOn(t *testing.T) {
	for name, middle := range map[string]func(*testing.T) (Conn, Conn){
		"plain": func(t *testing.T) (Conn, Conn) { return pair(t) },
		"TLS":   func(t *testing.T) (Conn, Conn) { return secured(t) },
	} {
		t.Run(name, func(t *testing.T) {
			app, fromApp := pair(t)
			toServer, server := middle(t)
			done := make(chan struct{})
			go func() { Join(fromApp, toServer); close(done) }()

			request, reply := make([]byte, 3<<20), make([]byte, 1<<20)
			_, _ = rand.Read(request)
			_, _ = rand.Read(reply)
			go func() {
				_, _ = app.Write(request)
				_ = app.CloseWrite()
			}()
			if got, err := io.ReadAll(server); err != nil || !bytes.Equal(got, request) {
				t.Fatalf("the server got %d bytes of %d, %v", len(got), len(request), err)
			}
			// What asks is done; what answers is not.
			go func() {
				_, _ = server.Write(reply)
				_ = server.CloseWrite()
			}()
			if got, err := io.ReadAll(app); err != nil || !bytes.Equal(got, reply) {
				t.Errorf("the application got %d bytes of %d, %v", len(got), len(reply), err)
			}
			<-done
			if _, err := fromApp.Write([]byte("x")); err == nil {
				t.Error("the connection is open after Join")
			}
		})
	}
}

func TestAFailureOfOneSideEndsBoth(t *testing.T) {
	app, fromApp := pair(t)
	toServer, server := pair(t)
	done := make(chan struct{})
	go func() { Join(fromApp, toServer); close(done) }()
	_ = server.SetLinger(0)
	_ = server.Close() // is a reset
	if _, err := io.ReadAll(app); err == nil {
		// An orderly end is as good: nobody waits.
		_ = app.Close()
	}
	<-done
}

func BenchmarkCopy(b *testing.B) {
	source := make([]byte, 64<<10)
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Copy(io.Discard, bytes.NewReader(source)); err != nil {
			b.Fatal(err)
		}
	}
}
