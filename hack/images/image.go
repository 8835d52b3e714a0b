package main

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"path"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is nobody in particular: any number that is not 0 and that Kubernetes
// can prove not to be root (runAsNonRoot needs a number, not a name).
const user = "65532:65532"

// spec is what an image says about itself and what it holds.
type spec struct {
	name name.Tag
	// title is the name of the command; empty means the last part of the
	// repository. It is also the name of the file in the image.
	title                     string
	version, revision, source string
	created                   time.Time
	programs                  []program
}

// program is one static executable for one platform.
type program struct {
	platform v1.Platform
	data     []byte
}

func (s spec) command() string {
	if s.title != "" {
		return s.title
	}
	return path.Base(s.name.RepositoryStr())
}

// index holds one image per platform, in the order given.
func (s spec) index() (v1.ImageIndex, error) {
	idx := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	seen := map[string]bool{}
	for _, b := range s.programs {
		platform := b.platform.String()
		if seen[platform] {
			return nil, fmt.Errorf("packing %s: it is given twice", platform)
		}
		seen[platform] = true
		img, err := s.image(b)
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", platform, err)
		}
		idx = mutate.AppendManifests(idx, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &b.platform},
		})
	}
	return idx, nil
}

// image has one layer with one file, which it starts.
func (s spec) image(b program) (v1.Image, error) {
	if err := checkStatic(b); err != nil {
		return nil, err
	}
	entrypoint := "/" + s.command()
	layer, err := layerOf(entrypoint, b.data)
	if err != nil {
		return nil, err
	}
	img := mutate.MediaType(empty.Image, types.OCIManifestSchema1)
	img = mutate.ConfigMediaType(img, types.OCIConfigJSON)
	img, err = mutate.ConfigFile(img, &v1.ConfigFile{
		OS:           b.platform.OS,
		Architecture: b.platform.Architecture,
		Variant:      b.platform.Variant,
		Created:      v1.Time{Time: s.created},
		Config: v1.Config{
			User:       user,
			WorkingDir: "/",
			Entrypoint: []string{entrypoint},
			Labels:     s.labels(),
		},
		RootFS: v1.RootFS{Type: "layers"},
	})
	if err != nil {
		return nil, fmt.Errorf("setting the configuration: %w", err)
	}
	img, err = mutate.Append(img, mutate.Addendum{
		Layer:     layer,
		MediaType: types.OCILayer,
		History:   v1.History{Created: v1.Time{Time: s.created}, CreatedBy: "hack/images"},
	})
	if err != nil {
		return nil, fmt.Errorf("adding the layer: %w", err)
	}
	return img, nil
}

// labels are the annotation keys of the OCI image specification; what is not
// known is left out.
func (s spec) labels() map[string]string {
	labels := map[string]string{
		"org.opencontainers.image.title":    s.command(),
		"org.opencontainers.image.licenses": "Apache-2.0",
		"org.opencontainers.image.created":  s.created.Format(time.RFC3339),
	}
	for key, value := range map[string]string{
		"org.opencontainers.image.version":  s.version,
		"org.opencontainers.image.revision": s.revision,
		"org.opencontainers.image.source":   s.source,
	} {
		if value != "" {
			labels[key] = value
		}
	}
	return labels
}

// layerOf holds one file that everyone may run and nobody may write, dated
// 1970 so that only its content counts.
func layerOf(file string, data []byte) (v1.Layer, error) {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	err := w.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: file[1:], Size: int64(len(data)),
		Mode: 0o555, ModTime: time.Unix(0, 0), Format: tar.FormatPAX,
	})
	if err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	if _, err := w.Write(data); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("writing the layer: %w", err)
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(buf.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer))
}
