package catalog

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var keys = controlOf("customer-managed-keys")

func TestKeysOfClaimsAreJudged(t *testing.T) {
	efs := phitest.Class("efs").Provisioner("efs.csi.aws.com").Obj()
	gce := phitest.Class("gce").Provisioner("pd.csi.storage.gke.io", "disk-encryption-kms-key", "projects/p/locations/us-east1/keyRings/r/cryptoKeys/k").Obj()
	restored := func(c *corev1.PersistentVolumeClaim) {
		c.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "VolumeSnapshot", Name: "nightly"}
	}
	for name, tc := range map[string]struct {
		cabinet cabinet
		give    *phitest.ClaimBuilder
		want    []string
	}{
		"of a class that names a key": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{phitest.Class(phitest.EncryptedClass).Obj()}},
			give:    phitest.Claim("data"),
			want:    []string{"Pass: pvc data: ebs.csi.aws.com kmsKeyId " + phitest.KeyID},
		},
		"of a class with the provider's key": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{phitest.Class("provider").ProviderKey().Obj()}},
			give:    phitest.Claim("data").Class("provider"),
			want:    []string{`spec.storageClassName names class "provider", which is encrypted with a key of the provider: ebs.csi.aws.com encrypted true`},
		},
		"restored from a copy, where the provider encrypts all the same": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{gce}},
			give:    phitest.Claim("data").Class("gce").With(restored),
			want: []string{`Unknown: spec.storageClassName names class "gce", which is encrypted, and nothing shows that it is with a key of yours: ` +
				`pd.csi.storage.gke.io encrypts every disk, with a key of Google's unless told otherwise (a snapshot or another volume is its source, ` +
				`so the class does not say how the data is encrypted)`},
		},
		"that is not encrypted, which another control refuses": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{phitest.Class("plain").Unencrypted().Obj()}},
			give:    phitest.Claim("data").Class("plain"),
			want: []string{`spec.storageClassName names class "plain", which is not encrypted, with no key: ` +
				`ebs.csi.aws.com encrypted false (encrypted "false" declines encryption) (live)`},
		},
		"of a class that no field shows to be encrypted": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{efs}},
			give:    phitest.Claim("data").Class("efs"),
			want: []string{`Unknown: spec.storageClassName names class "efs", which shows no evidence of a key: no parameter decides; ` +
				`efs.csi.aws.com has no parameter for encryption at rest; the file system was made before it (live)`},
		},
		"of such a class, where a person states the key": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated("efs", hipaav1.StorageGradeCustomerKey)},
				classes: []*storagev1.StorageClass{efs},
			},
			give: phitest.Claim("data").Class("efs"),
			want: []string{"Pass: pvc data: StorageClass efs is stated to be EncryptedCustomerKey until 2026-03-03 [Attested]"},
		},
		"of such a class, where a person states the provider's key": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated("efs", hipaav1.StorageGradeProviderKey)},
				classes: []*storagev1.StorageClass{efs},
			},
			give: phitest.Claim("data").Class("efs"),
			want: []string{`spec.storageClassName names class "efs", which is stated to be encrypted with a key of the provider: StorageClass efs`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.cabinet.subject()
			s.Claim = tc.give.Obj()
			if diff := cmp.Diff(tc.want, sentences(keys.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestKeysOfPodsVolumesAreJudged(t *testing.T) {
	shelf := cabinet{
		storage: control.StorageParameters{EncryptedClass: phitest.EncryptedClass},
		claims:  []*corev1.PersistentVolumeClaim{phitest.Claim("data").Obj(), phitest.Claim("provider").Class("provider").Obj()},
		classes: []*storagev1.StorageClass{phitest.Class(phitest.EncryptedClass).Obj(), phitest.Class("provider").ProviderKey().Obj()},
	}
	for name, tc := range map[string]struct {
		give *phitest.PodBuilder
		want []string
	}{
		"without volumes": {give: phitest.Pod("app"), want: []string{"NotApplicable: no volume outside the node is mounted"}},
		"with two claims, one of them with the provider's key": {
			give: phitest.Pod("app").Mounts("data", "data").Mounts("more", "provider"),
			want: []string{
				"Pass: pvc data: ebs.csi.aws.com kmsKeyId " + phitest.KeyID,
				`spec.volumes[1] mounts claim "provider", which is encrypted with a key of the provider: ebs.csi.aws.com encrypted true`,
			},
		},
		"with a claim that does not exist, which another control refuses": {
			give: phitest.Pod("app").Mounts("data", "missing"),
			want: []string{`Unknown: spec.volumes[0] mounts claim "missing", which does not exist (live)`},
		},
		"with an ephemeral volume without a class, which its claim will get": {
			give: phitest.Pod("app").Ephemeral("scratch", phitest.Claim("").WithoutClass()),
			want: []string{"Pass: spec.volumes[0]: ebs.csi.aws.com kmsKeyId " + phitest.KeyID},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := shelf.subject()
			s.Pod = tc.give.Obj()
			if diff := cmp.Diff(tc.want, sentences(keys.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}
