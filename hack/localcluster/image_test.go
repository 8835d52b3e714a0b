package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// untar reads a tar archive; folders have no content.
func untar(t *testing.T, archive []byte) (content map[string]string, headers map[string]*tar.Header) {
	t.Helper()
	content, headers = map[string]string{}, map[string]*tar.Header{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return content, headers
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		content[h.Name], headers[h.Name] = string(text), h
	}
}

func TestImageReadsBack(t *testing.T) {
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "app"), "program", 0o600)
	rootfs := filepath.Join(dir, "rootfs")
	mkdir(t, rootfs)
	mkdir(t, filepath.Join(rootfs, "etc"))
	writeFile(t, filepath.Join(rootfs, "etc", "config"), "text", 0o640)
	if err := os.Symlink("etc/config", filepath.Join(rootfs, "link")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "image.tar")
	give := image{name: "localcluster.local/app:1", programs: []string{filepath.Join(dir, "app")}, rootfs: rootfs, user: "65532"}
	if err := give.writeArchive(out); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"app", "image.tar", "rootfs"}, names(t, dir)); diff != "" {
		t.Errorf("the folder holds (-want +got):\n%s", diff)
	}
	files, _ := untar(t, []byte(readFile(t, out)))
	for name, text := range files {
		sum := sha256.Sum256([]byte(text))
		if dir, digest := filepath.Split(name); dir == "blobs/sha256/" && digest != hex.EncodeToString(sum[:]) {
			t.Errorf("%s is not what its name says", name)
		}
	}
	var index struct{ Manifests []blob }
	readJSON(t, files["index.json"], &index)
	if got := index.Manifests[0].Annotations["io.containerd.image.name"]; got != give.name {
		t.Errorf("it is called %q", got)
	}
	var manifest struct {
		Config blob
		Layers []blob
	}
	follow := func(b blob) string { return files["blobs/sha256/"+b.Digest[len("sha256:"):]] }
	readJSON(t, follow(index.Manifests[0]), &manifest)
	var config struct {
		Config struct {
			Entrypoint []string
			User       string
		} `json:"config"`
		RootFS struct {
			DiffIDs []string `json:"diff_ids"`
		} `json:"rootfs"`
	}
	readJSON(t, follow(manifest.Config), &config)
	if diff := cmp.Diff([]string{"/app"}, config.Config.Entrypoint); diff != "" || config.Config.User != "65532" || config.RootFS.DiffIDs[0] != manifest.Layers[0].Digest {
		t.Errorf("configuration %+v does not fit", config)
	}
	content, headers := untar(t, []byte(follow(manifest.Layers[0])))
	if diff := cmp.Diff(map[string]string{"app": "program", "etc/": "", "etc/config": "text", "link": ""}, content); diff != "" {
		t.Errorf("the layer holds (-want +got):\n%s", diff)
	}
	if headers["link"].Linkname != "etc/config" || headers["app"].Mode != 0o555 || headers["etc/config"].Mode&0o777 != 0o640 {
		t.Errorf("links or modes are lost: %+v", headers)
	}
}

func TestImageNeedsSomethingToStart(t *testing.T) {
	dir := t.TempDir()
	wantErrorContaining(t, image{name: "a:1", rootfs: t.TempDir()}.writeArchive(filepath.Join(dir, "out")), "no program and no entrypoint")
	wantErrorContaining(t, image{name: "a:1", programs: []string{"/absent"}}.writeArchive(filepath.Join(dir, "out")), "packing a:1")
	if left := names(t, dir); len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

func readJSON(t *testing.T, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
}
