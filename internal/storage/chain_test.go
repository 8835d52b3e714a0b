package storage

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// links is a whole chain that a test takes apart.
type links struct {
	volume *corev1.PersistentVolume
	claim  *corev1.PersistentVolumeClaim
	class  *storagev1.StorageClass
}

// made is a chain in order: the class is older than the volume, the volume was made by its driver for the claim.
func made(driver string, classParams, attributes map[string]string) *links {
	l := &links{class: class(driver, classParams)}
	l.volume = &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{
			Name: "pvc-1", CreationTimestamp: day(2), Annotations: map[string]string{provisionedBy: driver},
		},
		Spec: corev1.PersistentVolumeSpec{
			StorageClassName: "phi",
			ClaimRef:         &corev1.ObjectReference{Namespace: "ehr", Name: "data", UID: "u1"},
			PersistentVolumeSource: corev1.PersistentVolumeSource{
				CSI: &corev1.CSIPersistentVolumeSource{Driver: driver, VolumeHandle: "h", VolumeAttributes: attributes},
			},
		},
	}
	l.claim = &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ehr", Name: "data", UID: "u1"},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("phi"), VolumeName: "pvc-1"},
	}
	return l
}

// asked is a claim that waits for its volume.
func asked(driver string, classParams map[string]string) *links {
	l := made(driver, classParams, nil)
	l.volume, l.claim.Spec.VolumeName = nil, ""
	return l
}

func (l *links) but(change func(*links)) *links {
	change(l)
	return l
}

// inTree replaces the CSI source by a field of the time before.
func (l *links) inTree(s corev1.PersistentVolumeSource) *links {
	l.volume.Spec.PersistentVolumeSource = s
	return l
}

const (
	ebs, pd, ceph, azure = "ebs.csi.aws.com", "pd.csi.storage.gke.io", "rbd.csi.ceph.com", "disk.csi.azure.com"
	ali, hetzner, linode = "diskplugin.csi.alibabacloud.com", "csi.hetzner.cloud", "linodebs.csi.linode.com"
)

var encryptedEBS = p("encrypted", "true", "kmsKeyId", awsKey)

// chainCase is a chain and the whole verdict on it.
type chainCase struct {
	give *links
	want Verdict
}

