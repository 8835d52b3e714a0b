package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// imageName has the registry whose name libraries like to respell.
const imageName = "docker.io/hipaa-operator/manager:v1.2.3"

// executable is the smallest ELF file with one program header.
func executable(t *testing.T, machine elf.Machine, segment elf.ProgType) []byte {
	t.Helper()
	head := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1, Shentsize: 64,
	}
	var buf bytes.Buffer
	for _, part := range []any{head, elf.Prog64{Type: uint32(segment)}} {
		if err := binary.Write(&buf, binary.LittleEndian, part); err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

// file writes data under a name of its own and returns the path.
func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// pack runs the command as the Makefile does and returns the archive's bytes.
func pack(t *testing.T, binaries ...string) []byte {
	t.Helper()
	out := filepath.Join(t.TempDir(), "manager.oci.tar")
	args := append([]string{
		"-name", imageName, "-out", out, "-version", "v1.2.3", "-revision", "0123abc", "-source", "https://example.org/src",
	}, binaries...)
	if err := run(args, "1700000000", io.Discard); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// untar reads every file of a tar archive, with its header.
func untar(t *testing.T, data io.Reader) (map[string][]byte, []*tar.Header) {
	t.Helper()
	files := map[string][]byte{}
	var headers []*tar.Header
	r := tar.NewReader(data)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files, headers
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name], headers = content, append(headers, h)
	}
}

// blob follows a descriptor into the archive and reads it as JSON.
func blob[T any](t *testing.T, files map[string][]byte, d v1.Descriptor) (value T) {
	t.Helper()
	data := files["blobs/sha256/"+d.Digest.Hex]
	if int64(len(data)) != d.Size {
		t.Fatalf("%s has %d bytes, its descriptor says %d", d.Digest, len(data), d.Size)
	}
	if err := json.Unmarshal(data, &value); err != nil {
		t.Fatal(err)
	}
	return value
}

func TestArchiveReadBack(t *testing.T) {
	amd64, arm64 := executable(t, elf.EM_X86_64, elf.PT_LOAD), executable(t, elf.EM_AARCH64, elf.PT_LOAD)
	files, _ := untar(t, bytes.NewReader(pack(t, "linux/amd64="+file(t, amd64), "linux/arm64="+file(t, arm64))))

	if got, want := string(files["oci-layout"]), `"imageLayoutVersion": "1.0.0"`; !strings.Contains(got, want) {
		t.Errorf("oci-layout: got %s, want it to contain %s", got, want)
	}
	var root v1.IndexManifest
	if err := json.Unmarshal(files["index.json"], &root); err != nil {
		t.Fatal(err)
	}
	if len(root.Manifests) != 1 {
		t.Fatalf("index.json: got %d entries, want 1", len(root.Manifests))
	}
	wantNames := map[string]string{
		"org.opencontainers.image.ref.name": "v1.2.3",
		"io.containerd.image.name":          imageName,
	}
	if diff := cmp.Diff(wantNames, root.Manifests[0].Annotations); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}

	index := blob[v1.IndexManifest](t, files, root.Manifests[0])
	want := []struct {
		platform string
		content  []byte
	}{{"linux/amd64", amd64}, {"linux/arm64", arm64}}
	if len(index.Manifests) != len(want) {
		t.Fatalf("index: got %d images, want %d", len(index.Manifests), len(want))
	}
	for i, w := range want {
		t.Run(w.platform, func(t *testing.T) { checkImage(t, files, index.Manifests[i], w.platform, w.content) })
	}
}

// checkImage holds one image of the archive to everything that a cluster relies on.
func checkImage(t *testing.T, files map[string][]byte, d v1.Descriptor, platform string, content []byte) {
	t.Helper()
	if got := d.Platform.String(); got != platform {
		t.Errorf("platform of the entry: got %s, want %s", got, platform)
	}
	manifest := blob[v1.Manifest](t, files, d)
	if manifest.MediaType != types.OCIManifestSchema1 || manifest.Config.MediaType != types.OCIConfigJSON {
		t.Errorf("media types: got %s and %s, want those of OCI", manifest.MediaType, manifest.Config.MediaType)
	}
	config := blob[v1.ConfigFile](t, files, manifest.Config)
	if got := config.Platform().String(); got != platform {
		t.Errorf("platform of the configuration: got %s, want %s", got, platform)
	}
	created := time.Unix(1700000000, 0).UTC()
	if !config.Created.Equal(created) {
		t.Errorf("created: got %s, want %s", config.Created, created)
	}
	wantConfig := v1.Config{
		User: "65532:65532", WorkingDir: "/", Entrypoint: []string{"/manager"},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "manager",
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.created":  created.Format(time.RFC3339),
			"org.opencontainers.image.version":  "v1.2.3",
			"org.opencontainers.image.revision": "0123abc",
			"org.opencontainers.image.source":   "https://example.org/src",
		},
	}
	if diff := cmp.Diff(wantConfig, config.Config); diff != "" {
		t.Errorf("configuration (-want +got):\n%s", diff)
	}

	if len(manifest.Layers) != 1 || manifest.Layers[0].MediaType != types.OCILayer {
		t.Fatalf("layers: got %v, want one of type %s", manifest.Layers, types.OCILayer)
	}
	checkLayer(t, files["blobs/sha256/"+manifest.Layers[0].Digest.Hex], config.RootFS.DiffIDs, content)
}

