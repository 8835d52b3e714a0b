package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"
)

// quietTime is how long a cluster must be left alone by an operator that has
// nothing to do.
const quietTime = 60 * time.Second

var _ = Describe("A quiet cluster", Serial, func() {
	It("sees no write of the operator for a minute, but its lease", func() {
		By("seeing the operator write, else it is not the operator that is watched")
		begin := auditEnd()
		const in = "quiet"
		phiNamespace(in)
		Eventually(func() []string { return writes(begin, time.Time{}) }).Should(ContainElement(ContainSubstring("/" + in + "/networkpolicies")))
		deleteNamespace(in)

		By("waiting until nothing that specs left is still going, and the operator has settled")
		Eventually(func(g Gomega) {
			var namespaces corev1.NamespaceList
			g.Expect(admin.List(ctx, &namespaces)).To(Succeed())
			for i := range namespaces.Items {
				g.Expect(namespaces.Items[i].DeletionTimestamp).To(BeNil(), namespaces.Items[i].Name)
			}
		}, 5*time.Minute, time.Second).Should(Succeed())
		Eventually(func() []string { return writes(begin, time.Now().Add(-10*time.Second)) }, 2*time.Minute, time.Second).Should(BeEmpty())

		end, start := auditEnd(), time.Now()
		time.Sleep(quietTime) //nolint:forbidigo // the passing of a minute is what is measured
		Expect(writes(end, start)).To(BeEmpty())
	})
})

// auditEnd is how long the API server's audit log is so far, in bytes.
func auditEnd() int64 {
	GinkgoHelper()
	file, err := os.Stat(kube.AuditLog)
	Expect(err).NotTo(HaveOccurred())
	return file.Size()
}

// writes lists what the manager wrote since an instant, from the API server's
// own audit log after an offset; the leader's lease is left out.
func writes(after int64, since time.Time) []string {
	GinkgoHelper()
	file, err := os.Open(kube.AuditLog)
	Expect(err).NotTo(HaveOccurred())
	defer func() { _ = file.Close() }()
	_, err = file.Seek(after, io.SeekStart)
	Expect(err).NotTo(HaveOccurred())
	var found []string
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 4<<20)
	for lines.Scan() {
		var e auditv1.Event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			continue // the line that is being written
		}
		if e.Stage != auditv1.StageResponseComplete || e.RequestReceivedTimestamp.Time.Before(since) || !strings.HasPrefix(e.UserAgent, "hipaa-operator/") {
			continue
		}
		if slices.Contains([]string{"create", "update", "patch", "delete"}, e.Verb) && e.ObjectRef != nil && e.ObjectRef.Resource != "leases" {
			found = append(found, e.Verb+" "+e.RequestURI)
		}
	}
	Expect(lines.Err()).NotTo(HaveOccurred())
	return found
}