// byClass are volumes that show nothing themselves: the class they were made by decides, if it is that class.
var byClass = map[string]chainCase{
	"a volume that shows nothing, made by an older class": {
		made(ebs, encryptedEBS, nil),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"class and volume of the same second": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.class.CreationTimestamp = day(2) }),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"a class created after the volume": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.class.CreationTimestamp = day(3) }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    `StorageClass "phi" was created after the volume: the class it was made by is gone`,
			Remedy: remedyAttest,
		},
	},
	"a class without a creation time": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.class.CreationTimestamp = metav1.Time{} }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    `StorageClass "phi" or the volume has no creation time, so they cannot be shown to belong together`,
			Remedy: remedyAttest,
		},
	},
	"a volume without a creation time": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.volume.CreationTimestamp = metav1.Time{} }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    `StorageClass "phi" or the volume has no creation time, so they cannot be shown to belong together`,
			Remedy: remedyAttest,
		},
	},
	"a volume that names its class by the annotation of the beta": {
		made(ebs, encryptedEBS, nil).but(func(l *links) {
			l.volume.Annotations[corev1.BetaStorageClassAnnotation], l.volume.Spec.StorageClassName = "phi", ""
		}),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"a claim restored by Velero": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim.Labels = p(restoredBy, "nightly") }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    "a snapshot or another volume is its source, so the class does not say how the data is encrypted",
			Remedy: remedyAttest,
		},
	},
	"objects read from files, without uids": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim.UID = "" }),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"a reference to the claim without its uid": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.volume.Spec.ClaimRef.UID = "" }),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"a class that is gone is a finding, not silence": {
		made(ebs, nil, nil).but(func(l *links) { l.class = nil }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    `StorageClass "phi" does not exist or was not read, and the volume shows no evidence of its own`,
			Remedy: remedyAttest,
		},
	},
	"a class of another name": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.class.Name = "gp3" }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why: `StorageClass "gp3" is the class that was read, and not the one that is named`, Remedy: remedyRead,
		},
	},
	"a class of another provisioner": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.class.Provisioner = pd }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    `"pd.csi.storage.gke.io" is the class's provisioner, and not the driver of the volume`,
			Remedy: remedyAttest,
		},
	},
	"a class of another installation of Ceph": {
		made("rook-ceph.rbd.csi.ceph.com", nil, p("encrypted", "true")).but(func(l *links) {
			l.volume.Annotations[provisionedBy] = "openshift-storage.rbd.csi.ceph.com"
		}),
		Verdict{
			Source: FromPersistentVolume, Evidence: "rook-ceph.rbd.csi.ceph.com",
			Why:    `PersistentVolume "pvc-1" was not made by its driver from a class, so no class says anything about it`,
			Remedy: remedyAttest,
		},
	},
	"a volume made by hand": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.volume.Annotations = nil }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    `PersistentVolume "pvc-1" was not made by its driver from a class, so no class says anything about it`,
			Remedy: remedyAttest,
		},
	},
	"attributes typed by hand, of a driver that ignores them": {
		made(ebs, nil, encryptedEBS),
		Verdict{
			Grade: Unknown, Source: FromStorageClass, Evidence: "ebs.csi.aws.com leaves it to the account's default, which the cluster does not show",
			Why:    "no parameter decides; ebs.csi.aws.com leaves it to the account's default, which the cluster does not show",
			Remedy: remedyAttest,
		},
	},
	"a volume restored from a snapshot": {
		made(ebs, encryptedEBS, nil).but(func(l *links) {
			l.claim.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "VolumeSnapshot", Name: "s"}
		}),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    "a snapshot or another volume is its source, so the class does not say how the data is encrypted",
			Remedy: remedyAttest,
		},
	},
	"a volume restored by Velero": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.volume.Labels = p(restoredBy, "nightly") }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why:    "a snapshot or another volume is its source, so the class does not say how the data is encrypted",
			Remedy: remedyAttest,
		},
	},
	"a volume whose claim was not read may be restored": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim = nil }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "ebs.csi.aws.com",
			Why: "the claim was not read, so a restored snapshot cannot be ruled out", Remedy: remedyRead,
		},
	},
	"a class that declines": {
		made(ebs, p("encrypted", "false"), nil),
		Verdict{
			Grade: NotEncrypted, Source: FromStorageClass, Evidence: "ebs.csi.aws.com encrypted false",
			Why: `encrypted "false" declines encryption`, Remedy: remedyCopy,
		},
	},
}

// byProvider are volumes of providers that encrypt everything: that holds without a class.
var byProvider = map[string]chainCase{
	"always encrypted, the class is gone": {
		made(pd, nil, nil).but(func(l *links) { l.class = nil }),
		Verdict{
			Grade: ProviderKey, Source: FromPersistentVolume,
			Evidence: "pd.csi.storage.gke.io encrypts every disk, with a key of Google's unless told otherwise",
			Why:      `StorageClass "phi" does not exist or was not read, and the volume shows no evidence of its own`,
		},
	},
	"always encrypted, the key of a younger class does not count": {
		made(pd, p("disk-encryption-kms-key", gcpKey), nil).but(func(l *links) { l.class.CreationTimestamp = day(3) }),
		Verdict{
			Grade: ProviderKey, Source: FromPersistentVolume,
			Evidence: "pd.csi.storage.gke.io encrypts every disk, with a key of Google's unless told otherwise",
			Why:      `StorageClass "phi" was created after the volume: the class it was made by is gone`,
		},
	},
}

