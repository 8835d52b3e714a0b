package cli

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/hipaa-operator/hipaa-operator/internal/manifest"
)

// stdin is the name of standard input.
const stdin = "-"

func isTerminal(in io.Reader) bool {
	file, is := in.(*os.File)
	return is && term.IsTerminal(int(file.Fd()))
}

// readStreams reads files in the order in which they are named, those of a directory
// in the order of their names.
func readStreams(in io.Reader, names []string, recursive bool) ([]*manifest.Stream, error) {
	var streams []*manifest.Stream
	for _, name := range names {
		files, err := filesOf(name, recursive)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			s, err := readStream(in, file)
			if err != nil {
				return nil, err
			}
			streams = append(streams, s)
		}
	}
	return streams, nil
}

// extensions are those of manifests in a directory. A file that is named counts
// whatever its name.
var extensions = []string{".yaml", ".yml", ".json"}

func filesOf(name string, recursive bool) ([]string, error) {
	if name == stdin {
		return []string{name}, nil
	}
	var files []string
	err := filepath.WalkDir(name, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != name && !recursive:
			return filepath.SkipDir
		case !entry.IsDir() && (path == name || slices.Contains(extensions, strings.ToLower(filepath.Ext(path)))):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("reading %s: it has no files named %s", name, strings.Join(extensions, ", "))
	}
	return files, nil
}

func readStream(in io.Reader, name string) (*manifest.Stream, error) {
	if name == stdin {
		content, err := io.ReadAll(in)
		if err != nil {
			return nil, fmt.Errorf("reading standard input: %w", err)
		}
		return manifest.Read("standard input", content)
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the file
	}
	return manifest.Read(name, content)
}

// writeYAML writes streams behind one another.
func writeYAML(out io.Writer, streams []*manifest.Stream) error {
	var text []byte
	for _, s := range streams {
		one, err := s.YAML()
		if err != nil {
			return err
		}
		if len(text) > 0 && !bytes.HasPrefix(one, []byte("---")) {
			if !bytes.HasSuffix(text, []byte("\n")) {
				text = append(text, '\n')
			}
			text = append(text, "---\n"...)
		}
		text = append(text, one...)
	}
	return write(out, text)
}

func writeJSON(out io.Writer, streams []*manifest.Stream) error {
	text, err := manifest.JSON(streams)
	if err != nil {
		return err
	}
	return write(out, text)
}

func write(out io.Writer, text []byte) error {
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	return nil
}

// writeBack writes the files that changed, once all of them could be made.
func writeBack(streams []*manifest.Stream) error {
	texts := make([][]byte, len(streams))
	for i, s := range streams {
		var err error
		if texts[i], err = s.YAML(); err != nil {
			return err
		}
	}
	for i, s := range streams {
		if !s.Changed() {
			continue
		}
		// The file is there: its mode stays.
		if err := os.WriteFile(s.Name, texts[i], 0o600); err != nil {
			return err //nolint:wrapcheck // it names the file
		}
	}
	return nil
}
