package catalog

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var encryption = controlOf("volume-encryption")

// cabinet is a subject with storage.
type cabinet struct {
	storage control.StorageParameters
	claims  []*corev1.PersistentVolumeClaim
	volumes []*corev1.PersistentVolume
	classes []*storagev1.StorageClass
}

func (c cabinet) subject() control.Subject {
	world := &control.World{
		Claims:  map[string]*corev1.PersistentVolumeClaim{},
		Volumes: map[string]*corev1.PersistentVolume{},
		Classes: map[string]*storagev1.StorageClass{},
	}
	for _, o := range c.claims {
		world.Claims[o.Name] = o
	}
	for _, o := range c.volumes {
		world.Volumes[o.Name] = o
	}
	for _, o := range c.classes {
		world.Classes[o.Name] = o
	}
	return control.Subject{
		Profile:   &control.Profile{Storage: c.storage},
		Namespace: phitest.Namespace(phitest.DefaultNamespace).Obj(),
		Workload:  phitest.Workload("ehr").Obj(),
		World:     world,
	}
}

func stated(class string, grade hipaav1.StorageGrade) map[string]hipaav1.StorageStatement {
	return map[string]hipaav1.StorageStatement{class: {
		StorageClass: class, Grade: grade, Statement: hipaav1.Statement{StatedBy: "somebody", Expires: phitest.After(24 * time.Hour)},
	}}
}