// byVolume are volumes that carry their parameters.
var byVolume = map[string]chainCase{
	"the volume's own parameters, the class is gone": {
		made(ceph, nil, p("encrypted", "true", "encryptionKMSID", "vault-phi")).but(func(l *links) { l.class = nil }),
		Verdict{Grade: CustomerKey, Source: FromPersistentVolume, Evidence: "rbd.csi.ceph.com encryptionKMSID vault-phi"},
	},
	"the volume's own parameters against those of the class": {
		made(ceph, p("encrypted", "true", "encryptionKMSID", "vault-phi"), p("encrypted", "false")),
		Verdict{
			Grade: NotEncrypted, Source: FromPersistentVolume, Evidence: "rbd.csi.ceph.com encrypted false",
			Why: `encrypted "false" declines encryption`, Remedy: remedyCopy,
		},
	},
	"the volume's own silence against the word of the class": {
		made(ceph, p("encrypted", "true"), nil),
		Verdict{
			Source: FromPersistentVolume, Evidence: "rbd.csi.ceph.com " + selfHosted,
			Why: "no parameter decides; rbd.csi.ceph.com " + selfHosted, Remedy: remedyAttest,
		},
	},
	"copied parameters on a volume made by hand are words": {
		made(azure, nil, p("diskEncryptionSetID", azureSet)).but(func(l *links) { l.volume.Annotations = nil }),
		Verdict{
			Grade: ProviderKey, Source: FromPersistentVolume,
			Evidence: "disk.csi.azure.com encrypts every disk, with a key of the platform unless told otherwise",
			Why:      `PersistentVolume "pvc-1" was not made by its driver from a class, so no class says anything about it`,
		},
	},
	"copied parameters on a volume that the driver made": {
		made(azure, nil, p("diskencryptionsetid", azureSet)),
		Verdict{Grade: CustomerKey, Source: FromPersistentVolume, Evidence: "disk.csi.azure.com diskEncryptionSetID " + azureSet},
	},
	"applied at each mount, even on a volume made by hand": {
		made(hetzner, nil, nil).but(func(l *links) {
			l.volume.Annotations, l.class = nil, nil
			l.volume.Spec.CSI.NodePublishSecretRef = &corev1.SecretReference{Namespace: "ehr", Name: "luks"}
		}),
		Verdict{
			Grade: CustomerKey, Source: FromPersistentVolume,
			Evidence: "csi.hetzner.cloud csi.storage.k8s.io/node-publish-secret-name luks",
		},
	},
	"the class names a Secret and the volume has none": {
		made(hetzner, p(publishSecret, "luks"), nil),
		Verdict{
			Source:   FromPersistentVolume,
			Evidence: "csi.hetzner.cloud uses LUKS only with a node-publish Secret; what the provider does below is not documented",
			Why:      "no parameter decides; csi.hetzner.cloud uses LUKS only with a node-publish Secret; what the provider does below is not documented",
			Remedy:   remedyAttest,
		},
	},
	"LUKS off at the mount and the provider's encryption out of sight": {
		made(linode, nil, p("linodebs.csi.linode.com/luks-encrypted", "false")).but(func(l *links) { l.class = nil }),
		Verdict{
			Source: FromPersistentVolume, Evidence: "linodebs.csi.linode.com",
			Why:    `StorageClass "phi" does not exist or was not read, and the volume shows no evidence of its own`,
			Remedy: remedyAttest,
		},
	},
	"LUKS on at the mount, whatever the provider does": {
		made(linode, nil, p("linodebs.csi.linode.com/luks-encrypted", "true")).but(func(l *links) {
			l.class, l.volume.Spec.CSI.NodeStageSecretRef = nil, &corev1.SecretReference{Name: "luks"}
		}),
		Verdict{
			Grade: CustomerKey, Source: FromPersistentVolume,
			Evidence: "linodebs.csi.linode.com csi.storage.k8s.io/node-stage-secret-name luks",
		},
	},
	"the claim's key, copied to the volume by the driver": {
		made(ali, p("encrypted", "true", "kmsKeyId", "key-class"), p("encrypted", "true", "kmsKeyId", "key-class", "alibabacloud.com/kms-key-id", "key-claim")),
		Verdict{
			Grade: CustomerKey, Source: FromPersistentVolume,
			Evidence: "diskplugin.csi.alibabacloud.com alibabacloud.com/kms-key-id key-claim",
		},
	},
	"the claim's key, written to the claim after binding": {
		made(ali, p("encrypted", "true"), p("encrypted", "true")).but(func(l *links) {
			l.claim.Annotations = p("alibabacloud.com/kms-key-id", "key-late")
		}),
		Verdict{
			Grade: ProviderKey, Source: FromPersistentVolume, Evidence: "diskplugin.csi.alibabacloud.com encrypted true",
		},
	},
	"an annotation of the claim about LUKS is no evidence": {
		made("csi.trident.netapp.io", nil, nil).but(func(l *links) {
			l.claim.Annotations = p("trident.netapp.io/luksEncryption", "true", "trident.netapp.io/importOriginalName", "v")
		}),
		Verdict{
			Source: FromStorageClass, Evidence: "csi.trident.netapp.io takes LUKS from its backend, which the class does not show",
			Why:    "no parameter decides; csi.trident.netapp.io takes LUKS from its backend, which the class does not show",
			Remedy: remedyAttest,
		},
	},
}

