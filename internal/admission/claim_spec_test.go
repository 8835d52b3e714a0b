package admission_test

import (
	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A claim in a PHI namespace", func() {
	var (
		ns     string
		tenant *person
	)
	BeforeEach(func(ctx SpecContext) {
		tenant = as("tess@example.org")
		ns = namespace(ctx, "enforce")
	})
	claim := func() *phitest.ClaimBuilder { return phitest.Claim("data").Namespace(ns) }

	It("gets the profile's class when it names none", func(ctx SpecContext) {
		unnamed := claim().WithoutClass().Obj()
		Expect(tenant.Create(ctx, unnamed)).To(Succeed())
		Expect(unnamed.Spec.StorageClassName).To(HaveValue(Equal(phitest.EncryptedClass)))
	})

	It("gets the profile's class when it names none and the cluster has a default class", func(ctx SpecContext) {
		byDefault := phitest.Class("by-default").Unencrypted().Obj()
		byDefault.Annotations = map[string]string{"storageclass.kubernetes.io/is-default-class": "true"}
		Expect(admin.Create(ctx, byDefault)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, byDefault)).To(Succeed()) })
		plain := namespaceWithoutPHI(ctx)
		Eventually(func(g Gomega) {
			probe := phitest.Claim("probe").Namespace(plain).WithoutClass().Obj()
			g.Expect(admin.Create(ctx, probe, client.DryRunAll)).To(Succeed())
			g.Expect(probe.Spec.StorageClassName).To(HaveValue(Equal("by-default")))
		}).Should(Succeed())

		unnamed := claim().WithoutClass().Obj()
		Expect(tenant.Create(ctx, unnamed)).To(Succeed())
		Expect(unnamed.Spec.StorageClassName).To(HaveValue(Equal(phitest.EncryptedClass)))

		named := claim().With(func(c *corev1.PersistentVolumeClaim) { c.Name = "named" }).Class("by-default").Obj()
		Expect(tenant.Create(ctx, named)).To(MatchError(ContainSubstring("volume-encryption")))
	})

	It("is refused with a class that is not encrypted", func(ctx SpecContext) {
		err := tenant.Create(ctx, claim().Class("plain").Obj())
		AddReportEntry("refusal", err.Error())
		Expect(err).To(MatchError(And(
			ContainSubstring(`admission webhook "claims.hipaa-operator.io" denied the request: persistentvolumeclaim "data" in PHI namespace`),
			ContainSubstring("volume-encryption"), ContainSubstring("hipaa-encrypted"),
		)))
	})

	It("of a pod's own gets the profile's class when it names none", func(ctx SpecContext) {
		declare(ctx, ns, "patient-api")
		scratch := phitest.Pod("patient-api").Namespace(ns).Ephemeral("scratch", phitest.Claim("").WithoutClass()).Obj()
		Expect(tenant.Create(ctx, scratch)).To(Succeed())
		plain := phitest.Pod("plain").Namespace(ns).Label("app", "patient-api").Ephemeral("scratch", phitest.Claim("").Class("plain")).Obj()
		Expect(tenant.Create(ctx, plain)).To(MatchError(ContainSubstring("volume-encryption")))
	})

	It("may grow, and may be bound by the cluster", func(ctx SpecContext) {
		Expect(tenant.Create(ctx, claim().Obj())).To(Succeed())
		binder := as("system:serviceaccount:kube-system:persistent-volume-binder", "system:masters")
		var bound corev1.PersistentVolumeClaim
		Expect(binder.Get(ctx, client.ObjectKey{Namespace: ns, Name: "data"}, &bound)).To(Succeed())
		bound.Spec.VolumeName = "no-such-volume"
		Expect(binder.Update(ctx, &bound)).To(Succeed())
	})

	It("is not bound by its tenant to a volume that is not encrypted", func(ctx SpecContext) {
		volume := phitest.Volume("local-" + ns).Obj()
		volume.Annotations = nil
		volume.Spec.StorageClassName = phitest.EncryptedClass
		volume.Spec.CSI = nil
		volume.Spec.Local = &corev1.LocalVolumeSource{Path: "/mnt/disk"}
		volume.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
			MatchExpressions: []corev1.NodeSelectorRequirement{{Key: "kubernetes.io/hostname", Operator: corev1.NodeSelectorOpExists}},
		}}}}
		Expect(admin.Create(ctx, volume)).To(Succeed())
		mine := claim().Obj()
		Expect(tenant.Create(ctx, mine)).To(Succeed())
		mine.Spec.VolumeName = volume.Name
		Expect(tenant.Update(ctx, mine)).To(MatchError(ContainSubstring("volume-encryption")))
	})
})

var _ = Describe("A claim outside", func() {
	It("is left alone", func(ctx SpecContext) {
		plain := namespaceWithoutPHI(ctx)
		Expect(admin.Create(ctx, &storagev1.StorageClass{ObjectMeta: phitest.Class("unused-" + plain).Obj().ObjectMeta, Provisioner: "example.org/disk"})).To(Succeed())
		c := phitest.Claim("data").Namespace(plain).Class("unused-" + plain).Obj()
		Expect(as("tess@example.org").Create(ctx, c)).To(Succeed())
		Expect(c.Spec.StorageClassName).To(Equal(ptr.To("unused-" + plain)))
	})
})
