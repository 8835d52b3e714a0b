package main

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// writeArchive writes an OCI image layout whose one entry is idx under its
// name. The file appears whole or not at all.
func writeArchive(file string, tag name.Tag, idx v1.ImageIndex) error {
	dir, err := os.MkdirTemp("", "oci-layout-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	entry := mutate.IndexAddendum{Add: idx, Descriptor: v1.Descriptor{Annotations: map[string]string{
		// The specification's key holds the tag only; containerd reads its own for the full name,
		// spelled as Kubernetes spells it (docker.io, not index.docker.io).
		"org.opencontainers.image.ref.name": tag.TagStr(),
		"io.containerd.image.name":          tag.String(),
	}}}
	root := mutate.AppendManifests(mutate.IndexMediaType(empty.Index, types.OCIImageIndex), entry)
	if _, err := layout.Write(dir, root); err != nil {
		return fmt.Errorf("laying out the image: %w", err)
	}

	part := file + ".part"
	out, err := os.Create(part)
	if err != nil {
		return err
	}
	defer os.Remove(part)
	if err := errors.Join(writeTree(out, os.DirFS(dir)), out.Close()); err != nil {
		return err
	}
	return os.Rename(part, file)
}

// writeTree writes files in the order of their names, all dated 1970 and
// owned by root, so that the archive depends on nothing but their content.
func writeTree(out io.Writer, tree fs.FS) error {
	w := tar.NewWriter(out)
	err := fs.WalkDir(tree, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		header := &tar.Header{
			Typeflag: tar.TypeReg, Name: path, Size: int64(len(data)),
			Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
		}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	return errors.Join(err, w.Close())
}
