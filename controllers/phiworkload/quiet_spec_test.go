package phiworkload_test

import (
	"context"
	"fmt"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	hipaav1ac "github.com/hipaa-operator/hipaa-operator/api/v1alpha1/applyconfiguration/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/apply"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A quiet cluster", Serial, func() {
	It("sees no write, neither at rest nor after a restart nor when things change that do not matter", func(ctx context.Context) {
		p := newPlace(ctx, base())
		audited := newPlace(ctx, base().Mode(hipaav1.ModeAudit))
		for i := range 5 {
			w := create(ctx, p.workload(fmt.Sprintf("w%d", i)).Port("http", 8080).Obj())
			create(ctx, phitest.Pod(w.Name+"-1").Of(w).Obj())
			create(ctx, audited.workload(fmt.Sprintf("w%d", i)).Port("http", 8080).Obj())
		}
		create(ctx, audited.open("open", "w0"))
		for i := range 5 {
			p.settled(ctx, fmt.Sprintf("w%d", i))
			audited.becomes(ctx, fmt.Sprintf("w%d", i), hipaav1.ConditionReady, "True ReportedOnly")
		}
		audited.becomes(ctx, "w0", hipaav1.ConditionDriftFree, "False Drifted")
		audited.calm(ctx, "w0")
		quiet(ctx, func() {})
		quiet(ctx, func() {
			Expect(operator.Stop()).To(Succeed())
			startOperator()
		})
		quiet(ctx, func() {
			// Every workload of both places is looked at again.
			for _, at := range []place{p, audited} {
				at.changeProfile(ctx, func(profile *hipaav1.ComplianceProfile) { profile.Labels = map[string]string{"x": "y"} })
				label(ctx, nameOf(at), "colour", fmt.Sprint(time.Now().UnixNano()))
			}
		})
		p.lawful(ctx, "w0")
		audited.lawful(ctx, "w0")
	})
})

var _ = Describe("A status", func() {
	It("is written only over the version that it was computed from", func(ctx context.Context) {
		p := newPlace(ctx, base())
		create(ctx, p.workload("api").Obj())
		p.settled(ctx, "api")
		old := get(ctx, &hipaav1.PHIWorkload{}, p.key("api"))
		update(ctx, get(ctx, &hipaav1.PHIWorkload{}, p.key("api")), func(w *hipaav1.PHIWorkload) { w.Labels = map[string]string{"x": "y"} })
		status := hipaav1ac.PHIWorkloadStatus().WithStage(hipaav1.StagePreviewing)
		err := apply.Status(ctx, cluster.Admin, hipaav1ac.PHIWorkload("api", p.name).WithResourceVersion(old.ResourceVersion).WithStatus(status))
		Expect(apierrors.IsConflict(err)).To(BeTrue(), "%v", err)
		Expect(p.status(ctx, "api").Stage).To(Equal(hipaav1.StageEnforced))
		p.lawful(ctx, "api")
	})
})

// quiet does something and holds that no operator writes for a while after it,
// as the operators' transport and the API server's own metrics count. What the
// spec itself writes is the namespaces and profiles.
func quiet(ctx context.Context, do func()) {
	GinkgoHelper()
	Eventually(func() bool {
		before := len(cluster.Writes())
		<-time.After(700 * time.Millisecond) // gathering counts takes a second at most
		return len(cluster.Writes()) == before
	}, patience, interval).Should(BeTrue(), "it never came to rest")
	before := len(cluster.Writes())
	served, err := cluster.ServerWrites(ctx)
	Expect(err).NotTo(HaveOccurred())
	do()
	<-time.After(3 * time.Second)
	Expect(cluster.Writes()[before:]).To(BeEmpty())
	after, err := cluster.ServerWrites(ctx)
	Expect(err).NotTo(HaveOccurred())
	for _, written := range []map[string]float64{served, after} {
		delete(written, "namespaces")
		delete(written, "complianceprofiles")
	}
	Expect(after).To(Equal(served))
}
