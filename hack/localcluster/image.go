package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"time"
)

// image is what a container starts from: one layer, no registry, no engine.
type image struct {
	name string
	// programs are static executables; each stands at the root under its own base name.
	programs []string
	// rootfs is a folder whose content stands at the root too, or "". Its owners are kept.
	rootfs string
	// user is the number that a container runs as unless its pod says otherwise, or "" for root.
	user string
	// entrypoint is what a container starts; without one, the first program.
	entrypoint []string
}

// blob is content as an OCI image refers to it.
type blob struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`

	open func() (io.ReadCloser, error)
}

// writeArchive writes the image as an OCI archive, which appears whole or not at all.
func (i image) writeArchive(path string) (err error) {
	layer, err := os.CreateTemp(filepath.Dir(path), ".layer-*")
	if err != nil {
		return fmt.Errorf("packing %s: %w", i.name, err)
	}
	defer func() { err = errors.Join(err, os.Remove(layer.Name())) }()
	content, err := i.writeLayer(layer)
	if err := errors.Join(err, layer.Close()); err != nil {
		return fmt.Errorf("packing %s: %w", i.name, err)
	}
	content.open = func() (io.ReadCloser, error) { return os.Open(layer.Name()) }
	blobs, index, err := i.describe(content)
	if err != nil {
		return fmt.Errorf("packing %s: %w", i.name, err)
	}
	out, err := os.CreateTemp(filepath.Dir(path), ".archive-*")
	if err != nil {
		return fmt.Errorf("packing %s: %w", i.name, err)
	}
	if err := errors.Join(writeLayout(out, index, blobs), out.Close()); err != nil {
		return errors.Join(fmt.Errorf("packing %s: %w", i.name, err), os.Remove(out.Name()))
	}
	return os.Rename(out.Name(), path)
}

// describe makes the documents that lead from the index to the layer.
func (i image) describe(layer blob) (blobs []blob, index []byte, err error) {
	entrypoint := i.entrypoint
	if len(entrypoint) == 0 && len(i.programs) > 0 {
		entrypoint = []string{"/" + filepath.Base(i.programs[0])}
	}
	if len(entrypoint) == 0 {
		return nil, nil, errors.New("it has no program and no entrypoint")
	}
	config, err := jsonBlob("application/vnd.oci.image.config.v1+json", map[string]any{
		"os": "linux", "architecture": runtime.GOARCH,
		"config": map[string]any{"Entrypoint": entrypoint, "User": i.user, "WorkingDir": "/", "Env": []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin:/"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer.Digest}},
	})
	if err != nil {
		return nil, nil, err
	}
	const manifestType = "application/vnd.oci.image.manifest.v1+json"
	manifest, err := jsonBlob(manifestType, map[string]any{
		"schemaVersion": 2, "mediaType": manifestType, "config": config, "layers": []blob{layer},
	})
	if err != nil {
		return nil, nil, err
	}
	named := manifest
	named.Annotations = map[string]string{"io.containerd.image.name": i.name}
	index, err = json.Marshal(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []blob{named},
	})
	return []blob{manifest, config, layer}, index, err
}

func jsonBlob(mediaType string, value any) (blob, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return blob{}, err
	}
	sum := sha256.Sum256(text)
	return blob{
		MediaType: mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: int64(len(text)),
		open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil },
	}, nil
}

// writeLayout writes the files of an OCI image layout as a tar archive.
func writeLayout(out io.Writer, index []byte, blobs []blob) error {
	w := tar.NewWriter(out)
	for _, file := range []struct {
		name string
		text []byte
	}{{"oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)}, {"index.json", index}} {
		if err := writeEntry(w, file.name, int64(len(file.text)), bytes.NewReader(file.text)); err != nil {
			return err
		}
	}
	for _, b := range blobs {
		content, err := b.open()
		if err != nil {
			return err
		}
		err = writeEntry(w, "blobs/sha256/"+b.Digest[len("sha256:"):], b.Size, content)
		if err := errors.Join(err, content.Close()); err != nil {
			return err
		}
	}
	return w.Close()
}

func writeEntry(w *tar.Writer, name string, size int64, content io.Reader) error {
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(w, content)
	return err
}

// writeLayer writes the image's files and says what they add up to.
func (i image) writeLayer(out io.Writer) (blob, error) {
	sum := sha256.New()
	count := new(counter)
	w := tar.NewWriter(io.MultiWriter(out, sum, count))
	if i.rootfs != "" {
		if err := addTree(w, i.rootfs); err != nil {
			return blob{}, err
		}
	}
	for _, program := range i.programs {
		info, err := os.Stat(program)
		if err != nil {
			return blob{}, err
		}
		h := &tar.Header{Typeflag: tar.TypeReg, Name: filepath.Base(program), Size: info.Size(), Mode: 0o555, ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := addFile(w, h, program); err != nil {
			return blob{}, err
		}
	}
	if err := w.Close(); err != nil {
		return blob{}, err
	}
	return blob{MediaType: "application/vnd.oci.image.layer.v1.tar", Digest: "sha256:" + hex.EncodeToString(sum.Sum(nil)), Size: int64(*count)}, nil
}

// addTree adds folders, files and symbolic links in the order of their names; an image has no use for the rest.
func addTree(w *tar.Writer, root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		link := ""
		switch {
		case info.Mode().IsRegular(), info.IsDir():
		case info.Mode()&fs.ModeSymlink != 0:
			if link, err = os.Readlink(path); err != nil {
				return err
			}
		default:
			return nil
		}
		h, err := tar.FileInfoHeader(info, link)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		h.Name, h.Uname, h.Gname, h.ModTime, h.Format = filepath.ToSlash(name), "", "", time.Unix(0, 0), tar.FormatPAX
		h.AccessTime, h.ChangeTime = time.Time{}, time.Time{}
		if info.IsDir() {
			h.Name += "/"
		}
		return addFile(w, h, path)
	})
}

// addFile writes a header and, for a regular file, the content of path.
func addFile(w *tar.Writer, h *tar.Header, path string) error {
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if h.Typeflag != tar.TypeReg {
		return nil
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, f)
	return errors.Join(err, f.Close())
}

// counter counts what is written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}