// checkLayer holds the compressed layer to its one file, content.
func checkLayer(t *testing.T, compressed []byte, diffIDs []v1.Hash, content []byte) {
	t.Helper()
	layer, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(layer)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(plain)
	if len(diffIDs) != 1 || diffIDs[0].Hex != hex.EncodeToString(sum[:]) {
		t.Errorf("diff ids: got %v, want the digest of the plain layer", diffIDs)
	}
	inside, headers := untar(t, bytes.NewReader(plain))
	if len(inside) != 1 || !bytes.Equal(inside["manager"], content) {
		t.Errorf("layer: got %d files, want only /manager with the binary's bytes", len(inside))
	}
	if h := headers[0]; h.Mode != 0o555 || h.Uid != 0 || h.Gid != 0 || !h.ModTime.Equal(time.Unix(0, 0)) {
		t.Errorf("/manager: mode %o, owner %d:%d, time %s; want 555, root, 1970", h.Mode, h.Uid, h.Gid, h.ModTime)
	}
}

func TestEveryBlobIsNamedByItsDigest(t *testing.T) {
	files, headers := untar(t, bytes.NewReader(pack(t, "linux/amd64="+file(t, executable(t, elf.EM_X86_64, elf.PT_LOAD)))))
	blobs := 0
	for name, data := range files {
		digest, ok := strings.CutPrefix(name, "blobs/sha256/")
		if !ok {
			continue
		}
		blobs++
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != digest {
			t.Errorf("%s holds other bytes", name)
		}
	}
	if blobs != 4 {
		t.Errorf("got %d blobs, want index, manifest, configuration and layer", blobs)
	}
	for _, h := range headers {
		if !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 {
			t.Errorf("%s carries a time or an owner of the machine", h.Name)
		}
	}
}

func TestTwoBuildsAreEqual(t *testing.T) {
	data := executable(t, elf.EM_X86_64, elf.PT_LOAD)
	first, second := pack(t, "linux/amd64="+file(t, data)), pack(t, "linux/amd64="+file(t, data))
	if !bytes.Equal(first, second) {
		t.Error("the same binary gave two different archives")
	}
	other := pack(t, "linux/amd64="+file(t, append(data, 0)))
	if bytes.Equal(first, other) {
		t.Error("another binary gave the same archive")
	}
}

func TestRefusals(t *testing.T) {
	static := file(t, executable(t, elf.EM_X86_64, elf.PT_LOAD))
	tests := map[string]struct {
		giveName  string
		giveEpoch string
		give      []string
		want      string
	}{
		"a binary that needs a dynamic linker cannot start without a base image": {
			give: []string{"linux/amd64=" + file(t, executable(t, elf.EM_X86_64, elf.PT_INTERP))}, want: "linked dynamically",
		},
		"a binary of another machine":   {give: []string{"linux/arm64=" + static}, want: "it is for EM_X86_64"},
		"a file that is no binary":      {give: []string{"linux/amd64=" + file(t, []byte(strings.Repeat("#!/bin/sh\n", 8)))}, want: "bad magic number"},
		"a platform nobody builds for":  {give: []string{"linux/riscv64=" + static}, want: "want linux/amd64 or linux/arm64"},
		"the same platform twice":       {give: []string{"linux/amd64=" + static, "linux/amd64=" + static}, want: "given twice"},
		"a file that does not exist":    {give: []string{"linux/amd64=" + static + "x"}, want: "no such file"},
		"a binary without a platform":   {give: []string{static}, want: "want OS/ARCH=BINARY"},
		"no binary at all":              {want: "usage:"},
		"a name without a tag":          {giveName: "registry.example.org/manager", give: []string{"linux/amd64=" + static}, want: "reading the name"},
		"a name without a registry":     {giveName: "manager:v1", give: []string{"linux/amd64=" + static}, want: "reading the name"},
		"a moment of creation in words": {giveEpoch: "yesterday", give: []string{"linux/amd64=" + static}, want: "reading SOURCE_DATE_EPOCH"},
		"a flag that does not exist":    {give: []string{"-base", "scratch"}, want: "flag provided but not defined"},
	}
	for sentence, tt := range tests {
		t.Run(sentence, func(t *testing.T) {
			ref := tt.giveName
			if ref == "" {
				ref = imageName
			}
			out := filepath.Join(t.TempDir(), "image.tar")
			err := run(append([]string{"-name", ref, "-out", out}, tt.give...), tt.giveEpoch, io.Discard)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error: got %v, want one that contains %q", err, tt.want)
			}
			if _, err := os.Stat(out); !errors.Is(err, os.ErrNotExist) {
				t.Error("an archive was left behind")
			}
		})
	}
}
