package identity_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/identity"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest"
)

func TestFilesAreTakenTogetherOrNotAtAll(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	for name, tc := range map[string]struct {
		breaks func(t *testing.T, directory string)
		want   string
	}{
		"whole":            {func(*testing.T, string) {}, ""},
		"no certificate":   {func(t *testing.T, d string) { remove(t, d, identity.FileCertificate) }, "reading tls.crt: no such file or directory"},
		"no key":           {func(t *testing.T, d string) { remove(t, d, identity.FileKey) }, "reading tls.key: no such file or directory"},
		"no roots":         {func(t *testing.T, d string) { remove(t, d, identity.FileRoots) }, "reading ca.crt: no such file or directory"},
		"empty roots":      {func(t *testing.T, d string) { write(t, d, identity.FileRoots, " \n") }, "taking ca.crt: reading a bundle: it is empty"},
		"torn roots":       {func(t *testing.T, d string) { write(t, d, identity.FileRoots, "-----BEGIN CERT") }, "taking ca.crt: reading a bundle: it holds something else than certificates in PEM"},
		"a key as a root":  {func(t *testing.T, d string) { copyFile(t, d, identity.FileKey, identity.FileRoots) }, "taking ca.crt: reading a bundle: it holds something else than certificates in PEM"},
		"a leaf as a root": {func(t *testing.T, d string) { copyFile(t, d, identity.FileCertificate, identity.FileRoots) }, "taking ca.crt: reading a bundle: a certificate is not one of an authority"},
		"another's key": {func(t *testing.T, d string) {
			elsewhere := t.TempDir()
			root.Write(t, elsewhere, root.Leaf(t, start, portal))
			text, err := os.ReadFile(filepath.Join(elsewhere, identity.FileKey))
			if err != nil {
				t.Fatal(err)
			}
			write(t, d, identity.FileKey, string(text))
		}, "taking tls.crt and tls.key"},
		"a file without end": {func(t *testing.T, d string) { write(t, d, identity.FileRoots, strings.Repeat(" ", 1<<20+1)) }, "reading ca.crt: it has more than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			directory := t.TempDir()
			root.Write(t, directory, root.Leaf(t, start, api))
			tc.breaks(t, directory)
			files := identity.Files{Directory: directory}
			err := files.Load()
			if tc.want == "" && (err != nil || files.Certificate() == nil || files.Roots() == nil || len(files.Bundle()) != 1) {
				t.Errorf("Load() = %v, %v, %v", err, files.Certificate(), files.Roots())
			}
			if tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want) || files.Certificate() != nil || files.Roots() != nil || files.Bundle() != nil) {
				t.Errorf("Load() = %v, want %q; it has %v, %v", err, tc.want, files.Certificate(), files.Roots())
			}
		})
	}
}

// The kubelet writes a directory aside and points ..data to it.
func TestFilesFollowTheKubelet(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	directory := t.TempDir()
	publish := func(version, id string) {
		t.Helper()
		aside := filepath.Join(directory, version)
		if err := os.Mkdir(aside, 0o700); err != nil {
			t.Fatal(err)
		}
		root.Write(t, aside, root.Leaf(t, start, id))
		if err := os.Symlink(version, filepath.Join(directory, "..data_tmp")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(directory, "..data_tmp"), filepath.Join(directory, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	publish("..1", portal)
	files := identity.Files{Directory: directory}
	if err := files.Load(); err != nil {
		t.Fatalf("Load: %v", err)
	}
	first := files.Certificate()
	if err := files.Load(); err != nil || files.Certificate() != first {
		t.Errorf("what did not change is taken anew: %v", err)
	}
	publish("..2", api)

	if err := files.Load(); err != nil {
		t.Fatalf("Load: %v", err)
	}
	if id := files.Certificate().Leaf.URIs[0].String(); id != api {
		t.Errorf("after the change it is %s", id)
	}
	remove(t, filepath.Join(directory, "..2"), identity.FileKey)
	if err := files.Load(); err == nil || files.Certificate() == nil {
		t.Errorf("a file went missing: %v, and what was read before: %v", err, files.Certificate())
	}
}

func TestACertificateThatNobodyRenewsTellsOfAnOutage(t *testing.T) {
	root := proxytest.NewAuthority(t, start)
	directory := t.TempDir()
	leaf := root.Leaf(t, start, api)
	root.Write(t, directory, leaf)
	files := identity.Files{Directory: directory}
	if files.Overdue(start.AddDate(1, 0, 0)) {
		t.Error("nothing is overdue")
	}
	if err := files.Load(); err != nil {
		t.Fatalf("Load: %v", err)
	}
	if due := leaf.Leaf.NotBefore.Add(18 * time.Hour); files.Overdue(due) || !files.Overdue(due.Add(time.Second)) {
		t.Errorf("overdue at three quarters: %t, a second later: %t", files.Overdue(due), files.Overdue(due.Add(time.Second)))
	}
}

func remove(t *testing.T, directory, name string) {
	t.Helper()
	if err := os.Remove(filepath.Join(directory, name)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, directory, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(directory, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func copyFile(t *testing.T, directory, from, to string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(directory, from))
	if err != nil {
		t.Fatal(err)
	}
	write(t, directory, to, string(text))
}
