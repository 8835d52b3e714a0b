package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/knftables"

	"github.com/hipaa-operator/hipaa-operator/hack/localcluster/netpol"
)

// policies enforces network policies in the network that it stands in, until it is stopped.
func (t tool) policies(s *signals, args []string) (int, error) {
	if len(args) > 0 {
		return exitUsage, usageError("policies takes no arguments; it reads KUBECONFIG and runs below run --node")
	}
	content, err := os.ReadFile(t.getenv("KUBECONFIG"))
	if err != nil {
		return exitFailed, fmt.Errorf("reading KUBECONFIG: %w", err)
	}
	l, err := parseKubeconfig(content)
	if err != nil {
		return exitFailed, err
	}
	client, err := l.client()
	if err != nil {
		return exitFailed, err
	}
	nft, err := knftables.New(knftables.InetFamily, netpol.Table)
	if err != nil {
		return exitFailed, fmt.Errorf("looking for nftables: %w", err)
	}
	agent := &policyAgent{client: client, nft: nft, said: t.err, changed: make(chan struct{}, 1)}
	err = agent.run(s.soft)
	return exitOK, errors.Join(err, netpol.Release(context.Background(), nft))
}

// parseKubeconfig reads what kubeconfig writes, and nothing else.
func parseKubeconfig(content []byte) (login, error) {
	if !bytes.HasPrefix(content, []byte(kubeconfigMark)) {
		return login{}, errors.New("reading KUBECONFIG: it was not written by this tool")
	}
	values := map[string]string{}
	for line := range strings.Lines(string(content)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		values[strings.TrimPrefix(key, "- ")] = value
	}
	l := login{server: values["server"], user: values["user"]}
	for key, into := range map[string]*[]byte{"certificate-authority-data": &l.ca, "client-certificate-data": &l.cert, "client-key-data": &l.key} {
		decoded, err := base64.StdEncoding.DecodeString(values[key])
		if err != nil {
			return login{}, fmt.Errorf("reading KUBECONFIG: %s: %w", key, err)
		}
		*into = decoded
	}
	return l, nil
}

// policyAgent keeps the rules as the objects say.
type policyAgent struct {
	client restClient
	nft    knftables.Interface
	said   *os.File

	mu    sync.Mutex
	state netpol.State
	// changed holds at most one reminder that the state has changed.
	changed chan struct{}
}

// run enforces until ctx ends. Nothing is enforced before all kinds were read once: half a state would drop too much.
func (a *policyAgent) run(ctx context.Context) error {
	var firsts sync.WaitGroup
	firsts.Add(3)
	go keep(ctx, a, kindWatch[netpol.Namespace]{"/api/v1/namespaces", &a.state.Namespaces, sync.OnceFunc(firsts.Done)})
	go keep(ctx, a, kindWatch[netpol.Pod]{"/api/v1/pods", &a.state.Pods, sync.OnceFunc(firsts.Done)})
	go keep(ctx, a, kindWatch[netpol.Policy]{"/apis/networking.k8s.io/v1/networkpolicies", &a.state.Policies, sync.OnceFunc(firsts.Done)})
	complete := make(chan struct{})
	go func() {
		firsts.Wait()
		close(complete)
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-complete:
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-a.changed:
			if err := a.enforce(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}

func (a *policyAgent) enforce(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return netpol.Enforce(ctx, a.nft, a.state)
}

// kindWatch is one kind: where it is listed, where it is kept, and whom to tell of the first list.
type kindWatch[T any] struct {
	path  string
	into  *map[string]T
	first func()
}

// keep lists and watches until ctx ends. Whatever goes wrong is said and read afresh a second later.
func keep[T any](ctx context.Context, a *policyAgent, k kindWatch[T]) {
	for ctx.Err() == nil {
		if err := k.follow(ctx, a); err != nil && ctx.Err() == nil {
			fmt.Fprintf(a.said, "following %s: %v\n", k.path, err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

func (k kindWatch[T]) follow(ctx context.Context, a *policyAgent) error {
	var list struct {
		Metadata struct{ ResourceVersion string } `json:"metadata"`
		Items    []json.RawMessage                `json:"items"`
	}
	if err := a.client.do(ctx, request{method: http.MethodGet, path: k.path}, &list); err != nil {
		return err
	}
	fresh := map[string]T{}
	for _, item := range list.Items {
		key, value, err := k.read(item)
		if err != nil {
			return err
		}
		fresh[key] = value
	}
	a.change(func() { *k.into = fresh })
	k.first()
	stream, err := a.client.open(ctx, request{method: http.MethodGet, path: k.path + "?watch=true&resourceVersion=" + list.Metadata.ResourceVersion})
	if err != nil {
		return err
	}
	defer stream.Close()
	for events := json.NewDecoder(stream); ; {
		var event struct {
			Type   string          `json:"type"`
			Object json.RawMessage `json:"object"`
		}
		if err := events.Decode(&event); err != nil {
			return err
		}
		key, value, err := k.read(event.Object)
		switch {
		case err != nil:
			return err
		case event.Type == "ADDED" || event.Type == "MODIFIED":
			a.change(func() { (*k.into)[key] = value })
		case event.Type == "DELETED":
			a.change(func() { delete(*k.into, key) })
		default:
			return fmt.Errorf("the API server sent %s", event.Type)
		}
	}
}

// read returns an object and a key: namespaces are looked up by their names.
func (k kindWatch[T]) read(text json.RawMessage) (key string, value T, err error) {
	var named struct {
		Metadata netpol.Meta `json:"metadata"`
	}
	if err := errors.Join(json.Unmarshal(text, &named), json.Unmarshal(text, &value)); err != nil {
		return "", value, err
	}
	if named.Metadata.Namespace == "" {
		return named.Metadata.Name, value, nil
	}
	return named.Metadata.Namespace + "/" + named.Metadata.Name, value, nil
}

// change alters the state and reminds the agent of it.
func (a *policyAgent) change(alter func()) {
	a.mu.Lock()
	alter()
	a.mu.Unlock()
	select {
	case a.changed <- struct{}{}:
	default: // it has not got to the last reminder yet
	}
}
