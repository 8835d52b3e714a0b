// Command records is an application that keeps patients' records, as people write one
// that has never heard of the proxy: it speaks HTTP in the clear, calls another by name
// and port, and logs in to PostgreSQL with a password.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	patience = 5 * time.Second
	headTime = time.Minute
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "records:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// run serves until ctx ends, or waits for the database, or asks once.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("records", flag.ContinueOnError)
	listen := flags.String("listen", "8080", "ports for HTTP, separated by commas")
	upstream := flags.String("upstream", "", "who keeps the records, as http://host:port; this one where it is empty")
	keep := flags.String("keep", "", "a record, for an application without a database")
	settings := flags.String("database", "", "settings of the connection to the database, beside PGHOST and its like")
	wait := flags.Bool("wait", false, "wait until the database lets this application in, and end")
	try := flags.Bool("try", false, "log in to the database once, and end")
	get := flags.String("get", "", "ask once, with TOKEN of the environment as who is there, print the answer and end")
	again := flags.Duration("again", 0, "with get: for how long to ask again while there is no answer")
	at := flags.String("at", "", "with get: where to connect to, as host:port, in place of what is asked for")
	flags.DurationVar(&connections.Timeout, "within", connections.Timeout, "with get: how long an answer may take")
	if err := flags.Parse(args); err != nil {
		return err
	}
	switch {
	case *wait:
		return await(ctx, *settings)
	case *try:
		return login(ctx, *settings)
	case *get != "":
		if *at != "" {
			connections.Transport = connectingTo(*at)
		}
		text, err := persist(ctx, *get, *again)
		fmt.Print(text) //nolint:forbidigo // a Job's answer
		return err
	}
	failed := make(chan error, 1)
	var servers []*http.Server
	for port := range strings.SplitSeq(*listen, ",") {
		server := &http.Server{Addr: ":" + port, Handler: handler(*upstream, *keep), ReadHeaderTimeout: headTime}
		servers = append(servers, server)
		go func() { failed <- server.ListenAndServe() }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	// What is under way is finished, as every application that is told to end should.
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	var errs []error
	for _, server := range servers {
		errs = append(errs, server.Shutdown(end))
	}
	return errors.Join(errs...)
}

func handler(upstream, kept string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /patients/{id}", func(w http.ResponseWriter, r *http.Request) {
		switch {
		case upstream != "":
			answer(w)(fetch(r.Context(), upstream+r.URL.Path))
		case kept != "":
			answer(w)(kept, nil)
		default:
			answer(w)(look(r.Context(), r.PathValue("id")))
		}
	})
	mux.HandleFunc("GET /caller", func(w http.ResponseWriter, r *http.Request) { answer(w)(r.RemoteAddr, nil) })
	mux.HandleFunc("GET /fields", func(w http.ResponseWriter, r *http.Request) { answer(w)(fmt.Sprint(r.Header), nil) })
	var busy atomic.Int32
	mux.HandleFunc("GET /busy", func(w http.ResponseWriter, _ *http.Request) { answer(w)(strconv.Itoa(int(busy.Load())), nil) })
	mux.HandleFunc("GET /slow", func(w http.ResponseWriter, r *http.Request) {
		busy.Add(1)
		defer busy.Add(-1)
		d, err := time.ParseDuration(r.FormValue("for"))
		if err == nil {
			<-time.After(d)
		}
		answer(w)("slow", err)
	})
	mux.HandleFunc("GET /fetch", func(w http.ResponseWriter, r *http.Request) { answer(w)(fetch(r.Context(), r.FormValue("from"))) })
	mux.HandleFunc("GET /load", func(w http.ResponseWriter, r *http.Request) {
		d, err := time.ParseDuration(r.FormValue("for"))
		if err != nil {
			answer(w)("", err)
			return
		}
		_ = json.NewEncoder(w).Encode(load(r.Context(), r.FormValue("from"), d))
	})
	for _, probe := range []string{"/readyz", "/livez"} {
		mux.HandleFunc("GET "+probe, func(http.ResponseWriter, *http.Request) {})
	}
	return mux
}

func answer(w http.ResponseWriter) func(string, error) {
	return func(text string, err error) {
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			text = err.Error()
		}
		_, _ = io.WriteString(w, text) //nolint:gosec // a test reads it, no browser
	}
}

var connections = &http.Client{Timeout: time.Minute}

// connectingTo is for who goes elsewhere than names lead, as settings and name servers can have an
// application do.
func connectingTo(at string) http.RoundTripper {
	return &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, at)
	}}
}

// fetch keeps connections, as applications do.
func fetch(ctx context.Context, address string) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody) //nolint:gosec // to ask what it is told to is what it is for
	if err != nil {
		return "", err
	}
	if token := os.Getenv("TOKEN"); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := connections.Do(r) //nolint:gosec // as said
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, text)
	}
	return string(text), err
}

// persist asks again for a while, as clients do whose server starts beside them.
func persist(ctx context.Context, address string, length time.Duration) (string, error) {
	end := time.After(length)
	for {
		text, err := fetch(ctx, address)
		if err == nil {
			return text, nil
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-end:
			return "", err
		case <-time.After(time.Second):
		}
	}
}

// login connects as PGHOST and its like say, and with settings that go before them.
func login(ctx context.Context, settings string) error {
	conn, err := pgx.Connect(ctx, settings)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// look reads a record, and who the server takes the client for.
func look(ctx context.Context, id string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, "")
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	var text, client string
	err = conn.QueryRow(ctx, "SELECT record, host(inet_client_addr()) FROM patients WHERE id = $1", id).Scan(&text, &client)
	return text + " read from " + client, err
}

// await is what an init container does that has its database to wait for.
func await(ctx context.Context, settings string) error {
	for {
		err := login(ctx, settings)
		if err == nil {
			return nil
		}
		fmt.Fprintln(os.Stderr, "records: waiting:", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Second):
		}
	}
}

// loaded is what became of a steady load.
type loaded struct {
	Answered int    `json:"answered"`
	Failed   int    `json:"failed"`
	First    string `json:"first"` // of the failures
}

// load asks twenty times a second, one after the other.
func load(ctx context.Context, address string, d time.Duration) loaded {
	var l loaded
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.After(d); ; {
		select {
		case <-end:
			return l
		case <-ctx.Done():
			return l
		case <-tick.C:
		}
		if _, err := fetch(ctx, address); err != nil {
			l.Failed++
			if l.First == "" {
				l.First = err.Error()
			}
			continue
		}
		l.Answered++
	}
}
