package record

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func TestAHappeningIsALine(t *testing.T) {
	var to bytes.Buffer
	w := NewWriter(&to, func() { t.Error("lost") })
	until := noon.Add(time.Hour)
	w.Record(&Event{
		Time: noon.In(time.FixedZone("there", 3600)), Kind: Emergency, Workload: "ehr/patient-api", Port: "http", Route: "chart", Peer: "spiffe://a/ns/b/sa/c",
		User: "1f", Subject: "dr-who", Session: "2e", Purpose: "BTG", Reason: "line\nbreak \"quoted\"", Until: &until,
	})
	want := `{"time":"2026-11-23T12:00:00Z","kind":"emergency","workload":"ehr/patient-api","port":"http","route":"chart","peer":"spiffe://a/ns/b/sa/c",` +
		`"user":"1f","subject":"dr-who","session":"2e","purpose":"BTG","reason":"line\nbreak \"quoted\"","until":"2026-11-23T13:00:00Z"}` + "\n"
	if to.String() != want {
		t.Errorf("written is\n%swant\n%s", to.String(), want)
	}
}

func TestWhatAnybodyCanCauseFillsNoDisk(t *testing.T) {
	var to bytes.Buffer
	w := NewWriter(&to, func() {})
	for range 1000 {
		w.Record(&Event{Time: noon, Kind: Anonymous})
		w.Record(&Event{Time: noon, Kind: Emergency})
	}
	if n := strings.Count(to.String(), string(Anonymous)); n != burst {
		t.Errorf("%d of 1000 anonymous requests are written, want %d", n, burst)
	}
	if n := strings.Count(to.String(), string(Emergency)); n != 1000 {
		t.Errorf("%d of 1000 emergencies are written", n)
	}
	to.Reset()
	w.Record(&Event{Time: noon.Add(time.Second), Kind: Anonymous})
	if !strings.Contains(to.String(), `"leftOut":900`) {
		t.Errorf("what was left out is not told: %s", to.String())
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left") }

func TestALostLineIsCounted(t *testing.T) {
	lost := 0
	NewWriter(full{}, func() { lost++ }).Record(&Event{Time: noon, Kind: Logoff})
	if lost != 1 {
		t.Errorf("%d lines are counted as lost", lost)
	}
}
