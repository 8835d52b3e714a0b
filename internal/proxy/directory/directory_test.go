package directory_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/directory"
)

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreReadAllOrNone(t *testing.T) {
	for name, tc := range map[string]struct {
		second string
		want   string
	}{
		"both":           {second: "b"},
		"one is missing": {want: "reading b: no such file or directory"},
		"one is long":    {second: "bbbbb", want: "reading b: it has more than 4 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			at := t.TempDir()
			write(t, filepath.Join(at, "a"), "a")
			if tc.second != "" {
				write(t, filepath.Join(at, "b"), tc.second)
			}
			texts, err := directory.Read(at, 4, "a", "b")
			if tc.want == "" {
				if err != nil || len(texts) != 2 || string(texts[0])+string(texts[1]) != "ab" {
					t.Errorf("Read() = %q, %v", texts, err)
				}
				return
			}
			file, is := errors.AsType[*directory.FileError](err)
			if !is || err.Error() != tc.want || file.Name != "b" || texts != nil {
				t.Errorf("Read() = %q, %v", texts, err)
			}
			if errors.Is(err, fs.ErrNotExist) != strings.Contains(tc.want, "no such") {
				t.Errorf("%v does not say why", err)
			}
		})
	}
}

// The kubelet writes a directory aside, points ..data to it and takes the old one away.
func TestNoTwoVersionsAreMixedAndNoneIsMissed(t *testing.T) {
	at := t.TempDir()
	publish := func(version int) {
		t.Helper()
		name := fmt.Sprintf("..%d", version)
		if err := os.Mkdir(filepath.Join(at, name), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"a", "b"} {
			write(t, filepath.Join(at, name, file), fmt.Sprint(version))
		}
		if err := os.Symlink(name, filepath.Join(at, "..new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(at, "..new"), filepath.Join(at, "..data")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(at, fmt.Sprintf("..%d", version-1))); err != nil {
			t.Fatal(err)
		}
	}
	publish(0)
	ended := make(chan error, 1)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case <-stop:
				ended <- nil
				return
			default:
			}
			texts, err := directory.Read(at, 10, "a", "b")
			if err != nil || string(texts[0]) != string(texts[1]) {
				ended <- fmt.Errorf("Read() = %q, %w", texts, err)
				return
			}
		}
	}()
	for version := range 300 {
		publish(version + 1)
	}
	close(stop)
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
