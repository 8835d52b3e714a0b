package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fakeAPI answers every call with one status code and keeps the calls.
func fakeAPI(t *testing.T, code int, answer string) (*simulation, *[]string) {
	t.Helper()
	var calls []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		calls = append(calls, fmt.Sprintf("%s %s %s", r.Method, r.URL.Path, body))
		w.WriteHeader(code)
		if _, err := io.WriteString(w, answer); err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(server.Close)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	return &simulation{
		node: simulatedNode{client: restClient{server: server.URL, http: server.Client()}, version: "v1.36.3", since: at},
		log:  &bytes.Buffer{}, now: func() time.Time { return at },
	}, &calls
}

func TestHandle(t *testing.T) {
	named := podMeta{Name: "a", Namespace: "ns", UID: "u1"}
	deleting, given := named, int64(0)
	deleting.DeletionTimestamp = podTime
	gone := deleting
	gone.DeletionGracePeriodSeconds = &given
	for name, tc := range map[string]struct {
		give  pod
		calls []string
	}{
		"a new pod is reported under its UID": {give: pod{Metadata: named}, calls: []string{`PATCH /api/v1/namespaces/ns/pods/a/status {"metadata":{"uid":"u1"}`}},
		"an ended pod is left alone":          {give: pod{Metadata: named, Status: podStatus{Phase: "Failed"}}},
		"a pod being deleted ends first":      {give: pod{Metadata: deleting, Status: podStatus{Phase: "Running"}}, calls: []string{`PATCH /api/v1/namespaces/ns/pods/a/status`}},
		"then it is given up": {
			give:  pod{Metadata: deleting, Status: podStatus{Phase: "Succeeded"}},
			calls: []string{`DELETE /api/v1/namespaces/ns/pods/a {"apiVersion":"v1","kind":"DeleteOptions","gracePeriodSeconds":0,"preconditions":{"uid":"u1"}}`},
		},
		"a pod that only finalizers hold is left to them": {give: pod{Metadata: gone, Status: podStatus{Phase: "Succeeded"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s, calls := fakeAPI(t, http.StatusOK, "{}")
			if err := s.handle(t.Context(), tc.give); err != nil {
				t.Fatal(err)
			}
			got := *calls
			if len(got) != len(tc.calls) {
				t.Fatalf("made calls %q, want %q", got, tc.calls)
			}
			for i, want := range tc.calls {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("call %q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestHandleErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		code int
		want string
	}{
		"a pod that is gone is no error":        {code: http.StatusNotFound},
		"another pod of this name is none":      {code: http.StatusConflict},
		"being refused is told with the pod":    {code: http.StatusForbidden, want: "reporting pod ns/a: PATCH /api/v1/namespaces/ns/pods/a/status: HTTP 403: no"},
		"a broken server is told just the same": {code: http.StatusInternalServerError, want: "HTTP 500"},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := fakeAPI(t, tc.code, "no")
			wantErrorContaining(t, s.handle(t.Context(), pod{Metadata: podMeta{Name: "a", Namespace: "ns"}}), tc.want)
		})
	}
}

func TestWatch(t *testing.T) {
	for name, tc := range map[string]struct{ give, want string }{
		"a watch that ends is taken up again":  {give: `{"type":"DELETED","object":{"metadata":{"uid":"u1"}}}`},
		"an expired watch leads to a new list": {give: `{"type":"ERROR","object":{"code":410}}`, want: "sent ERROR"},
		"half an event is an error":            {give: `{"type":"ADDED","obj`, want: "watching pods"},
		"an event that is no pod is an error":  {give: `{"type":"ADDED","object":[]}`, want: "watching pods"},
	} {
		t.Run(name, func(t *testing.T) {
			s, calls := fakeAPI(t, http.StatusOK, tc.give)
			wantErrorContaining(t, s.watch(t.Context(), "17"), tc.want)
			if diff := cmp.Diff([]string{"GET /api/v1/pods "}, *calls); diff != "" {
				t.Errorf("calls (-want +got):\n%s", diff)
			}
		})
	}
}

func TestHeartbeat(t *testing.T) {
	s, calls := fakeAPI(t, http.StatusOK, "{}")
	if err := s.node.heartbeat(t.Context(), s.now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{`"renewTime":"2026-03-01T12:01:00.000000Z"`, `"type":"Ready","status":"True"`} {
		if len(*calls) != 2 || !strings.Contains((*calls)[i], want) {
			t.Errorf("call %d lacks %s: %q", i, want, *calls)
		}
	}
	s, _ = fakeAPI(t, http.StatusForbidden, "no")
	wantErrorContaining(t, s.node.heartbeat(t.Context(), s.now()), "renewing the simulated node's lease")
	wantErrorContaining(t, s.node.register(t.Context()), "registering the simulated node")
}
