package proxy

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// span is how long one figure is measured.
const span = 3 * time.Second

// request is what each contender is asked.
func (c *contender) request() []byte {
	text := "GET /fhir/Patient?_id=1 HTTP/1.1\r\nHost: patient-api\r\nUser-Agent: bench\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n"
	if c.token != "" {
		text += "Authorization: Bearer " + c.token + "\r\n"
	}
	return []byte(text + "\r\n")
}

// dial is one connection, with a full handshake.
func (b *bench) dial(c *contender, config *tls.Config) (net.Conn, error) {
	raw, err := new(net.Dialer).DialContext(b.Context(), "tcp", address(c.port))
	if err != nil || c.plain {
		return raw, err
	}
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(b.Context()); err != nil {
		_ = raw.Close()
		return nil, err
	}
	return conn, nil
}

func (b *bench) config() *tls.Config {
	return &tls.Config{
		InsecureSkipVerify: true, MinVersion: tls.VersionTLS13, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{*b.root.Leaf(b, time.Now(), caller)},
		// One curve for all: nginx and haproxy of this age know no post-quantum one, and
		// validated modules no X25519 alone.
		CurvePreferences: []tls.CurveID{tls.CurveP256},
	}
}

// await waits until a contender answers, and checks that it is the application's answer.
func (b *bench) await(c *contender) {
	b.Helper()
	config := b.config()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	var last error
	for range 200 {
		conn, err := b.dial(c, config)
		if err == nil {
			_, err = conn.Write(c.request())
			var res *http.Response
			if err == nil {
				res, err = http.ReadResponse(bufio.NewReader(conn), nil)
			}
			if err == nil {
				text, _ := io.ReadAll(res.Body)
				_ = res.Body.Close()
				if res.StatusCode == http.StatusOK && len(text) == 1024 {
					_ = conn.Close()
					return
				}
				err = fmt.Errorf("it answers %d with %d bytes", res.StatusCode, len(text))
			}
			_ = conn.Close()
		}
		last = err
		<-tick.C
	}
	b.Fatalf("%s does not come up: %v", c.name, last)
}

// requests prints the table of requests on connections that stay, as fast as they go.
func (b *bench) requests(contenders []contender) {
	var table strings.Builder
	fmt.Fprintf(&table, "%-15s %5s %9s %9s %9s %9s %9s\n", "", "conns", "rps", "p50 us", "p99 us", "CPU us", "RSS MiB")
	for _, conns := range []int{1, 16, 64} {
		for i := range contenders {
			b.row(&table, &contenders[i], conns, conns, 0)
		}
	}
	b.Logf("requests of 1 KiB on connections that stay:\n%s", table.String())
}

// rates prints the table of requests that come so many a second, whether or not those
// before were answered: how late an answer is counts from when its request was due.
func (b *bench) rates(contenders []contender) {
	const conns = 16
	var table strings.Builder
	fmt.Fprintf(&table, "%-15s %5s %9s %9s %9s %9s %9s\n", "", "asked", "rps", "p50 us", "p99 us", "CPU us", "RSS MiB")
	for _, rate := range []int{500, 1000, 2000} {
		for i := range contenders {
			b.row(&table, &contenders[i], rate, conns, conns*time.Second/time.Duration(rate))
		}
	}
	b.Logf("requests of 1 KiB at a fixed rate on %d connections:\n%s", conns, table.String())
}

// row measures one contender.
func (b *bench) row(table *strings.Builder, c *contender, first, conns int, every time.Duration) {
	before := cpu(b, c.pid)
	took := b.load(c, conns, every)
	used := cpu(b, c.pid) - before
	slices.Sort(took)
	n := len(took)
	fmt.Fprintf(table, "%-15s %5d %9.0f %9d %9d %9.1f %9.1f\n", c.name, first, float64(n)/span.Seconds(),
		took[n/2].Microseconds(), took[n*99/100].Microseconds(), float64(used.Microseconds())/float64(n), float64(rss(b, c.pid))/(1<<20))
}

