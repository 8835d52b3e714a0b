package storage

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

// brokenChains are objects that are missing or do not belong together.
var brokenChains = map[string]chainCase{
	"nothing read": {
		&links{},
		Verdict{Why: "neither volume, claim nor class was read", Remedy: remedyRead},
	},
	"only a class": {
		&links{class: class(ebs, encryptedEBS)},
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"the volume of another claim": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim.Name = "other" }),
		Verdict{Why: `PersistentVolume "pvc-1" belongs to another claim`, Remedy: remedyRead},
	},
	"the volume of a claim in another namespace": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim.Namespace = "lab" }),
		Verdict{Why: `PersistentVolume "pvc-1" belongs to another claim`, Remedy: remedyRead},
	},
	"the volume of a claim that had the same name": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim.UID = "u2" }),
		Verdict{Why: `PersistentVolume "pvc-1" belongs to another claim`, Remedy: remedyRead},
	},
	"the claim of another volume": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim.Spec.VolumeName = "pvc-2" }),
		Verdict{Why: `PersistentVolume "pvc-1" belongs to another claim`, Remedy: remedyRead},
	},
	"volume and claim that do not know each other": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.claim.Spec.VolumeName, l.volume.Spec.ClaimRef = "", nil }),
		Verdict{Why: `PersistentVolume "pvc-1" belongs to another claim`, Remedy: remedyRead},
	},
	"a claim bespoken to a volume that does not know it yet": {
		made(hetzner, nil, nil).but(func(l *links) {
			l.volume.Spec.ClaimRef = nil
			l.volume.Spec.CSI.NodePublishSecretRef = &corev1.SecretReference{Name: "luks"}
		}),
		Verdict{
			Grade: CustomerKey, Source: FromPersistentVolume,
			Evidence: "csi.hetzner.cloud csi.storage.k8s.io/node-publish-secret-name luks",
		},
	},
}

