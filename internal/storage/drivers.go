package storage

// Parameters that every CSI driver shares: the provisioner takes them out of the class and writes them to the volume
// as Secret references.
const (
	stageSecret     = "csi.storage.k8s.io/node-stage-secret-name"
	publishSecret   = "csi.storage.k8s.io/node-publish-secret-name"
	provisionSecret = "csi.storage.k8s.io/provisioner-secret-name"
)

// Key ids of Amazon: a key ARN, an alias ARN, an alias, a bare id. An alias under alias/aws/ is the service's default
// key, which AWS manages. A key ARN of such a default key looks like any other; only the cloud's API tells them apart.
var (
	awsKeyForms = []Form{"arn:aws*:kms:*:key/*", "arn:aws*:kms:*:alias/*", "alias/*", "mrk-*", formUUID}
	awsOwnKeys  = []Form{"arn:aws*:kms:*:alias/aws/*", "alias/aws/*"}
	gcpKeyForms = []Form{"projects/*/locations/*/keyRings/*/cryptoKeys/*"}
)

const (
	googleDefault = "cloud.google.com/docs/security/encryption/default-encryption"
	selfHosted    = "encrypts nothing unless told to; whether the disks below are encrypted cannot be seen"
	nodeDisks     = "cuts volumes from the disks of a node and encrypts nothing itself"
	attestDisks   = "attest the encryption of the disks below with an end date, or use a driver that encrypts"
)

