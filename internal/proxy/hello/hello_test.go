package hello

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// first is what Go's own client says first.
func first(tb testing.TB, c *tls.Config) []byte {
	tb.Helper()
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	ctx, stop := context.WithCancel(tb.Context())
	defer stop()
	go func() { _ = tls.Client(here, c).HandshakeContext(ctx) }()
	head := make([]byte, 5)
	if _, err := io.ReadFull(there, head); err != nil {
		tb.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8|int(head[4]))
	if _, err := io.ReadFull(there, body); err != nil {
		tb.Fatal(err)
	}
	return slices.Concat(head, body)
}

// saying is a caller who says something, in pieces, and then nothing more.
func saying(t *testing.T, words []byte, piece int) net.Conn {
	t.Helper()
	here, there := net.Pipe()
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	go func() {
		for len(words) > 0 {
			n := min(piece, len(words))
			if _, err := here.Write(words[:n]); err != nil {
				return
			}
			words = words[n:]
		}
		_ = here.Close()
	}()
	return there
}

// split puts one handshake message into two records.
func split(record []byte, at int) []byte {
	body := record[5:]
	var out []byte
	for _, part := range [][]byte{body[:at], body[at:]} {
		out = append(out, record[0], record[1], record[2], byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
	}
	return out
}

func TestWhomACallerMeans(t *testing.T) {
	vendor := first(t, &tls.Config{ServerName: "API.Vendor.example"})
	for name, tc := range map[string]struct {
		words []byte
		want  string
		err   error
	}{
		"a name":                       {vendor, "api.vendor.example", nil},
		"over TLS 1.2":                 {first(t, &tls.Config{ServerName: "old.vendor.example", MaxVersion: tls.VersionTLS12}), "old.vendor.example", nil},
		"over nothing newer than 1.1":  {first(t, &tls.Config{ServerName: "old.vendor.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}), "", ErrOutdated},
		"over 1.0 as well as 1.2":      {first(t, &tls.Config{ServerName: "old.vendor.example", MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS12}), "old.vendor.example", nil},
		"in two records":               {split(vendor, 7), "api.vendor.example", nil},
		"no name":                      {first(t, &tls.Config{InsecureSkipVerify: true}), "", ErrNameless},
		"an address":                   {first(t, &tls.Config{ServerName: "192.0.2.1"}), "", ErrNameless},
		"HTTP without TLS":             {[]byte("GET / HTTP/1.1\r\nHost: api.vendor.example\r\n\r\n"), "", ErrCleartext},
		"less than a record":           {[]byte("Q"), "", ErrCleartext},
		"a record of application data": {[]byte{23, 3, 3, 0, 1, 0}, "", ErrCleartext},
		"a hello that breaks off":      {vendor[:40], "", io.EOF},
		"nothing":                      {nil, "", io.EOF},
		"rubbish in a record":          {append([]byte{22, 3, 1, 0, 64}, bytes.Repeat([]byte{1}, 64)...), "", ErrMalformed},
		"a message without end":        {append([]byte{22, 3, 1, 64, 0, 1, 255, 255, 255}, bytes.Repeat([]byte{0}, 16<<10-4)...), "", ErrMalformed},
	} {
		for _, piece := range []int{1, 3, 1 << 20} {
			t.Run(name, func(t *testing.T) {
				conn := saying(t, tc.words, piece)
				got, words, err := Read(conn)
				if got != tc.want || !errors.Is(err, tc.err) {
					t.Errorf("Read() = %q, %v; want %q, %v", got, err, tc.want, tc.err)
				}
				if err == nil {
					rest, _ := io.ReadAll(conn)
					if !bytes.Equal(append(words, rest...), tc.words) {
						t.Errorf("%d bytes were read and %d are left, of %d", len(words), len(rest), len(tc.words))
					}
				}
			})
		}
	}
}

func TestAWaitEndsAtTheDeadline(t *testing.T) {
	here, there := net.Pipe()
	defer func() { _, _ = here.Close(), there.Close() }()
	_ = there.SetReadDeadline(time.Now().Add(-time.Second))
	_, _, err := Read(there)
	if late, is := errors.AsType[net.Error](err); !is || !late.Timeout() {
		t.Errorf("Read() = %v, want that the time is over", err)
	}
}

func FuzzRead(f *testing.F) {
	vendor := first(f, &tls.Config{ServerName: "api.vendor.example"})
	f.Add(vendor)
	f.Add(split(vendor, 11))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		name, words, err := Read(&said{Reader: bytes.NewReader(data)})
		if !bytes.HasPrefix(data, words) || len(words) > Max {
			t.Errorf("%d bytes of %d were read, and others", len(words), len(data))
		}
		if (err == nil) != (name != "") {
			t.Errorf("Read() = %q, %v", name, err)
		}
	})
}

// said is a connection that only says something.
type said struct {
	net.Conn
	*bytes.Reader
}

func (s *said) Read(p []byte) (int, error) { return s.Reader.Read(p) }

func (*said) SetDeadline(time.Time) error      { return nil }
func (*said) SetReadDeadline(time.Time) error  { return nil }
func (*said) SetWriteDeadline(time.Time) error { return nil }
func (*said) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (*said) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