// load asks on so many connections and says how long each answer took. On each a request
// is due every so often; zero is when the one before was answered.
func (b *bench) load(c *contender, conns int, every time.Duration) []time.Duration {
	config := b.config()
	var all []time.Duration
	var mu sync.Mutex
	var group sync.WaitGroup
	var open []net.Conn
	for range conns {
		conn, err := b.dial(c, config)
		if err != nil {
			b.Fatalf("dialling %s: %v", c.name, err)
		}
		open = append(open, conn)
	}
	begin := time.Now()
	for i, conn := range open {
		s := schedule{first: begin.Add(every * time.Duration(i) / time.Duration(conns)), every: every, end: begin.Add(span)}
		group.Go(func() {
			defer conn.Close()
			took, err := ask(conn, c.request(), s)
			if err != nil {
				b.Errorf("%s: %v", c.name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			all = append(all, took...)
		})
	}
	group.Wait()
	if len(all) == 0 {
		b.Fatalf("%s answers nothing", c.name)
	}
	return all
}

// schedule says when requests are due.
type schedule struct {
	first, end time.Time
	every      time.Duration
}

// due waits until the nth request is.
func (s *schedule) due(n int) time.Time {
	if s.every == 0 {
		return time.Now()
	}
	at := s.first.Add(time.Duration(n) * s.every)
	if left := time.Until(at); left > 0 {
		<-time.After(left)
	}
	return at
}

// ask asks again and again.
func ask(conn net.Conn, request []byte, s schedule) ([]time.Duration, error) {
	var took []time.Duration
	buffer := make([]byte, 8<<10)
	for {
		due := s.due(len(took))
		if due.After(s.end) {
			return took, nil
		}
		if _, err := conn.Write(request); err != nil {
			return took, err
		}
		for have, want := 0, -1; have != want; {
			n, err := conn.Read(buffer[have:])
			if err != nil {
				return took, err
			}
			have += n
			if head := bytes.Index(buffer[:have], []byte("\r\n\r\n")); want < 0 && head >= 0 {
				want = head + 4 + 1024
			}
		}
		took = append(took, time.Since(due))
	}
}

// handshakes prints the table of full handshakes.
func (b *bench) handshakes(contenders []contender) {
	const workers = 8
	var table strings.Builder
	fmt.Fprintf(&table, "%-15s %12s %9s\n", "", "handshakes/s", "CPU ms")
	for i := range contenders {
		c := &contenders[i]
		if c.plain {
			continue
		}
		config := b.config()
		before, end := cpu(b, c.pid), time.Now().Add(span)
		var mu sync.Mutex
		var group sync.WaitGroup
		count := 0
		for range workers {
			group.Go(func() {
				n, err := shake(b, c, config, end)
				if err != nil {
					b.Errorf("%s: %v", c.name, err)
				}
				mu.Lock()
				defer mu.Unlock()
				count += n
			})
		}
		group.Wait()
		used := cpu(b, c.pid) - before
		fmt.Fprintf(&table, "%-15s %12.0f %9.2f\n", c.name, float64(count)/span.Seconds(), float64(used.Microseconds())/1000/float64(count))
	}
	b.Logf("full handshakes, each with one request:\n%s", table.String())
}

// shake connects, asks once, so that the server has verified the caller, and closes.
func shake(b *bench, c *contender, config *tls.Config, end time.Time) (int, error) {
	request := c.request()
	for n := 0; ; n++ {
		if time.Now().After(end) {
			return n, nil
		}
		conn, err := b.dial(c, config)
		if err != nil {
			return n, err
		}
		if _, err = conn.Write(request); err == nil {
			_, err = conn.Read(make([]byte, 4<<10))
		}
		_ = conn.Close()
		if err != nil {
			return n, err
		}
	}
}

// family is a process with its children: nginx works in those.
func family(pid int) []int {
	if pid == 0 {
		return nil
	}
	all := []int{pid}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // none where it is gone
	for child := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(child); err == nil {
			all = append(all, family(n)...)
		}
	}
	return all
}

// cpu is the processor time that a process and its children have used.
func cpu(tb testing.TB, pid int) time.Duration {
	tb.Helper()
	const tick = time.Second / 100
	var sum time.Duration
	for _, member := range family(pid) {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(member), "stat"))
		if err != nil {
			tb.Fatalf("reading the time of a process: %v", err)
		}
		// The name stands in brackets and may hold anything.
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		for _, field := range fields[11:13] {
			n, err := strconv.Atoi(field)
			if err != nil {
				tb.Fatalf("reading the time of a process: %v", err)
			}
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// rss is the memory that a process and its children hold.
func rss(tb testing.TB, pid int) int {
	tb.Helper()
	sum := 0
	for _, member := range family(pid) {
		text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(member), "statm"))
		if err != nil {
			tb.Fatalf("reading the memory of a process: %v", err)
		}
		pages, err := strconv.Atoi(strings.Fields(string(text))[1])
		if err != nil {
			tb.Fatalf("reading the memory of a process: %v", err)
		}
		sum += pages * os.Getpagesize()
	}
	return sum
}