func TestClaimsAreJudged(t *testing.T) {
	encrypted := phitest.Class(phitest.EncryptedClass).Obj()
	efs := phitest.Class("efs").Provisioner("efs.csi.aws.com").Obj()
	claim := phitest.Claim("data")
	for name, tc := range map[string]struct {
		cabinet cabinet
		give    *phitest.ClaimBuilder
		want    []string
	}{
		"unbound, by its class": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{encrypted}},
			give:    claim,
			want:    []string{"Pass: pvc data: ebs.csi.aws.com kmsKeyId " + phitest.KeyID},
		},
		"bound, by its volume and the class that made it": {
			cabinet: cabinet{
				classes: []*storagev1.StorageClass{encrypted},
				volumes: []*corev1.PersistentVolume{phitest.Volume("pv-1").For(claim.Obj()).Obj()},
			},
			give: phitest.Claim("data").BoundTo("pv-1"),
			want: []string{"Pass: pvc data: ebs.csi.aws.com kmsKeyId " + phitest.KeyID},
		},
		"bound to a volume that is older than its class": {
			cabinet: cabinet{
				storage: control.StorageParameters{EncryptedClass: phitest.EncryptedClass},
				classes: []*storagev1.StorageClass{phitest.Class(phitest.EncryptedClass).CreatedAfter(time.Hour).Obj()},
				volumes: []*corev1.PersistentVolume{phitest.Volume("pv-1").For(claim.Obj()).Obj()},
			},
			give: phitest.Claim("data").BoundTo("pv-1"),
			want: []string{`Unknown: spec.volumeName names volume "pv-1", which shows no evidence of encryption: ebs.csi.aws.com ` +
				`(StorageClass "hipaa-encrypted" was created after the volume: the class it was made by is gone)`},
		},
		"bound to a volume that was not read": {
			give: phitest.Claim("data").BoundTo("pv-1"),
			want: []string{`Unknown: spec.volumeName names volume "pv-1", which shows no evidence of encryption: ` +
				`PersistentVolume "pv-1" is the volume of the claim and was not read`},
		},
		"with a key of the provider": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{phitest.Class("provider").ProviderKey().Obj()}},
			give:    phitest.Claim("data").Class("provider"),
			want:    []string{"Pass: pvc data: ebs.csi.aws.com encrypted true"},
		},
		"of a class that declines encryption, whatever is stated": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated("plain", hipaav1.StorageGradeCustomerKey)},
				classes: []*storagev1.StorageClass{phitest.Class("plain").Unencrypted().Obj()},
			},
			give: phitest.Claim("data").Class("plain"),
			want: []string{`spec.storageClassName names class "plain", which is not encrypted: ebs.csi.aws.com encrypted false (encrypted "false" declines encryption)`},
		},
		"of a class that no field shows to be encrypted": {
			cabinet: cabinet{classes: []*storagev1.StorageClass{efs}},
			give:    phitest.Claim("data").Class("efs"),
			want: []string{`Unknown: spec.storageClassName names class "efs", which shows no evidence of encryption: no parameter decides; ` +
				`efs.csi.aws.com has no parameter for encryption at rest; the file system was made before it`},
		},
		"of such a class, where a person states it": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated("efs", hipaav1.StorageGradeProviderKey)},
				classes: []*storagev1.StorageClass{efs},
			},
			give: phitest.Claim("data").Class("efs"),
			want: []string{"Pass: pvc data: StorageClass efs is stated to be EncryptedProviderKey until 2026-03-03 [Attested]"},
		},
		"of a stated class that does not exist": {
			cabinet: cabinet{storage: control.StorageParameters{Statements: stated("efs", hipaav1.StorageGradeProviderKey)}},
			give:    phitest.Claim("data").Class("efs"),
			want: []string{`Unknown: spec.storageClassName names class "efs", which shows no evidence of encryption: ` +
				`StorageClass "efs" does not exist or was not read`},
		},
		"bound to a volume by hand that carries the name of a stated class and is of its driver": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated("efs", hipaav1.StorageGradeProviderKey)},
				classes: []*storagev1.StorageClass{efs},
				volumes: []*corev1.PersistentVolume{phitest.Volume("pv-1").Driver("efs.csi.aws.com").Class("efs").Static().For(claim.Obj()).Obj()},
			},
			give: phitest.Claim("data").Class("efs").BoundTo("pv-1"),
			want: []string{"Pass: pvc data: StorageClass efs is stated to be EncryptedProviderKey until 2026-03-03 [Attested]"},
		},
		"bound to a volume on a node's disk that carries the name of a stated class": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated("efs", hipaav1.StorageGradeProviderKey)},
				classes: []*storagev1.StorageClass{efs},
				volumes: []*corev1.PersistentVolume{phitest.Volume("pv-1").Class("efs").Static().With(func(v *corev1.PersistentVolume) {
					v.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/data"}}
				}).For(claim.Obj()).Obj()},
			},
			give: phitest.Claim("data").Class("efs").BoundTo("pv-1"),
			want: []string{`Unknown: spec.volumeName names volume "pv-1", which shows no evidence of encryption: ` +
				`hostPath (the data is on the node's own disk, whose encryption the cluster does not show)`},
		},
		"bound to a volume of local disks of a stated class without provisioner": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated("local", hipaav1.StorageGradeCustomerKey)},
				classes: []*storagev1.StorageClass{phitest.Class("local").Provisioner("kubernetes.io/no-provisioner").Obj()},
				volumes: []*corev1.PersistentVolume{phitest.Volume("pv-1").Class("local").Static().With(func(v *corev1.PersistentVolume) {
					v.Spec.PersistentVolumeSource = corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/disks/1"}}
				}).For(claim.Obj()).Obj()},
			},
			give: phitest.Claim("data").Class("local").BoundTo("pv-1"),
			want: []string{"Pass: pvc data: StorageClass local is stated to be EncryptedCustomerKey until 2026-03-03 [Attested]"},
		},
		"that belongs to another claim's volume, whatever is stated": {
			cabinet: cabinet{
				storage: control.StorageParameters{Statements: stated(phitest.EncryptedClass, hipaav1.StorageGradeCustomerKey)},
				classes: []*storagev1.StorageClass{encrypted},
				volumes: []*corev1.PersistentVolume{phitest.Volume("pv-1").For(phitest.Claim("another").Obj()).Obj()},
			},
			give: phitest.Claim("data").BoundTo("pv-1"),
			want: []string{`Unknown: spec.volumeName names volume "pv-1", which shows no evidence of encryption: PersistentVolume "pv-1" belongs to another claim`},
		},
		"without a class": {
			give: phitest.Claim("data").WithoutClass(),
			want: []string{"Unknown: spec.storageClassName names no class: what it would get shows no evidence of encryption: " +
				"the claim names no StorageClass, and no default class was read"},
		},
		"with a name to be generated and a class that does not exist": {
			cabinet: cabinet{storage: control.StorageParameters{EncryptedClass: phitest.EncryptedClass}},
			give: phitest.Claim("data").With(func(c *corev1.PersistentVolumeClaim) {
				c.Name, c.GenerateName = "", "data-"
			}),
			want: []string{`Unknown: spec.storageClassName names class "hipaa-encrypted", which shows no evidence of encryption: ` +
				`StorageClass "hipaa-encrypted" does not exist or was not read`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.cabinet.subject()
			s.Claim = tc.give.Obj()
			if diff := cmp.Diff(tc.want, sentences(encryption.Check(s))); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestVolumesOfPodsAreJudged(t *testing.T) {
	shelf := cabinet{
		storage: control.StorageParameters{EncryptedClass: phitest.EncryptedClass},
		claims:  []*corev1.PersistentVolumeClaim{phitest.Claim("data").Obj(), phitest.Claim("plain").Class("plain").Obj()},
		classes: []*storagev1.StorageClass{phitest.Class(phitest.EncryptedClass).Obj(), phitest.Class("plain").Unencrypted().Obj()},
	}
	ownedClaim := phitest.Claim("app-scratch").Class("plain").With(func(c *corev1.PersistentVolumeClaim) {
		c.OwnerReferences = []metav1.OwnerReference{{UID: "app-uid"}}
	}).Obj()
	bare := cabinet{storage: control.StorageParameters{EncryptedClass: phitest.EncryptedClass}}
	for name, tc := range map[string]struct {
		shelf cabinet
		give  *phitest.PodBuilder
		want  []string
	}{
		"without volumes": {shelf: shelf, give: phitest.Pod("app"), want: []string{"NotApplicable: no volume outside the node is mounted"}},
		"with volumes that hold no data at rest outside the node": {
			shelf: shelf,
			give: phitest.Pod("app").
				Volume("memory", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}}).
				Volume("disk", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}).
				Volume("settings", corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{}}).
				Volume("keys", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "secrets-store.csi.k8s.io"}}),
			want: []string{"NotApplicable: no volume outside the node is mounted"},
		},
		"with two claims, one of them plain": {
			shelf: shelf,
			give:  phitest.Pod("app").Mounts("data", "data").Mounts("more", "plain"),
			want: []string{
				"Pass: pvc data: ebs.csi.aws.com kmsKeyId " + phitest.KeyID,
				`spec.volumes[1] mounts claim "plain", which is not encrypted: ebs.csi.aws.com encrypted false (encrypted "false" declines encryption)`,
			},
		},
		"with a claim that does not exist": {
			shelf: shelf,
			give:  phitest.Pod("app").Mounts("data", "missing"),
			want:  []string{`Unknown: spec.volumes[0] mounts claim "missing", which does not exist`},
		},
		"with an ephemeral volume of the encrypted class": {
			shelf: shelf,
			give:  phitest.Pod("app").Ephemeral("scratch", phitest.Claim("")),
			want:  []string{"Pass: spec.volumes[0]: ebs.csi.aws.com kmsKeyId " + phitest.KeyID},
		},
		"with an ephemeral volume without a class, which its claim will get": {
			shelf: shelf,
			give:  phitest.Pod("app").Ephemeral("scratch", phitest.Claim("").WithoutClass()),
			want:  []string{"Pass: spec.volumes[0]: ebs.csi.aws.com kmsKeyId " + phitest.KeyID},
		},
		"with such a volume while nobody has read the class": {
			shelf: bare,
			give:  phitest.Pod("app").Ephemeral("scratch", phitest.Claim("").WithoutClass()),
			want:  []string{"Unknown: spec.volumes[0] asks for a claim that will be judged when it is made (live)"},
		},
		"with an ephemeral volume whose claim exists and is plain": {
			shelf: cabinet{claims: []*corev1.PersistentVolumeClaim{ownedClaim}, classes: shelf.classes},
			give:  phitest.Pod("app").UID("app-uid").Ephemeral("scratch", phitest.Claim("")),
			want:  []string{`spec.volumes[0] mounts claim "app-scratch", which is not encrypted: ebs.csi.aws.com encrypted false (encrypted "false" declines encryption)`},
		},
		"with an ephemeral volume whose claim's name is taken by somebody else's": {
			shelf: cabinet{claims: []*corev1.PersistentVolumeClaim{phitest.Claim("app-scratch").Class("plain").Obj()}, classes: shelf.classes},
			give:  phitest.Pod("app").UID("app-uid").Ephemeral("scratch", phitest.Claim("")),
			want:  []string{"Pass: spec.volumes[0]: ebs.csi.aws.com kmsKeyId " + phitest.KeyID},
		},
		"with an inline volume of a driver that nobody knows": {
			shelf: shelf,
			give:  phitest.Pod("app").Volume("inline", corev1.VolumeSource{CSI: &corev1.CSIVolumeSource{Driver: "csi.example.org"}}),
			want: []string{`Unknown: spec.volumes[0] attaches storage that shows no evidence of encryption: ` +
				`"csi.example.org" is not in the table of drivers, so nothing is known about its parameters`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.shelf.subject()
			s.Pod = tc.give.Obj()
			got := sentences(encryption.Check(s))
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRemediesNameTheClassOfTheProfile(t *testing.T) {
	plain := cabinet{classes: []*storagev1.StorageClass{phitest.Class("plain").Unencrypted().Obj()}}
	bound := cabinet{
		storage: control.StorageParameters{EncryptedClass: phitest.EncryptedClass},
		classes: plain.classes,
		volumes: []*corev1.PersistentVolume{phitest.Volume("pv-1").Class("plain").For(phitest.Claim("data").Obj()).Obj()},
	}
	withClass := plain
	withClass.storage.EncryptedClass = phitest.EncryptedClass
	for name, tc := range map[string]struct {
		cabinet cabinet
		claim   *phitest.ClaimBuilder
		want    string
	}{
		"where the profile names one":        {withClass, phitest.Claim("data").Class("plain"), `use StorageClass "hipaa-encrypted"`},
		"and the driver's where it does not": {plain, phitest.Claim("data").Class("plain"), `set encrypted: "true" and kmsKeyId in a new StorageClass`},
		"after what has to be done with a volume that exists": {
			bound, phitest.Claim("data").Class("plain").BoundTo("pv-1"),
			`copy the data to a volume of an encrypted StorageClass; neither a class nor a VolumeAttributesClass encrypts a volume that exists; the profile's class is "hipaa-encrypted"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := tc.cabinet.subject()
			s.Claim = tc.claim.Obj()
			if got := encryption.Check(s)[0].Remedy; got != tc.want {
				t.Errorf("remedy = %q, want %q", got, tc.want)
			}
		})
	}
}

func TestClaimsWithoutAClassGetTheProfiles(t *testing.T) {
	for name, tc := range map[string]struct {
		give *phitest.ClaimBuilder
		want *string
	}{
		"that names none": {give: phitest.Claim("data").WithoutClass(), want: ptr.To(phitest.EncryptedClass)},
		"that the cluster's default class was filled into": {give: phitest.Claim("data").ClassFromCluster("gp2"), want: ptr.To(phitest.EncryptedClass)},
		"unless its author names one":                      {give: phitest.Claim("data").ClassFromPerson("gp2"), want: ptr.To("gp2")},
		"unless a file names one":                          {give: phitest.Claim("data").Class("gp2"), want: ptr.To("gp2")},
		"unless its author declines a class":               {give: phitest.Claim("data").Class(""), want: ptr.To("")},
		"unless it asks for a certain volume":              {give: phitest.Claim("data").WithoutClass().With(func(c *corev1.PersistentVolumeClaim) { c.Spec.VolumeName = "pv-1" })},
		"unless it asks for volumes with certain labels":   {give: phitest.Claim("data").WithoutClass().With(func(c *corev1.PersistentVolumeClaim) { c.Spec.Selector = phitest.Labels("disk", "fast") })},
		"unless it exists already":                         {give: phitest.Claim("data").ClassFromCluster("gp2").With(func(c *corev1.PersistentVolumeClaim) { c.UID = "claim-uid" }), want: ptr.To("gp2")},
		"unless the annotation of the beta names one": {give: phitest.Claim("data").WithoutClass().With(func(c *corev1.PersistentVolumeClaim) {
			c.Annotations = map[string]string{corev1.BetaStorageClassAnnotation: "gp2"}
		})},
		"unless who owns its fields cannot be read": {
			give: phitest.Claim("data").ClassFromCluster("gp2").With(func(c *corev1.PersistentVolumeClaim) {
				c.ManagedFields[0].FieldsV1.SetRawString("{")
			}), want: ptr.To("gp2"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			claim := tc.give.Obj()
			s := cabinet{storage: control.StorageParameters{EncryptedClass: phitest.EncryptedClass}}.subject()
			s.Claim = claim
			encryption.Default(s, claim)
			if diff := cmp.Diff(tc.want, claim.Spec.StorageClassName); diff != "" {
				t.Errorf("class (-want +got):\n%s", diff)
			}
			s.Profile.Storage.EncryptedClass = ""
			again := tc.give.Obj()
			encryption.Default(s, again)
			if diff := cmp.Diff(tc.give.Obj(), again); diff != "" {
				t.Errorf("without a class of the profile the claim changes all the same (-want +got):\n%s", diff)
			}
		})
	}
}