// drivers is the table. The order does not matter. Read a driver's code or its provider's documentation before adding
// a row, and say where; a grade that rests on Knowledge may not be an encrypted one.
var drivers = []Driver{
	{
		Name:      "ebs.csi.aws.com",
		InTree:    []string{"kubernetes.io/aws-ebs"},
		FoldNames: true,
		Rules: []Rule{{
			Switch: Switch{Param: "encrypted", Values: exactTrue, Off: NotEncrypted},
			// CreateDisk sets Encrypted whenever a key is named, releases of 2019 did so only beside encrypted "true":
			// so a key enables, and beside "false" it is a contradiction.
			Keys: []Key{{Params: []string{"kmsKeyId"}, Forms: awsKeyForms, ProvidersOwn: awsOwnKeys, Role: Enables}},
		}},
		Otherwise: Default{
			Grade: Unknown, Says: "leaves it to the account's default, which the cluster does not show", Basis: Code,
			Reference: "kubernetes-sigs/aws-ebs-csi-driver docs/parameters.md",
		},
		Notes:     []Parameter{{"ext4EncryptionSupport", "a feature of the file system, not encryption of the volume"}},
		Remedy:    `set encrypted: "true" and kmsKeyId in a new StorageClass`,
		Basis:     Code,
		Reference: "kubernetes-sigs/aws-ebs-csi-driver pkg/driver/controller.go, pkg/cloud/cloud.go",
	},
	{
		Name: "efs.csi.aws.com",
		Otherwise: Default{
			Grade: Unknown, Says: "has no parameter for encryption at rest; the file system was made before it", Basis: Code,
			Reference: "kubernetes-sigs/aws-efs-csi-driver docs/README.md",
		},
		Notes:     []Parameter{{"encryptInTransit", "protects the connection, not the data at rest"}},
		Remedy:    "attest the encryption of the file system with an end date, or connect the cloud's API",
		Basis:     Code,
		Reference: "kubernetes-sigs/aws-efs-csi-driver docs/README.md",
	},
	{
		Name: "fsx.csi.aws.com",
		Rules: []Rule{{
			Keys: []Key{{
				Params: []string{"kmsKeyId"}, Forms: awsKeyForms, ProvidersOwn: awsOwnKeys, Role: Enables,
				// Scratch file systems use keys of the service whatever the class names, and scratch is the default.
				Needs: []Condition{
					{Param: "deploymentType", Values: []string{"PERSISTENT_1", "PERSISTENT_2"}},
					{Param: "storageType", Values: []string{"INTELLIGENT_TIERING"}},
				},
			}},
		}},
		Otherwise: Default{
			Grade: ProviderKey, Says: "encrypts every file system, with a key of the service unless told otherwise", Basis: Documented,
			Reference: "docs.aws.amazon.com/fsx/latest/LustreGuide/encryption-at-rest.html",
		},
		Remedy:    "set kmsKeyId and deploymentType: PERSISTENT_2 in a new StorageClass",
		Basis:     Code,
		Reference: "kubernetes-sigs/aws-fsx-csi-driver pkg/driver/controller.go",
	},
	{
		Name:      "pd.csi.storage.gke.io",
		InTree:    []string{"kubernetes.io/gce-pd"},
		FoldNames: true,
		Rules: []Rule{{
			Keys: []Key{{Params: []string{"disk-encryption-kms-key"}, Forms: gcpKeyForms, Role: Enables}},
		}},
		Otherwise: Default{
			Grade: ProviderKey, Says: "encrypts every disk, with a key of Google's unless told otherwise", Basis: Documented,
			Reference: googleDefault,
		},
		Notes: []Parameter{
			{"enable-confidential-storage", "hardens a disk that has a disk-encryption-kms-key; without one the driver refuses it"},
		},
		Remedy:    "set disk-encryption-kms-key in a new StorageClass",
		Basis:     Code,
		Reference: "kubernetes-sigs/gcp-compute-persistent-disk-csi-driver pkg/parameters/parameters.go",
	},
	{
		Name:      "filestore.csi.storage.gke.io",
		FoldNames: true,
		Rules: []Rule{{
			Keys: []Key{{Params: []string{"instance-encryption-kms-key"}, Forms: gcpKeyForms, Role: Enables}},
		}},
		Otherwise: Default{
			Grade: ProviderKey, Says: "encrypts every instance, with a key of Google's unless told otherwise", Basis: Documented,
			Reference: googleDefault,
		},
		Remedy:    "set instance-encryption-kms-key in a new StorageClass",
		Basis:     Code,
		Reference: "kubernetes-sigs/gcp-filestore-csi-driver pkg/csi_driver/controller.go",
	},
	{
		Name:      "disk.csi.azure.com",
		InTree:    []string{"kubernetes.io/azure-disk"},
		FoldNames: true,
		Rules: []Rule{{
			Keys: []Key{{Params: []string{"diskEncryptionSetID"}, Forms: []Form{"/subscriptions/*/diskEncryptionSets/*"}, Role: Enables}},
			Permits: []Condition{{Param: "diskEncryptionType", Values: []string{
				"EncryptionAtRestWithCustomerKey", "EncryptionAtRestWithPlatformAndCustomerKeys",
			}}},
			Carried: Copied,
		}},
		Otherwise: Default{
			Grade: ProviderKey, Says: "encrypts every disk, with a key of the platform unless told otherwise", Basis: Documented,
			Reference: "learn.microsoft.com/azure/virtual-machines/disk-encryption",
		},
		Remedy:    "set diskEncryptionSetID in a new StorageClass",
		Basis:     Code,
		Reference: "kubernetes-sigs/azuredisk-csi-driver pkg/azureutils/azure_disk_utils.go, pkg/azuredisk/controllerserver.go",
	},
	{
		Name:      "file.csi.azure.com",
		InTree:    []string{"kubernetes.io/azure-file"},
		FoldNames: true,
		Otherwise: Default{
			Grade: ProviderKey, Says: "keeps shares in storage accounts, which are always encrypted", Basis: Documented,
			Reference: "learn.microsoft.com/azure/storage/files/customer-managed-keys",
		},
		Notes: []Parameter{
			{"requireInfraEncryption", "adds a second layer with another key of the platform"},
			{"encryptInTransit", "protects the connection of NFS shares, not the data at rest"},
			{"storageAccount", "the account may have a key of yours, which the cluster does not show"},
		},
		Remedy:    "give the storage account a key of yours and attest it",
		Basis:     Code,
		Reference: "kubernetes-sigs/azurefile-csi-driver pkg/azurefile/controllerserver.go",
	},
	{
		Name:     "rbd.csi.ceph.com",
		Prefixed: true,
		Rules: []Rule{{
			Switch: Switch{Param: "encrypted", Values: parsedBool, Off: NotEncrypted},
			// Without a name, and with "default", the passphrase of the driver's own Secret serves every volume.
			Keys:    []Key{{Params: []string{"encryptionKMSID"}, Forms: []Form{formAny}, ProvidersOwn: []Form{"default"}}},
			Permits: []Condition{{Param: "encryptionType", Values: []string{"block", "file"}}},
			Carried: Copied,
		}},
		Otherwise: Default{Grade: Unknown, Says: selfHosted, Basis: Code, Reference: "ceph/ceph-csi internal/rbd/encryption.go"},
		Remedy:    `set encrypted: "true" and encryptionKMSID in a new StorageClass`,
		Basis:     Code,
		Reference: "ceph/ceph-csi internal/rbd/encryption.go, internal/util/crypto.go, internal/rbd/controllerserver.go",
	},
	{
		Name:     "cephfs.csi.ceph.com",
		Prefixed: true,
		Rules: []Rule{{
			Switch:  Switch{Param: "encrypted", Values: parsedBool, Off: NotEncrypted},
			Keys:    []Key{{Params: []string{"encryptionKMSID"}, Forms: []Form{formAny}, ProvidersOwn: []Form{"default"}}},
			Permits: []Condition{{Param: "encryptionType", Values: []string{"file"}}},
			Carried: Copied,
		}},
		Otherwise: Default{Grade: Unknown, Says: selfHosted, Basis: Code, Reference: "ceph/ceph-csi internal/util/crypto.go"},
		Remedy:    `set encrypted: "true" and encryptionKMSID in a new StorageClass`,
		Basis:     Code,
		Reference: "ceph/ceph-csi internal/util/crypto.go, internal/cephfs/controllerserver.go",
	},
	{
		Name: "driver.longhorn.io",
		Rules: []Rule{{
			Switch:  Switch{Param: "encrypted", Values: parsedBool, Off: NotEncrypted},
			Keys:    []Key{{Params: []string{stageSecret, publishSecret}, Forms: []Form{formAny}}},
			Carried: Copied,
		}},
		Otherwise: Default{Grade: Unknown, Says: selfHosted, Basis: Code, Reference: "longhorn/longhorn-manager csi/util.go"},
		Notes:     []Parameter{{"CRYPTO_KEY_VALUE, CRYPTO_KEY_CIPHER", "keys of the Secret, which nothing here reads"}},
		Remedy:    `set encrypted: "true" and the node-stage and node-publish Secrets in a new StorageClass`,
		Basis:     Code,
		Reference: "longhorn/longhorn-manager csi/util.go; longhorn.io volume-encryption",
	},
	{
		Name:   "pxd.portworx.com",
		InTree: []string{"kubernetes.io/portworx-volume"},
		Rules: []Rule{{
			Switch: Switch{Param: "secure", Values: parsedBool, Off: NotEncrypted},
		}},
		Otherwise: Default{Grade: Unknown, Says: selfHosted, Basis: Code, Reference: "libopenstorage/openstorage api/spec/spec_handler.go"},
		Notes:     []Parameter{{"passphrase", "a secret in plain sight: never put one in a class; it is not read here"}},
		Remedy:    `set secure: "true" in a new StorageClass and give the cluster a key`,
		Basis:     Code,
		Reference: "libopenstorage/openstorage api/spec/spec_handler.go",
	},
	{
		Name:      "zfs.csi.openebs.io",
		FoldNames: true,
		Rules: []Rule{{
			Switch: Switch{Param: "encryption", Values: zfsEncryption, Off: NotEncrypted},
			// A location on the web may hold credentials, so only a file counts as a key on record.
			Keys: []Key{{Params: []string{"keylocation"}, Forms: []Form{"file:///*"}}},
		}},
		Otherwise: Default{
			Grade: Unknown, Says: "lets the dataset inherit from its pool, which the cluster does not show", Basis: Code,
			Reference: "openebs/zfs-localpv pkg/driver/controller.go",
		},
		Notes:     []Parameter{{"keyformat", "the form of the key; says nothing without encryption"}},
		Remedy:    "set encryption, keyformat and keylocation in a new StorageClass",
		Basis:     Code,
		Reference: "openebs/zfs-localpv pkg/driver/controller.go",
	},
	{
		Name:      "topolvm.io",
		InTree:    []string{"topolvm.cybozu.com"},
		Otherwise: Default{Grade: Unknown, Says: nodeDisks, Basis: Code, Reference: "topolvm/topolvm"},
		Remedy:    attestDisks, Basis: Code, Reference: "topolvm/topolvm: no such parameter found",
	},
	{
		Name:      "local.csi.openebs.io",
		Otherwise: Default{Grade: Unknown, Says: nodeDisks, Basis: Code, Reference: "openebs/lvm-localpv"},
		Remedy:    attestDisks, Basis: Code, Reference: "openebs/lvm-localpv: no such parameter found",
	},
	{
		Name: "io.openebs.csi-mayastor",
		Otherwise: Default{
			Grade: Unknown, Says: "encrypts whole pools, and a class does not show which pool a volume gets", Basis: Documented,
			Reference: "openebs.io replicated-pv-mayastor/advanced-operations/encryption",
		},
		Remedy: "attest the encryption of every DiskPool with an end date",
		Basis:  Documented, Reference: "openebs.io replicated-pv-mayastor/configuration/rs-storage-class-parameters",
	},
	{
		Name:   "csi.vsphere.vmware.com",
		InTree: []string{"kubernetes.io/vsphere-volume"},
		Otherwise: Default{
			Grade: Unknown, Says: "takes encryption from a storage policy of vCenter, which the cluster does not show", Basis: Code,
			Reference: "kubernetes-sigs/vsphere-csi-driver",
		},
		Notes:  []Parameter{{"storagepolicyname", "a name; what the policy says is in vCenter"}},
		Remedy: "attest that the storage policy encrypts, with an end date",
		Basis:  Code, Reference: "kubernetes-sigs/vsphere-csi-driver",
	},
	{
		Name:   "cinder.csi.openstack.org",
		InTree: []string{"kubernetes.io/cinder"},
		Otherwise: Default{
			Grade: Unknown, Says: "takes encryption from the volume type in OpenStack, which the cluster does not show", Basis: Knowledge,
			Reference: "kubernetes/cloud-provider-openstack",
		},
		Notes:  []Parameter{{"type", "a name; what the volume type says is in OpenStack"}},
		Remedy: "attest that the volume type encrypts, with an end date",
		Basis:  Knowledge, Reference: "kubernetes/cloud-provider-openstack",
	},
	{
		Name: "csi.trident.netapp.io",
		Rules: []Rule{{
			// A no asks for a pool without volume encryption; the backend may add LUKS all the same.
			Switch: Switch{Param: "encryption", Values: parsedBool, Off: Unknown},
		}},
		Otherwise: Default{
			Grade: Unknown, Says: "takes LUKS from its backend, which the class does not show", Basis: Code,
			Reference: "NetApp/trident storage_drivers/ontap",
		},
		Notes: []Parameter{{
			"trident.netapp.io/luksEncryption",
			"an annotation of imported claims; whoever edits the claim can write it, so it is no evidence",
		}},
		Remedy: "attest the backend's encryption with an end date",
		Basis:  Code, Reference: "NetApp/trident storage_attribute/common_attributes.go, storage_attribute/request.go",
	},
	{
		Name: "csi.hetzner.cloud",
		Rules: []Rule{{
			Keys:    []Key{{Params: []string{publishSecret}, Forms: []Form{formAny}, Role: Enables}},
			Carried: Applied,
		}},
		Otherwise: Default{
			Grade: Unknown, Says: "uses LUKS only with a node-publish Secret; what the provider does below is not documented", Basis: Code,
			Reference: "hetznercloud/csi-driver internal/driver/node.go",
		},
		Remedy: "name a Secret with an encryption-passphrase as " + publishSecret + " in a new StorageClass",
		Basis:  Code, Reference: "hetznercloud/csi-driver internal/driver/node.go",
	},
	{
		Name: "linodebs.csi.linode.com",
		Rules: []Rule{
			{Switch: Switch{Param: "linodebs.csi.linode.com/encrypted", Values: exactTrue, Off: NotEncrypted}},
			{
				Switch:  Switch{Param: "linodebs.csi.linode.com/luks-encrypted", Values: exactTrue, Off: NotEncrypted},
				Keys:    []Key{{Params: []string{stageSecret}, Forms: []Form{formAny}}},
				Carried: Applied,
			},
		},
		Otherwise: Default{
			Grade: NotEncrypted, Says: "asks for a volume without encryption unless told otherwise", Basis: Code,
			Reference: "linode/linode-blockstorage-csi-driver internal/driver/controllerserver_helper.go",
		},
		Remedy: `set linodebs.csi.linode.com/luks-encrypted: "true" with a node-stage Secret, or .../encrypted: "true", in a new StorageClass`,
		Basis:  Code, Reference: "linode/linode-blockstorage-csi-driver internal/driver/luks.go, controllerserver_helper.go",
	},
	{
		Name:      "csi.scaleway.com",
		FoldNames: true,
		Rules: []Rule{{
			Switch: Switch{Param: "encrypted", Values: parsedBool, Off: NotEncrypted},
			Keys: []Key{
				// The volume of a class that names a key alone may say encrypted "false": that is about LUKS.
				{Params: []string{"kmsKeyId"}, Forms: []Form{formUUID}, Role: Prevails},
				{Params: []string{stageSecret}, Forms: []Form{formAny}},
			},
			Carried: Copied,
		}},
		Otherwise: Default{
			Grade: NotEncrypted, Says: "records encrypted false unless told otherwise", Basis: Code,
			Reference: "scaleway/scaleway-csi pkg/driver/controller.go",
		},
		Remedy: `set encrypted: "true" with a node-stage Secret in a new StorageClass`,
		Basis:  Code, Reference: "scaleway/scaleway-csi pkg/driver/helpers.go, pkg/driver/controller.go",
	},
	{
		Name: "blockvolume.csi.oraclecloud.com",
		Rules: []Rule{{
			Keys: []Key{{Params: []string{"kms-key-id"}, Forms: []Form{"ocid1.key.*"}, Role: Enables}},
		}},
		Otherwise: Default{
			Grade: ProviderKey, Says: "encrypts every volume, with a key of Oracle's unless told otherwise", Basis: Documented,
			Reference: "docs.oracle.com/iaas/Content/Block/Concepts/blockvolumeencryption.htm",
		},
		Remedy: "set kms-key-id in a new StorageClass",
		Basis:  Code, Reference: "oracle/oci-cloud-controller-manager pkg/csi/driver/bv_controller.go",
	},
	{
		Name: "diskplugin.csi.alibabacloud.com",
		Rules: []Rule{{
			Switch: Switch{Param: "encrypted", Values: yesTrueOne, Off: NotEncrypted},
			// The annotation of the claim reaches the driver among the parameters, and the volume's attributes with them.
			Keys: []Key{{
				Params:     []string{"alibabacloud.com/kms-key-id", "kmsKeyId"},
				Annotation: "alibabacloud.com/kms-key-id",
				Forms:      []Form{formUUID, "key-*", "alias/*"}, ProvidersOwn: []Form{"alias/acs/*"},
			}},
			Carried: Copied,
		}},
		Otherwise: Default{
			Grade: Unknown, Says: "leaves it to the account's default, which the cluster does not show", Basis: Code,
			Reference: "kubernetes-sigs/alibaba-cloud-csi-driver pkg/disk/utils.go",
		},
		Remedy: `set encrypted: "true" and kmsKeyId in a new StorageClass`,
		Basis:  Code, Reference: "kubernetes-sigs/alibaba-cloud-csi-driver pkg/disk/utils.go, pkg/disk/controllerserver.go",
	},
	{
		Name: "vpc.block.csi.ibm.io",
		Rules: []Rule{{
			// A no drops the customer's key; the platform encrypts with its own.
			Switch: Switch{Param: "encrypted", Values: exactTrue, Off: ProviderKey},
			Keys: []Key{{
				Params: []string{"encryptionKey"}, Forms: []Form{"crn:*:kms:*", "crn:*:hs-crypto:*"}, Role: Enables,
				// The provisioner's Secret may name another key, or none.
				Unless: []string{provisionSecret},
			}},
		}},
		Otherwise: Default{
			Grade: ProviderKey, Says: "encrypts every volume, with a key of IBM's unless told otherwise", Basis: Documented,
			Reference: "cloud.ibm.com/docs/vpc?topic=vpc-vpc-encryption-about",
		},
		Remedy: `set encrypted: "true" and encryptionKey in a new StorageClass`,
		Basis:  Code, Reference: "kubernetes-sigs/ibm-vpc-block-csi-driver pkg/ibmcsidriver/controller_helper.go",
	},
	{
		Name: "dobs.csi.digitalocean.com",
		Otherwise: Default{
			Grade: Unknown, Says: "has no parameter for encryption at rest", Basis: Code,
			Reference: "digitalocean/csi-digitalocean",
		},
		Remedy: "attest the provider's encryption with an end date",
		Basis:  Code, Reference: "digitalocean/csi-digitalocean: no such parameter found",
	},
	{
		Name:   "secrets-store.csi.k8s.io",
		Memory: true,
		Otherwise: Default{
			Grade: Unknown, Says: "mounts secrets in memory and makes no persistent volumes", Basis: Documented,
			Reference: "kubernetes-sigs/secrets-store-csi-driver docs/book/src/concepts.md",
		},
		Remedy: "use the driver inline in a pod only",
		Basis:  Documented, Reference: "kubernetes-sigs/secrets-store-csi-driver docs/book/src/concepts.md",
	},
	{
		Name: "kubernetes.io/no-provisioner",
		Otherwise: Default{
			Grade: Unknown, Says: "makes no volumes; each of its volumes is made by hand", Basis: Documented,
			Reference: "kubernetes.io/docs/concepts/storage/storage-classes/#local",
		},
		Remedy: attestDisks,
		Basis:  Documented, Reference: "kubernetes.io/docs/concepts/storage/storage-classes/#local",
	},
}
