package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"

	"github.com/hipaa-operator/hipaa-operator/internal/guard"
)

// Manifests renders config/default into a file, with the one difference that
// running beside the cluster makes: webhooks are reached by URL.
func (o *Operator) Manifests(ctx context.Context) (string, error) {
	rendered, err := o.cluster.Run(ctx, "kustomize", "config/default")
	if err != nil {
		return "", fmt.Errorf("rendering config/default: %w\n%s", err, rendered)
	}
	var out bytes.Buffer
	documents := utilyaml.NewYAMLOrJSONDecoder(bytes.NewReader([]byte(rendered)), 4096)
	for {
		object := &unstructured.Unstructured{}
		err := documents.Decode(&object.Object)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", fmt.Errorf("decoding config/default: %w", err)
		}
		if err := guard.Beside(object, o.baseURL()); err != nil {
			return "", fmt.Errorf("reading %s: %w", object.GetName(), err)
		}
		document, err := yaml.Marshal(object.Object)
		if err != nil {
			return "", fmt.Errorf("encoding %s: %w", object.GetKind(), err)
		}
		out.WriteString("---\n")
		out.Write(document)
	}
	path := filepath.Join(o.cluster.Workdir, "operator.yaml")
	if err := os.WriteFile(path, out.Bytes(), 0o600); err != nil {
		return "", fmt.Errorf("writing the operator's manifests: %w", err)
	}
	return path, nil
}

// Install applies the operator's manifests.
func (o *Operator) Install(ctx context.Context) error {
	path, err := o.Manifests(ctx)
	if err != nil {
		return err
	}
	if out, err := o.cluster.Run(ctx, "apply", "--server-side", "-f", path); err != nil {
		return fmt.Errorf("installing the operator's manifests: %w\n%s", err, out)
	}
	return nil
}