// beforeCSI are volumes with fields of the time before CSI, or without a known source.
var beforeCSI = map[string]chainCase{
	"awsElasticBlockStore made by the old provisioner": {
		made("kubernetes.io/aws-ebs", encryptedEBS, nil).inTree(corev1.PersistentVolumeSource{
			AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "vol-1"},
		}),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "kubernetes.io/aws-ebs kmsKeyId " + awsKey},
	},
	"awsElasticBlockStore made by the new provisioner": {
		made(ebs, encryptedEBS, nil).inTree(corev1.PersistentVolumeSource{
			AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{VolumeID: "vol-1"},
		}),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "kubernetes.io/aws-ebs kmsKeyId " + awsKey},
	},
	"azureDisk carries no attributes, so the class decides": {
		made("kubernetes.io/azure-disk", p("diskEncryptionSetID", azureSet), nil).inTree(corev1.PersistentVolumeSource{
			AzureDisk: &corev1.AzureDiskVolumeSource{DiskName: "d"},
		}),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "kubernetes.io/azure-disk diskEncryptionSetID " + azureSet},
	},
	"gcePersistentDisk made by hand": {
		made(pd, nil, nil).inTree(corev1.PersistentVolumeSource{
			GCEPersistentDisk: &corev1.GCEPersistentDiskVolumeSource{PDName: "d"},
		}).but(func(l *links) { l.volume.Annotations = nil }),
		Verdict{
			Grade: ProviderKey, Source: FromPersistentVolume,
			Evidence: "kubernetes.io/gce-pd encrypts every disk, with a key of Google's unless told otherwise",
			Why:      `PersistentVolume "pvc-1" was not made by its driver from a class, so no class says anything about it`,
		},
	},
	"nfs": {
		made("nfs", nil, nil).inTree(corev1.PersistentVolumeSource{NFS: &corev1.NFSVolumeSource{Server: "s"}}),
		location{kind: KindAttached, field: "nfs"}.verdict(FromPersistentVolume),
	},
	"iscsi": {
		made("iscsi", nil, nil).inTree(corev1.PersistentVolumeSource{ISCSI: &corev1.ISCSIPersistentVolumeSource{IQN: "i"}}),
		location{kind: KindAttached, field: "iscsi"}.verdict(FromPersistentVolume),
	},
	"hostPath": {
		made("hostPath", nil, nil).inTree(corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/d"}}),
		location{kind: KindNodeDisk, field: "hostPath"}.verdict(FromPersistentVolume),
	},
	"local, whatever its class says": {
		made(ebs, encryptedEBS, nil).inTree(corev1.PersistentVolumeSource{Local: &corev1.LocalVolumeSource{Path: "/d"}}),
		location{kind: KindNodeDisk, field: "local"}.verdict(FromPersistentVolume),
	},
	"a source that is gone from Kubernetes": {
		made(ebs, encryptedEBS, nil).inTree(corev1.PersistentVolumeSource{Flocker: &corev1.FlockerVolumeSource{}}),
		location{}.verdict(FromPersistentVolume),
	},
	"a volume without a source": {
		made(ebs, encryptedEBS, nil).inTree(corev1.PersistentVolumeSource{}),
		location{}.verdict(FromPersistentVolume),
	},
	"a driver that nobody listed": {
		made("csi.example.org", p("encrypted", "true"), p("encrypted", "true")),
		Verdict{
			Source: FromPersistentVolume, Evidence: "csi.example.org",
			Why:    `"csi.example.org" is not in the table of drivers, so nothing is known about its parameters`,
			Remedy: "use a driver of the table, or attest this volume's encryption with an end date",
		},
	},
}

