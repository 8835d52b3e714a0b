package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// kubeconfigMark is the first line of every kubeconfig of this tool. A file without it
// belongs to somebody else and is neither overwritten nor removed.
const kubeconfigMark = "# Written by hipaa-operator's hack/localcluster; removed when the cluster stops.\n"

// login is how one user reaches the cluster; the fields are PEM.
type login struct {
	server, user  string
	ca, cert, key []byte
}

// readLogin loads the files that a kubeconfig embeds.
func readLogin(server, user, caFile string, pair keyPair) (login, error) {
	l := login{server: server, user: user}
	for file, into := range map[string]*[]byte{caFile: &l.ca, pair.cert: &l.cert, pair.key: &l.key} {
		content, err := os.ReadFile(file)
		if err != nil {
			return login{}, fmt.Errorf("reading the login of %s: %w", user, err)
		}
		*into = content
	}
	return l, nil
}

// kubeconfig renders a file that stands alone: it may be copied and outlives the certificates' files.
func (l login) kubeconfig() []byte {
	encode := base64.StdEncoding.EncodeToString
	return []byte(kubeconfigMark + strings.Join([]string{
		"apiVersion: v1",
		"kind: Config",
		"clusters:",
		"- name: hipaa-localcluster",
		"  cluster:",
		"    server: " + l.server,
		"    certificate-authority-data: " + encode(l.ca),
		"users:",
		"- name: " + l.user,
		"  user:",
		"    client-certificate-data: " + encode(l.cert),
		"    client-key-data: " + encode(l.key),
		"contexts:",
		"- name: hipaa-localcluster",
		"  context:",
		"    cluster: hipaa-localcluster",
		"    user: " + l.user,
		"current-context: hipaa-localcluster",
	}, "\n") + "\n")
}

// checkKubeconfigPath refuses a path where somebody else's file stands, before anything is started.
func checkKubeconfigPath(path string) error {
	content, err := os.ReadFile(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		if info, statErr := os.Stat(filepath.Dir(path)); statErr != nil || !info.IsDir() {
			return fmt.Errorf("writing the kubeconfig: %s is not a folder", filepath.Dir(path))
		}
		return nil
	case err != nil:
		return fmt.Errorf("writing the kubeconfig: %w", err)
	case !bytes.HasPrefix(content, []byte(kubeconfigMark)):
		return fmt.Errorf("writing the kubeconfig: %s exists and was not written by this tool; choose another path", path)
	}
	return nil
}

// removeKubeconfig removes the file only while it still is what this cluster wrote:
// another cluster may have taken over the path.
func removeKubeconfig(path string, written []byte) error {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) || (err == nil && !bytes.Equal(content, written)) {
		return nil
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err != nil {
		return fmt.Errorf("removing the kubeconfig: %w", err)
	}
	return nil
}