// unboundClaims are claims that wait for a volume.
var unboundClaims = map[string]chainCase{
	"an unbound claim, by its class": {
		asked(ebs, encryptedEBS),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"an unbound claim, the class declines": {
		asked(ebs, p("encrypted", "false")),
		Verdict{
			Grade: NotEncrypted, Source: FromStorageClass, Evidence: "ebs.csi.aws.com encrypted false",
			Why: `encrypted "false" declines encryption`, Remedy: `set encrypted: "true" and kmsKeyId in a new StorageClass`,
		},
	},
	"an unbound claim, the class is silent": {
		asked(ebs, nil),
		Verdict{
			Source: FromStorageClass, Evidence: "ebs.csi.aws.com leaves it to the account's default, which the cluster does not show",
			Why:    "no parameter decides; ebs.csi.aws.com leaves it to the account's default, which the cluster does not show",
			Remedy: `set encrypted: "true" and kmsKeyId in a new StorageClass`,
		},
	},
	"an unbound claim, the class does not exist": {
		asked(ebs, nil).but(func(l *links) { l.class = nil }),
		Verdict{Why: `StorageClass "phi" does not exist or was not read`, Remedy: remedyName},
	},
	"an unbound claim, another class was read": {
		asked(ebs, encryptedEBS).but(func(l *links) { l.class.Name = "gp3" }),
		Verdict{Why: `StorageClass "gp3" is the class that was read, and not the one that is named`, Remedy: remedyRead},
	},
	"an unbound claim that names its class by the annotation of the beta": {
		asked(ebs, encryptedEBS).but(func(l *links) { l.claim.Annotations = p(corev1.BetaStorageClassAnnotation, "gp3") }),
		Verdict{Why: `StorageClass "phi" is the class that was read, and not the one that is named`, Remedy: remedyRead},
	},
	"an unbound claim that names no class, by the default class": {
		asked(ebs, encryptedEBS).but(func(l *links) { l.claim.Spec.StorageClassName = nil }),
		Verdict{Grade: CustomerKey, Source: FromStorageClass, Evidence: "ebs.csi.aws.com kmsKeyId " + awsKey},
	},
	"an unbound claim that names no class, and there is no default": {
		asked(ebs, nil).but(func(l *links) { l.claim.Spec.StorageClassName, l.class = nil, nil }),
		Verdict{Why: "the claim names no StorageClass, and no default class was read", Remedy: remedyName},
	},
	"an unbound claim that refuses every class": {
		asked(ebs, encryptedEBS).but(func(l *links) { l.claim.Spec.StorageClassName = ptr.To("") }),
		Verdict{Why: "the claim asks for a volume made by hand, which no class says anything about", Remedy: remedyName},
	},
	"an unbound claim with a selector takes what is there": {
		asked(ebs, encryptedEBS).but(func(l *links) { l.claim.Spec.Selector = &metav1.LabelSelector{} }),
		Verdict{Why: "the claim asks for a volume made by hand, which no class says anything about", Remedy: remedyName},
	},
	"an unbound claim that starts from a snapshot": {
		asked(ebs, encryptedEBS).but(func(l *links) {
			l.claim.Spec.DataSourceRef = &corev1.TypedObjectReference{Kind: "VolumeSnapshot", Name: "s"}
		}),
		Verdict{
			Source: FromStorageClass, Evidence: "ebs.csi.aws.com",
			Why:    "a snapshot or another volume is its source, so the class does not say how the data is encrypted",
			Remedy: remedyAttest,
		},
	},
	"an unbound claim that starts from a snapshot, LUKS at each mount": {
		asked(hetzner, p(publishSecret, "luks")).but(func(l *links) {
			l.claim.Spec.DataSourceRef = &corev1.TypedObjectReference{Kind: "VolumeSnapshot", Name: "s"}
		}),
		Verdict{
			Grade: CustomerKey, Source: FromStorageClass,
			Evidence: "csi.hetzner.cloud csi.storage.k8s.io/node-publish-secret-name luks",
		},
	},
	"a bound claim whose volume was not read": {
		made(ebs, encryptedEBS, nil).but(func(l *links) { l.volume = nil }),
		Verdict{Why: `PersistentVolume "pvc-1" is the volume of the claim and was not read`, Remedy: remedyRead},
	},
	"an unbound claim with a key of its own": {
		asked(ali, p("encrypted", "true", "kmsKeyId", "key-class")).but(func(l *links) {
			l.claim.Annotations = p("alibabacloud.com/kms-key-id", "key-claim")
		}),
		Verdict{
			Grade: CustomerKey, Source: FromClaimAnnotation,
			Evidence: "diskplugin.csi.alibabacloud.com alibabacloud.com/kms-key-id key-claim",
		},
	},
	"an unbound claim that takes the key of its class away": {
		asked(ali, p("encrypted", "true", "kmsKeyId", "key-class")).but(func(l *links) {
			l.claim.Annotations = p("alibabacloud.com/kms-key-id", "")
		}),
		Verdict{Grade: ProviderKey, Source: FromStorageClass, Evidence: "diskplugin.csi.alibabacloud.com encrypted true"},
	},
	"an unbound claim with a key where nothing is encrypted": {
		asked(ali, p("encrypted", "false")).but(func(l *links) { l.claim.Annotations = p("alibabacloud.com/kms-key-id", "key-claim") }),
		Verdict{
			Grade: NotEncrypted, Source: FromStorageClass, Evidence: "diskplugin.csi.alibabacloud.com encrypted false",
			Why: `encrypted "false" declines encryption`, Remedy: `set encrypted: "true" and kmsKeyId in a new StorageClass`,
		},
	},
	"an unbound claim with something that is no key": {
		asked(ali, p("encrypted", "true", "kmsKeyId", "key-class")).but(func(l *links) {
			l.claim.Annotations = p("alibabacloud.com/kms-key-id", someToken)
		}),
		Verdict{
			Grade: ProviderKey, Source: FromStorageClass, Evidence: "diskplugin.csi.alibabacloud.com encrypted true",
			Why: "alibabacloud.com/kms-key-id does not have the form of a key id",
		},
	},
}
