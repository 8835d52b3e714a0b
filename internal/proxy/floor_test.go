package proxy

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func keepingIn(directory string) func(*Options) {
	return func(o *Options) { o.State = directory }
}

func TestARestartTakesNothingOlder(t *testing.T) {
	h, state := newHouse(t), t.TempDir()
	before := signed(t, h, time.Now, keepingIn(state))
	before.config.Workload.Generation = 9
	before.writeConfig()
	before.reads(http.StatusOK, "[+]configuration ok\n")
	before.stop()
	if err := <-before.ended; err != nil {
		t.Fatal(err)
	}

	after := signed(t, h, time.Now, keepingIn(state))
	after.config.Workload.Generation = 8
	after.writeConfig()
	after.reads(http.StatusServiceUnavailable, "it is older than what is in force: generation 8, at least 9 counts")
	after.tells(`phi_proxy_configuration_refusals_total{reason="older"} `)
	if after.open() {
		t.Error("it is open")
	}
	after.config.Workload.Generation = 9
	after.writeConfig()
	after.reads(http.StatusOK, "[+]configuration ok\n")

	fresh := signed(t, h, time.Now, keepingIn(t.TempDir()))
	fresh.config.Workload.Generation = 8
	fresh.writeConfig()
	fresh.reads(http.StatusOK, "[+]configuration ok\n")
}

func TestWhatCannotBeKeptIsToldOfAndInForce(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state")
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	r := signed(t, newHouse(t), time.Now, keepingIn(state))
	r.reads(http.StatusServiceUnavailable, "[-]configuration")
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	r.config.Workload.Generation = 3
	r.writeConfig()
	r.reads(http.StatusOK, "keeping what is in force for a restart: ")
	r.tells(`phi_proxy_configuration_refusals_total{reason="unkept"} `)
	if err := os.Mkdir(state, 0o700); err != nil {
		t.Fatal(err)
	}
	r.reads(http.StatusOK, "[+]configuration ok\n")
}

func TestWhatWasKeptIsReadOrNothingBegins(t *testing.T) {
	for name, tc := range map[string]struct{ give, want string }{
		"nothing in it":       {"", "it is torn: EOF"},
		"half of it":          {`{"workload":"6f1c","gener`, "it is torn: unexpected EOF"},
		"something more":      {`{"workload":"6f1c","generation":9}{`, "it is torn: something follows"},
		"an unknown field":    {`{"workload":"6f1c","generation":9,"least":1}`, "unknown field"},
		"another workload's":  {`{"workload":"other","generation":9}`, `it is of workload "other", not of "6f1c"`},
		"no generation":       {`{"workload":"6f1c"}`, "it names generation 0; generations begin at 1"},
		"far too much":        {`{"workload":"6f1c","generation":9}` + strings.Repeat(" ", 1<<10), "it has more than 1024 bytes"},
		"a directory instead": {"/", "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			state := t.TempDir()
			at := filepath.Join(state, FileTaken)
			err := os.WriteFile(at, []byte(tc.give), 0o600)
			if tc.give == "/" {
				err = os.Remove(at)
				if err == nil {
					err = os.Mkdir(at, 0o700)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			err = Run(t.Context(), Options{WorkloadUID: "6f1c", MinimumGeneration: 1, State: state, Capture: CaptureNames})
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.Contains(err.Error(), "reading "+at) || !strings.Contains(err.Error(), "delete the pod") {
				t.Errorf("Run() = %v, want %q", err, tc.want)
			}
		})
	}
}

// The last word counts, and what was aside when the machine stopped does not.
func TestWhatIsKeptNeverSinks(t *testing.T) {
	o := &Options{WorkloadUID: "6f1c", MinimumGeneration: 3, State: t.TempDir()}
	for _, step := range []struct{ raise, want int64 }{{1, 3}, {5, 5}, {4, 5}, {5, 5}, {7, 7}} {
		f, err := newFloor(o)
		if err != nil {
			t.Fatal(err)
		}
		if err := f.raise(step.raise); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(o.State, FileTaken+".new"), []byte(`{"wor`), 0o600); err != nil {
			t.Fatal(err)
		}
		if again, err := newFloor(o); err != nil || again.least != step.want || f.least != step.want {
			t.Errorf("after %d: %s, %v; want %d", step.raise, fmt.Sprint(again), err, step.want)
		}
	}
}