func TestOfVolume(t *testing.T) {
	for group, cases := range map[string]map[string]chainCase{
		"by class": byClass, "by provider": byProvider, "by volume": byVolume, "before CSI": beforeCSI,
		"broken chains": brokenChains, "unbound claims": unboundClaims,
	} {
		for name, tc := range cases {
			t.Run(group+"/"+name, func(t *testing.T) {
				got := OfVolume(tc.give.volume, tc.give.claim, tc.give.class)
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Errorf("OfVolume (-want +got):\n%s", diff)
				}
				checkLawful(t, got)
			})
		}
	}
}

func TestOfVolumeChangesNothing(t *testing.T) {
	give := made("rbd.csi.ceph.com", p("encrypted", "true"), p("encrypted", "true", "encryptionKMSID", "vault"))
	volume, claim, class := give.volume.DeepCopy(), give.claim.DeepCopy(), give.class.DeepCopy()
	OfVolume(give.volume, give.claim, give.class)
	if diff := cmp.Diff([]any{volume, claim, class}, []any{give.volume, give.claim, give.class}, cmp.Comparer(sameQuantity)); diff != "" {
		t.Errorf("arguments changed (-before +after):\n%s", diff)
	}
}

func sameQuantity(a, b resource.Quantity) bool { return a.Cmp(b) == 0 }

// checkLawful holds a verdict to what every verdict promises.
func checkLawful(t testing.TB, v Verdict) {
	t.Helper()
	checkTexts(t, v)
	switch {
	case v.Grade == CustomerKey && v.Why != "":
		t.Errorf("%s with a doubt: %+v", v.Grade, v)
	case v.Grade.Encrypted() && (v.Remedy != "" || v.Evidence == "" || v.Source == FromNothing):
		t.Errorf("%s without evidence, or with a remedy: %+v", v.Grade, v)
	case !v.Grade.Encrypted() && (v.Why == "" || v.Remedy == ""):
		t.Errorf("%s without a reason or a remedy: %+v", v.Grade, v)
	case v.Source == FromAttestation:
		t.Errorf("an attestation out of nowhere: %+v", v)
	}
}

func checkTexts(t testing.TB, v Verdict) {
	t.Helper()
	if len(v.Evidence) > EvidenceLimit || len(v.Why) > WhyLimit {
		t.Errorf("texts of %d and %d bytes are too long: %+v", len(v.Evidence), len(v.Why), v)
	}
	for _, text := range []string{v.Evidence, v.Why, v.Remedy} {
		if i := strings.IndexFunc(text, func(r rune) bool { return r < ' ' || r > '~' }); i >= 0 {
			t.Errorf("byte %d of %q is not printable ASCII", i, text)
		}
	}
}

func day(n int) metav1.Time {
	return metav1.NewTime(time.Date(2026, 1, n, 12, 0, 0, 0, time.UTC))
}
