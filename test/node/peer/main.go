// Command peer is what the pods of the node suite run: it listens, and does on
// request what a test wants to see done from inside of a pod.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// patience is how long an answer may take; a dropped packet is one that has none by then.
const patience = 2 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has run
	}
}

// run listens until ctx ends, or, with -get, asks once.
func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("peer", flag.ContinueOnError)
	listen := flags.String("listen", "8080", "ports for HTTP, separated by commas")
	resolve := flags.String("resolve", "", "answer every name with this address, on port 53 of 127.0.0.1")
	get := flags.String("get", "", "ask this address once, host:port, and end")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *get != "" {
		_, err := ask(ctx, *get)
		return err
	}
	failed := make(chan error, 1)
	if *resolve != "" {
		if err := startResolver(ctx, net.ParseIP(*resolve), failed); err != nil {
			return err
		}
	}
	for port := range strings.SplitSeq(*listen, ",") {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", ":"+port)
		if err != nil {
			return err
		}
		server := &http.Server{Handler: handler(), ReadHeaderTimeout: time.Minute}
		go func() { failed <- server.Serve(l) }()
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	}
}

// handler says who it is, and passes questions on.
func handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		name, _ := os.Hostname()
		_, _ = io.WriteString(w, name)
	})
	mux.HandleFunc("/ask", func(w http.ResponseWriter, r *http.Request) {
		answer(w)(ask(r.Context(), r.FormValue("to")))
	})
	held := &connections{}
	mux.HandleFunc("/hold", func(w http.ResponseWriter, r *http.Request) {
		answer(w)(held.open(r.Context(), r.FormValue("to")))
	})
	mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) {
		answer(w)(held.ask(r.FormValue("id")))
	})
	mux.HandleFunc("/lookup", func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithTimeout(r.Context(), 2*patience)
		defer cancel()
		addresses, err := net.DefaultResolver.LookupHost(ctx, r.FormValue("name"))
		answer(w)(strings.Join(addresses, "\n"), err)
	})
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

// ask returns what the peer at this address says. Each question has a connection of its own.
func ask(ctx context.Context, address string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/", http.NoBody) //nolint:gosec // to ask what it is told to is what it is for
	if err != nil {
		return "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(r) //nolint:gosec // as said
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return string(text), err
}
