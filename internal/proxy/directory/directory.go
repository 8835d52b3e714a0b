// Package directory reads files that belong together. Its promise: what Read returns
// stood in the directory at one time, where it is replaced as the kubelet replaces
// volumes.
package directory

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// data is the link by which the kubelet replaces a whole volume.
const data = "..data"

// tries is how often a volume may be replaced while it is read.
const tries = 10

// FileError says which of the files could not be read, and why.
type FileError struct {
	// Name is the file's, without its directory.
	Name string
	Err  error
}

// Error names the file, and not where it is.
func (e *FileError) Error() string { return fmt.Sprintf("reading %s: %v", e.Name, e.Err) }

// Unwrap is why.
func (e *FileError) Unwrap() error { return e.Err }

// Read reads the files, each of at most so many bytes. What fails is a *FileError.
func Read(directory string, most int64, names ...string) ([][]byte, error) {
	for try := 1; ; try++ {
		// Reading through the link file by file could mix two versions.
		version, err := os.Readlink(filepath.Join(directory, data))
		if err != nil {
			return readAll(directory, most, names)
		}
		texts, err := readAll(filepath.Join(directory, filepath.Base(version)), most, names)
		if err == nil || try == tries {
			return texts, err
		}
		// The kubelet takes the old version away: what went missing is in the new one.
		if now, broken := os.Readlink(filepath.Join(directory, data)); broken == nil && now == version {
			return nil, err
		}
	}
}

func readAll(directory string, most int64, names []string) ([][]byte, error) {
	texts := make([][]byte, len(names))
	for i, name := range names {
		var err error
		if texts[i], err = read(filepath.Join(directory, name), most); err != nil {
			return nil, &FileError{Name: name, Err: err}
		}
	}
	return texts, nil
}

func read(path string, most int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		// The path is the machine's matter; the name stands in front already.
		if reason, ok := errors.AsType[*os.PathError](err); ok {
			return nil, reason.Err
		}
		return nil, err
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, most+1))
	if err == nil && int64(len(text)) > most {
		err = fmt.Errorf("it has more than %d bytes", most)
	}
	return text, err
}
