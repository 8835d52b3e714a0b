package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// podsOfNode is what a kubelet may list and watch.
const podsOfNode = "/api/v1/pods?fieldSelector=spec.nodeName%3D" + nodeName

// simulation plays the kubelet of the simulated node: it starts nothing, pulls nothing,
// mounts nothing and probes nothing; it only reports.
type simulation struct {
	node      simulatedNode
	log       io.Writer
	now       func() time.Time
	addresses addressPool
}

// run plays until ctx ends. A failed call is logged and everything is read afresh a second later.
func (s *simulation) run(ctx context.Context) {
	go s.heartbeat(ctx)
	for {
		if err := s.follow(ctx); err != nil && ctx.Err() == nil {
			s.complain(err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
}

func (s *simulation) heartbeat(ctx context.Context) {
	tick := time.NewTicker(leaseInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := s.node.heartbeat(ctx, s.now()); err != nil && ctx.Err() == nil {
				s.complain(err)
			}
		}
	}
}

func (s *simulation) complain(err error) {
	fmt.Fprintf(s.log, "%s %v\n", s.now().UTC().Format(time.RFC3339), err)
}

// follow lists the node's pods and then watches them until the watch ends.
func (s *simulation) follow(ctx context.Context) error {
	var list struct {
		Metadata struct{ ResourceVersion string } `json:"metadata"`
		Items    []pod                            `json:"items"`
	}
	if err := s.node.client.do(ctx, request{method: http.MethodGet, path: podsOfNode}, &list); err != nil {
		return err
	}
	s.addresses.rebuild(list.Items)
	for _, p := range list.Items {
		if err := s.handle(ctx, p); err != nil {
			return err
		}
	}
	return s.watch(ctx, list.Metadata.ResourceVersion)
}

func (s *simulation) watch(ctx context.Context, from string) error {
	stream, err := s.node.client.open(ctx, request{method: http.MethodGet, path: podsOfNode + "&watch=true&resourceVersion=" + from})
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
			if errors.Is(err, io.EOF) {
				return nil // watches end every few minutes
			}
			return fmt.Errorf("watching pods: %w", err)
		}
		var p pod
		if err := json.Unmarshal(event.Object, &p); err != nil {
			return fmt.Errorf("watching pods: %w", err)
		}
		switch event.Type {
		case "ADDED", "MODIFIED":
			err = s.handle(ctx, p)
		case "DELETED":
			s.addresses.free(p.Metadata.UID)
		default:
			return fmt.Errorf("watching pods: the API server sent %s", event.Type)
		}
		if err != nil {
			return err
		}
	}
}

// handle takes a pod one stage on. Its own write comes back as an event and leads to the next stage.
func (s *simulation) handle(ctx context.Context, p pod) error {
	err := s.advance(ctx, p)
	// Somebody was faster, or the pod is gone: the next event tells.
	if answered(err, http.StatusNotFound) || answered(err, http.StatusConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reporting pod %s/%s: %w", p.Metadata.Namespace, p.Metadata.Name, err)
	}
	return nil
}

func (s *simulation) advance(ctx context.Context, p pod) error {
	switch {
	case p.gone():
		s.addresses.free(p.Metadata.UID)
		return nil
	case p.terminal() && p.deleting():
		return deletePod(ctx, s.node.client, p)
	case p.terminal():
		s.addresses.free(p.Metadata.UID)
		return nil
	}
	ip := simulatedNodeIP
	if !p.Spec.HostNetwork {
		var err error
		if ip, err = s.addresses.claim(p.Metadata.UID); err != nil {
			return err
		}
	}
	status, changed := podStatusAt(p, nextStage(p), podScene{nodeIP: simulatedNodeIP, podIP: ip, now: s.now().UTC().Format(time.RFC3339)})
	if !changed {
		return nil
	}
	_, err := patchPodStatus(ctx, s.node.client, p, status)
	return err
}
