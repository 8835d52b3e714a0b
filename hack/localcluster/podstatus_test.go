package main

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const podTime = "2026-03-01T12:00:00Z"

var scene = podScene{nodeIP: "192.0.2.1", podIP: "198.51.100.1", now: podTime}

// live takes a pod through its stages until nothing changes and returns each stage in short words.
func live(t *testing.T, p *pod) []string {
	t.Helper()
	var life []string
	for range 20 {
		status, changed := podStatusAt(*p, nextStage(*p), scene)
		if !changed || p.terminal() {
			return life
		}
		gates := p.Status.Conditions
		p.Status = throughJSON(t, status)
		for _, g := range gates {
			if findCondition(p.Status.Conditions, g.Type).Type == "" {
				p.Status.Conditions = append(p.Status.Conditions, g) // as a merge keeps them
			}
		}
		life = append(life, inShort(p.Status))
	}
	t.Fatalf("never settles: %v", life)
	return nil
}

// throughJSON shows the status as the next watch event will.
func throughJSON(t *testing.T, s podStatus) podStatus {
	t.Helper()
	raw, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var out podStatus
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// inShort is the phase, then one letter for each container, init containers first, then whether it is ready.
func inShort(s podStatus) string {
	text := s.Phase + " "
	for _, group := range [][]containerStatus{s.InitContainers, s.Containers, s.Ephemeral} {
		for _, c := range group {
			switch {
			case c.State.Running != nil:
				text += "r"
			case c.State.Terminated != nil:
				text += "t"
			default:
				text += "w"
			}
		}
	}
	return text + " Ready=" + findCondition(s.Conditions, "Ready").Status
}

func TestPodLife(t *testing.T) {
	main := []container{{Name: "main", Image: "a"}}
	inits := []container{{Name: "setup", Image: "b"}, {Name: "proxy", Image: "c", RestartPolicy: "Always"}, {Name: "check", Image: "d"}}
	job := []ownerReference{{Kind: "Job", Controller: true}}
	never := map[string]string{simulateAnnotation: simulateNeverReady}
	for name, tc := range map[string]struct {
		give pod
		want []string
	}{
		"one container": {
			give: pod{Spec: podSpec{Containers: main}},
			want: []string{"Pending w Ready=False", "Running r Ready=True"},
		},
		"init containers one by one, a native sidecar goes on": {
			give: pod{Spec: podSpec{InitContainers: inits, Containers: main}},
			want: []string{"Pending wwww Ready=False", "Pending twww Ready=False", "Pending trww Ready=False", "Pending trtw Ready=False", "Running trtr Ready=True"},
		},
		"a Job's pod ends, its sidecar too": {
			give: pod{Metadata: podMeta{OwnerReferences: job}, Spec: podSpec{InitContainers: inits[1:2], Containers: main}},
			want: []string{"Pending ww Ready=False", "Pending rw Ready=False", "Running rr Ready=True", "Succeeded tt Ready=False"},
		},
		"a pod that a Job merely co-owns goes on": {
			give: pod{Metadata: podMeta{OwnerReferences: []ownerReference{{Kind: "Job"}}}, Spec: podSpec{Containers: main}},
			want: []string{"Pending w Ready=False", "Running r Ready=True"},
		},
		"a pod that never becomes ready": {
			give: pod{Metadata: podMeta{Annotations: never}, Spec: podSpec{Containers: main}},
			want: []string{"Pending w Ready=False", "Running r Ready=False"},
		},
		"a closed readiness gate keeps it from ready": {
			give: pod{Spec: podSpec{Containers: main, ReadinessGates: []readinessGate{{"example.org/gate"}}}},
			want: []string{"Pending w Ready=False", "Running r Ready=False"},
		},
		"an open readiness gate lets it": {
			give: pod{
				Spec:   podSpec{Containers: main, ReadinessGates: []readinessGate{{"example.org/gate"}}},
				Status: podStatus{Conditions: []condition{{Type: "example.org/gate", Status: "True"}}},
			},
			want: []string{"Pending w Ready=False", "Running r Ready=True"},
		},
		"a pod deleted before it began": {
			give: pod{Metadata: podMeta{DeletionTimestamp: podTime}, Spec: podSpec{InitContainers: inits, Containers: main}},
			want: []string{"Succeeded wwwt Ready=False"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, live(t, &tc.give)); diff != "" {
				t.Errorf("life (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRunningPodFollowsItsSpec(t *testing.T) {
	p := pod{Spec: podSpec{Containers: []container{{Name: "main", Image: "a", Resources: json.RawMessage(`{"limits":{"cpu":"1"}}`)}}}}
	live(t, &p)
	before := p.Status.Containers[0]

	p.Metadata.Generation = 2
	p.Spec.EphemeralContainers = []container{{Name: "debug", Image: "e"}}
	p.Spec.Containers[0].Resources = json.RawMessage(`{"limits":{"cpu":"2"}}`)
	if diff := cmp.Diff([]string{"Running rr Ready=True"}, live(t, &p)); diff != "" {
		t.Errorf("after a debug container and a resize (-want +got):\n%s", diff)
	}
	after := p.Status.Containers[0]
	if string(after.Resources) != `{"limits":{"cpu":"2"}}` || p.Status.ObservedGeneration != 2 {
		t.Errorf("resize not reported: %s at generation %d", after.Resources, p.Status.ObservedGeneration)
	}
	if before.State.Running.StartedAt != after.State.Running.StartedAt || before.ContainerID != after.ContainerID {
		t.Error("the container counts as restarted")
	}

	p.Metadata.DeletionTimestamp = podTime
	if diff := cmp.Diff([]string{"Succeeded tt Ready=False"}, live(t, &p)); diff != "" {
		t.Errorf("after deletion (-want +got):\n%s", diff)
	}
}

func TestTransitionTimesAreKept(t *testing.T) {
	p := pod{Spec: podSpec{Containers: []container{{Name: "main"}}}}
	live(t, &p)
	p.Metadata.DeletionTimestamp = podTime
	later := scene
	later.now = "2026-03-01T13:00:00Z"
	s, _ := podStatusAt(p, nextStage(p), later)
	if got := findCondition(s.Conditions, "Initialized").LastTransitionTime; got != podTime {
		t.Errorf("Initialized changed at %s although it did not change", got)
	}
	if got := findCondition(s.Conditions, "Ready").LastTransitionTime; got != later.now {
		t.Errorf("Ready changed at %s, want %s", got, later.now)
	}
	if got := s.Containers[0].State.Terminated; got.StartedAt != podTime || got.FinishedAt != later.now {
		t.Errorf("got %+v", got)
	}
}

func TestImageIDInventsNoDigest(t *testing.T) {
	for give, want := range map[string]string{
		"nginx:1":            "simulated://nginx:1",
		"nginx@sha256:0123":  "nginx@sha256:0123",
		"a/b:1@sha256:01ab2": "a/b:1@sha256:01ab2",
	} {
		if got := imageID(give); got != want {
			t.Errorf("%s: got %q, want %q", give, got, want)
		}
	}
}

func FuzzPodStatus(f *testing.F) {
	f.Add([]byte(`{"spec":{"initContainers":[{"name":"a","restartPolicy":"Always"}],"containers":[{"name":"b"}]},"status":{"phase":"Running"}}`))
	f.Add([]byte(`{"metadata":{"deletionTimestamp":"x"},"status":{"startTime":"y","initContainerStatuses":[{"name":"a","state":{"running":{}}}]}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		var p pod
		if json.Unmarshal(raw, &p) != nil {
			t.Skip()
		}
		s, _ := podStatusAt(p, nextStage(p), scene)
		if s.Phase == "" || len(s.Containers) != len(p.Spec.Containers) || len(s.InitContainers) != len(p.Spec.InitContainers) {
			t.Errorf("incomplete status %+v", s)
		}
	})
}
