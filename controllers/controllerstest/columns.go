package controllerstest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/onsi/ginkgo/v2"
	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
)

// Columns are what kubectl get prints of an object of ours, by their headings. An object
// of the cluster has no namespace.
func (c *Cluster) Columns(ctx context.Context, resource, namespace, name string) func() map[string]string {
	ginkgo.GinkgoHelper()
	client, err := rest.HTTPClientFor(c.config)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	server, _, err := rest.DefaultServerUrlFor(c.config)
	gomega.Expect(err).NotTo(gomega.HaveOccurred())
	in := server.JoinPath("apis", hipaav1.GroupVersion.String())
	if namespace != "" {
		in = in.JoinPath("namespaces", namespace)
	}
	url := in.JoinPath(resource, name).String()
	return func() map[string]string {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
		if err != nil {
			return map[string]string{"error": err.Error()}
		}
		request.Header.Set("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io")
		response, err := client.Do(request)
		if err != nil {
			return map[string]string{"error": err.Error()}
		}
		defer response.Body.Close()
		var table metav1.Table
		if err := json.NewDecoder(response.Body).Decode(&table); err != nil {
			return map[string]string{"error": err.Error()}
		}
		columns := map[string]string{}
		for _, row := range table.Rows {
			for i, cell := range row.Cells {
				if cell != nil {
					columns[table.ColumnDefinitions[i].Name] = fmt.Sprint(cell)
				}
			}
		}
		return columns
	}
}
