package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/directory"
)

// FileTaken is what was taken last, in a directory that outlives the process.
const FileTaken = "taken.json"

// floor is the least generation that is taken. It rises with what is in force, and where
// it has a directory it does not sink when the process starts anew.
type floor struct {
	directory, workload string
	least               int64
}

// taken is what the file says.
type taken struct {
	Workload   string `json:"workload"`
	Generation int64  `json:"generation"`
}

// newFloor is what was kept, or the minimum where nothing is yet. What cannot be read is
// no reason to begin below it.
func newFloor(o *Options) (*floor, error) {
	f := &floor{directory: o.State, workload: o.WorkloadUID, least: o.MinimumGeneration}
	if f.directory == "" {
		return f, nil
	}
	if at, err := os.Stat(f.directory); err != nil || !at.IsDir() {
		return nil, fmt.Errorf("--state-dir %s is no directory: mount one that outlives the container", f.directory)
	}
	const most = 1 << 10
	texts, err := directory.Read(f.directory, most, FileTaken)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err == nil {
		err = f.read(texts[0])
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s, which says what was taken last and keeps what is older out: %w; delete the pod, so that a new one begins with what stands now", filepath.Join(f.directory, FileTaken), err)
	}
	return f, nil
}

func (f *floor) read(text []byte) error {
	var kept taken
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&kept); err != nil {
		return fmt.Errorf("it is torn: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("it is torn: something follows")
	}
	if kept.Workload != f.workload {
		return fmt.Errorf("it is of workload %q, not of %q", kept.Workload, f.workload)
	}
	if kept.Generation < 1 {
		return fmt.Errorf("it names generation %d; generations begin at 1", kept.Generation)
	}
	f.least = max(f.least, kept.Generation)
	return nil
}

// raise keeps what is in force now.
func (f *floor) raise(generation int64) error {
	if f.directory == "" || generation <= f.least {
		return nil
	}
	text, err := json.Marshal(taken{Workload: f.workload, Generation: generation})
	if err == nil {
		err = replace(f.directory, FileTaken, text)
	}
	if err != nil {
		return &refusedError{refusedUnkept, fmt.Errorf("keeping what is in force for a restart: %w", err)}
	}
	f.least = generation
	return nil
}

// replace puts a file in the place of another, whole, whenever the machine stops.
func replace(in, name string, text []byte) error {
	aside := filepath.Join(in, name+".new")
	file, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(aside, filepath.Join(in, name)); err != nil {
		return err
	}
	at, err := os.Open(in)
	if err != nil {
		return err
	}
	return errors.Join(at.Sync(), at.Close())
}
