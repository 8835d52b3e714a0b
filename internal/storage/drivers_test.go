package storage

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	storagev1 "k8s.io/api/storage/v1"
)

const (
	awsKey    = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	gcpKey    = "projects/p/locations/eu/keyRings/r/cryptoKeys/phi"
	azureSet  = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/diskEncryptionSets/phi"
	ociKey    = "ocid1.key.oc1.iad.aaaa.abcd"
	ibmKey    = "crn:v1:bluemix:public:kms:us-south:a/1:2:key:3"
	someUUID  = "0e478b7a-4262-4802-b8cb-00d3fb408826"
	someToken = "hunter2-hunter2-hunter2"
)

// says is the part of a verdict that a row of the table decides.
type says struct {
	Grade    Grade
	Evidence string
}

type classCase struct {
	give map[string]string
	want says
}

// rowCases holds, for every row of the table, what classes of that driver mean.
var rowCases = map[string]map[string]classCase{
	"ebs.csi.aws.com": {
		"nothing set leaves it to the account": {nil, says{Unknown, "ebs.csi.aws.com leaves it to the account's default, which the cluster does not show"}},
		"true without a key is Amazon's key":   {p("encrypted", "true"), says{ProviderKey, "ebs.csi.aws.com encrypted true"}},
		"true with a key is the customer's": {
			p("encrypted", "true", "kmsKeyId", awsKey), says{CustomerKey, "ebs.csi.aws.com kmsKeyId " + awsKey},
		},
		"names in another case mean the same": {
			p("Encrypted", "true", "KMSKEYID", awsKey), says{CustomerKey, "ebs.csi.aws.com kmsKeyId " + awsKey},
		},
		"a key alone encrypts":                      {p("kmsKeyId", awsKey), says{CustomerKey, "ebs.csi.aws.com kmsKeyId " + awsKey}},
		"a bare key id is a key id":                 {p("kmsKeyId", someUUID), says{CustomerKey, "ebs.csi.aws.com kmsKeyId " + someUUID}},
		"an alias of one's own is the customer's":   {p("kmsKeyId", "alias/phi"), says{CustomerKey, "ebs.csi.aws.com kmsKeyId alias/phi"}},
		"the default alias is Amazon's key":         {p("encrypted", "true", "kmsKeyId", "alias/aws/ebs"), says{ProviderKey, "ebs.csi.aws.com kmsKeyId alias/aws/ebs"}},
		"the default alias as ARN is Amazon's":      {p("kmsKeyId", "arn:aws-us-gov:kms:r:1:alias/aws/ebs"), says{ProviderKey, "ebs.csi.aws.com kmsKeyId arn:aws-us-gov:kms:r:1:alias/aws/ebs"}},
		"false declines":                            {p("encrypted", "false"), says{NotEncrypted, "ebs.csi.aws.com encrypted false"}},
		"True is not a word of this driver":         {p("encrypted", "True"), says{Unknown, `ebs.csi.aws.com encrypted "True"`}},
		"1 is not a word of this driver":            {p("encrypted", "1"), says{Unknown, `ebs.csi.aws.com encrypted "1"`}},
		"an empty value says nothing":               {p("encrypted", ""), says{Unknown, `ebs.csi.aws.com encrypted ""`}},
		"false beside a key contradicts itself":     {p("encrypted", "false", "kmsKeyId", awsKey), says{Unknown, "ebs.csi.aws.com encrypted false"}},
		"two spellings with two values are no word": {p("encrypted", "true", "Encrypted", "false"), says{Unknown, "ebs.csi.aws.com encrypted"}},
		"two spellings with one value agree":        {p("encrypted", "true", "Encrypted", "true"), says{ProviderKey, "ebs.csi.aws.com encrypted true"}},
		"a key without the form of one, switch on":  {p("encrypted", "true", "kmsKeyId", someToken), says{ProviderKey, "ebs.csi.aws.com encrypted true"}},
		"a key without the form of one, alone":      {p("kmsKeyId", someToken), says{Unknown, "ebs.csi.aws.com kmsKeyId"}},
		"an ARN of another service is no key":       {p("kmsKeyId", "arn:aws:s3:::bucket/key/1"), says{Unknown, "ebs.csi.aws.com kmsKeyId"}},
		"an empty key is no key":                    {p("encrypted", "true", "kmsKeyId", ""), says{ProviderKey, "ebs.csi.aws.com encrypted true"}},
		"ext4EncryptionSupport is about ext4":       {p("ext4EncryptionSupport", "true"), says{Unknown, "ebs.csi.aws.com leaves it to the account's default, which the cluster does not show"}},
	},
	"efs.csi.aws.com": {
		"nothing at rest can be said":          {nil, says{Unknown, "efs.csi.aws.com has no parameter for encryption at rest; the file system was made before it"}},
		"encryption in transit is not at rest": {p("encryptInTransit", "true", "encrypted", "true"), says{Unknown, "efs.csi.aws.com has no parameter for encryption at rest; the file system was made before it"}},
	},
	"fsx.csi.aws.com": {
		"always encrypted":                       {nil, says{ProviderKey, "fsx.csi.aws.com encrypts every file system, with a key of the service unless told otherwise"}},
		"a key on a persistent file system":      {p("deploymentType", "PERSISTENT_2", "kmsKeyId", awsKey), says{CustomerKey, "fsx.csi.aws.com kmsKeyId " + awsKey}},
		"a key with intelligent tiering":         {p("storageType", "INTELLIGENT_TIERING", "kmsKeyId", awsKey), says{CustomerKey, "fsx.csi.aws.com kmsKeyId " + awsKey}},
		"a key on scratch is not used":           {p("deploymentType", "SCRATCH_2", "kmsKeyId", awsKey), says{ProviderKey, "fsx.csi.aws.com encrypts every file system, with a key of the service unless told otherwise"}},
		"a key on the default, which is scratch": {p("kmsKeyId", awsKey), says{ProviderKey, "fsx.csi.aws.com encrypts every file system, with a key of the service unless told otherwise"}},
		"names are case-sensitive":               {p("deploymentType", "PERSISTENT_1", "kmskeyid", awsKey), says{ProviderKey, "fsx.csi.aws.com encrypts every file system, with a key of the service unless told otherwise"}},
		"the default alias is Amazon's key":      {p("deploymentType", "PERSISTENT_1", "kmsKeyId", "alias/aws/fsx"), says{ProviderKey, "fsx.csi.aws.com kmsKeyId alias/aws/fsx"}},
	},
	"pd.csi.storage.gke.io": {
		"always encrypted":            {nil, says{ProviderKey, "pd.csi.storage.gke.io encrypts every disk, with a key of Google's unless told otherwise"}},
		"a key is the customer's":     {p("disk-encryption-kms-key", gcpKey), says{CustomerKey, "pd.csi.storage.gke.io disk-encryption-kms-key " + gcpKey}},
		"names in another case":       {p("Disk-Encryption-KMS-Key", gcpKey), says{CustomerKey, "pd.csi.storage.gke.io disk-encryption-kms-key " + gcpKey}},
		"confidential storage beside": {p("disk-encryption-kms-key", gcpKey, "enable-confidential-storage", "TRUE"), says{CustomerKey, "pd.csi.storage.gke.io disk-encryption-kms-key " + gcpKey}},
		"no key by its form":          {p("disk-encryption-kms-key", someToken), says{ProviderKey, "pd.csi.storage.gke.io encrypts every disk, with a key of Google's unless told otherwise"}},
	},
	"filestore.csi.storage.gke.io": {
		"always encrypted":        {nil, says{ProviderKey, "filestore.csi.storage.gke.io encrypts every instance, with a key of Google's unless told otherwise"}},
		"a key is the customer's": {p("instance-encryption-kms-key", gcpKey), says{CustomerKey, "filestore.csi.storage.gke.io instance-encryption-kms-key " + gcpKey}},
		"names in another case":   {p("INSTANCE-encryption-kms-key", gcpKey), says{CustomerKey, "filestore.csi.storage.gke.io instance-encryption-kms-key " + gcpKey}},
	},
	"disk.csi.azure.com": {
		"always encrypted":                    {nil, says{ProviderKey, "disk.csi.azure.com encrypts every disk, with a key of the platform unless told otherwise"}},
		"an encryption set is the customer's": {p("diskEncryptionSetID", azureSet), says{CustomerKey, "disk.csi.azure.com diskEncryptionSetID " + azureSet}},
		"names and ids in another case":       {p("diskencryptionsetid", strings.ToUpper(azureSet)), says{CustomerKey, "disk.csi.azure.com diskEncryptionSetID " + strings.ToUpper(azureSet)}},
		"with a type that uses the set": {
			p("diskEncryptionSetID", azureSet, "diskEncryptionType", "EncryptionAtRestWithPlatformAndCustomerKeys"),
			says{CustomerKey, "disk.csi.azure.com diskEncryptionSetID " + azureSet},
		},
		"with a type that does not use the set": {
			p("diskEncryptionSetID", azureSet, "diskEncryptionType", "EncryptionAtRestWithPlatformKey"),
			says{ProviderKey, "disk.csi.azure.com encrypts every disk, with a key of the platform unless told otherwise"},
		},
		"no set by its form": {p("diskEncryptionSetID", someToken), says{ProviderKey, "disk.csi.azure.com encrypts every disk, with a key of the platform unless told otherwise"}},
	},
	"file.csi.azure.com": {
		"always encrypted":         {nil, says{ProviderKey, "file.csi.azure.com keeps shares in storage accounts, which are always encrypted"}},
		"a second layer is no key": {p("requireInfraEncryption", "true", "encryptInTransit", "false"), says{ProviderKey, "file.csi.azure.com keeps shares in storage accounts, which are always encrypted"}},
	},
	"rbd.csi.ceph.com": {
		"nothing set":                      {nil, says{Unknown, "rbd.csi.ceph.com " + selfHosted}},
		"true with a named key service":    {p("encrypted", "true", "encryptionKMSID", "vault-phi"), says{CustomerKey, "rbd.csi.ceph.com encryptionKMSID vault-phi"}},
		"true without one":                 {p("encrypted", "true"), says{ProviderKey, "rbd.csi.ceph.com encrypted true"}},
		"True is parsed":                   {p("encrypted", "True"), says{ProviderKey, "rbd.csi.ceph.com encrypted True"}},
		"1 is parsed":                      {p("encrypted", "1"), says{ProviderKey, "rbd.csi.ceph.com encrypted 1"}},
		"yes is refused":                   {p("encrypted", "yes"), says{Unknown, `rbd.csi.ceph.com encrypted "yes"`}},
		"false declines, key or not":       {p("encrypted", "false", "encryptionKMSID", "vault-phi"), says{NotEncrypted, "rbd.csi.ceph.com encrypted false"}},
		"a key service alone does nothing": {p("encryptionKMSID", "vault-phi"), says{Unknown, "rbd.csi.ceph.com " + selfHosted}},
		"the default key service":          {p("encrypted", "true", "encryptionKMSID", "default"), says{ProviderKey, "rbd.csi.ceph.com encryptionKMSID default"}},
		"names are case-sensitive":         {p("Encrypted", "true"), says{Unknown, "rbd.csi.ceph.com " + selfHosted}},
		"type block":                       {p("encrypted", "true", "encryptionType", "block"), says{ProviderKey, "rbd.csi.ceph.com encrypted true"}},
		"type file":                        {p("encrypted", "true", "encryptionType", "file"), says{ProviderKey, "rbd.csi.ceph.com encrypted true"}},
		"a type that the driver refuses":   {p("encrypted", "true", "encryptionType", "Block"), says{Unknown, `rbd.csi.ceph.com encryptionType "Block"`}},
		"an empty type, refused":           {p("encrypted", "true", "encryptionType", ""), says{Unknown, `rbd.csi.ceph.com encryptionType ""`}},
	},
	"cephfs.csi.ceph.com": {
		"nothing set":                   {nil, says{Unknown, "cephfs.csi.ceph.com " + selfHosted}},
		"true with a named key service": {p("encrypted", "true", "encryptionKMSID", "vault-phi"), says{CustomerKey, "cephfs.csi.ceph.com encryptionKMSID vault-phi"}},
		"type file":                     {p("encrypted", "T", "encryptionType", "file"), says{ProviderKey, "cephfs.csi.ceph.com encrypted T"}},
		"type block is for images":      {p("encrypted", "true", "encryptionType", "block"), says{Unknown, `cephfs.csi.ceph.com encryptionType "block"`}},
		"false declines":                {p("encrypted", "FALSE"), says{NotEncrypted, "cephfs.csi.ceph.com encrypted FALSE"}},
	},
	"driver.longhorn.io": {
		"nothing set": {nil, says{Unknown, "driver.longhorn.io " + selfHosted}},
		"true with a Secret": {
			p("encrypted", "true", stageSecret, "longhorn-crypto"), says{CustomerKey, "driver.longhorn.io csi.storage.k8s.io/node-stage-secret-name longhorn-crypto"},
		},
		"true with a Secret per claim": {
			p("encrypted", "true", publishSecret, "${pvc.name}"), says{CustomerKey, "driver.longhorn.io csi.storage.k8s.io/node-publish-secret-name ${pvc.name}"},
		},
		"true without a Secret":          {p("encrypted", "true"), says{ProviderKey, "driver.longhorn.io encrypted true"}},
		"a Secret alone":                 {p(stageSecret, "longhorn-crypto"), says{Unknown, "driver.longhorn.io " + selfHosted}},
		"false declines":                 {p("encrypted", "false"), says{NotEncrypted, "driver.longhorn.io encrypted false"}},
		"on is refused":                  {p("encrypted", "on"), says{Unknown, `driver.longhorn.io encrypted "on"`}},
		"a key in the class is not read": {p("CRYPTO_KEY_VALUE", someToken), says{Unknown, "driver.longhorn.io " + selfHosted}},
	},
	"pxd.portworx.com": {
		"nothing set":                           {nil, says{Unknown, "pxd.portworx.com " + selfHosted}},
		"secure true":                           {p("secure", "true"), says{ProviderKey, "pxd.portworx.com secure true"}},
		"secure t":                              {p("secure", "t"), says{ProviderKey, "pxd.portworx.com secure t"}},
		"secure false declines":                 {p("secure", "false"), says{NotEncrypted, "pxd.portworx.com secure false"}},
		"a passphrase in the class is not read": {p("passphrase", someToken), says{Unknown, "pxd.portworx.com " + selfHosted}},
	},
	"zfs.csi.openebs.io": {
		"nothing set inherits":       {nil, says{Unknown, "zfs.csi.openebs.io lets the dataset inherit from its pool, which the cluster does not show"}},
		"a cipher with a key file":   {p("encryption", "aes-256-gcm", "keyformat", "raw", "keylocation", "file:///keys/phi"), says{CustomerKey, "zfs.csi.openebs.io keylocation file:///keys/phi"}},
		"on without a key":           {p("encryption", "on"), says{ProviderKey, "zfs.csi.openebs.io encryption on"}},
		"names in another case":      {p("Encryption", "on"), says{ProviderKey, "zfs.csi.openebs.io encryption on"}},
		"values are case-sensitive":  {p("encryption", "ON"), says{Unknown, `zfs.csi.openebs.io encryption "ON"`}},
		"off declines":               {p("encryption", "off"), says{NotEncrypted, "zfs.csi.openebs.io encryption off"}},
		"true is not a word of ZFS":  {p("encryption", "true"), says{Unknown, `zfs.csi.openebs.io encryption "true"`}},
		"a web address stays hidden": {p("encryption", "on", "keylocation", "https://user:"+someToken+"@keys"), says{ProviderKey, "zfs.csi.openebs.io encryption on"}},
	},
	"topolvm.io":           {"node disks": {p("encrypted", "true"), says{Unknown, "topolvm.io " + nodeDisks}}},
	"local.csi.openebs.io": {"node disks": {p("encrypted", "true"), says{Unknown, "local.csi.openebs.io " + nodeDisks}}},
	"io.openebs.csi-mayastor": {
		"pools decide": {p("encrypted", "true"), says{Unknown, "io.openebs.csi-mayastor encrypts whole pools, and a class does not show which pool a volume gets"}},
	},
	"csi.vsphere.vmware.com": {
		"a policy is a name": {p("storagepolicyname", "Encrypted"), says{Unknown, "csi.vsphere.vmware.com takes encryption from a storage policy of vCenter, which the cluster does not show"}},
	},
	"cinder.csi.openstack.org": {
		"a type is a name": {p("type", "luks"), says{Unknown, "cinder.csi.openstack.org takes encryption from the volume type in OpenStack, which the cluster does not show"}},
	},
	"csi.trident.netapp.io": {
		"nothing set":             {nil, says{Unknown, "csi.trident.netapp.io takes LUKS from its backend, which the class does not show"}},
		"volume encryption asked": {p("encryption", "true"), says{ProviderKey, "csi.trident.netapp.io encryption true"}},
		"none asked, LUKS may be": {p("encryption", "false"), says{Unknown, "csi.trident.netapp.io encryption false"}},
	},
	"csi.hetzner.cloud": {
		"nothing set": {nil, says{Unknown, "csi.hetzner.cloud uses LUKS only with a node-publish Secret; what the provider does below is not documented"}},
		"a node-publish Secret": {
			p(publishSecret, "luks"), says{CustomerKey, "csi.hetzner.cloud csi.storage.k8s.io/node-publish-secret-name luks"},
		},
		"a node-stage Secret is not used": {p(stageSecret, "luks"), says{Unknown, "csi.hetzner.cloud uses LUKS only with a node-publish Secret; what the provider does below is not documented"}},
	},
	"linodebs.csi.linode.com": {
		"nothing set asks for none": {nil, says{NotEncrypted, "linodebs.csi.linode.com asks for a volume without encryption unless told otherwise"}},
		"encrypted by the provider": {p("linodebs.csi.linode.com/encrypted", "true"), says{ProviderKey, "linodebs.csi.linode.com linodebs.csi.linode.com/encrypted true"}},
		"LUKS with a Secret": {
			p("linodebs.csi.linode.com/luks-encrypted", "true", stageSecret, "luks"),
			says{CustomerKey, "linodebs.csi.linode.com csi.storage.k8s.io/node-stage-secret-name luks"},
		},
		"both: the stronger decides": {
			p("linodebs.csi.linode.com/encrypted", "true", "linodebs.csi.linode.com/luks-encrypted", "true", stageSecret, "luks"),
			says{CustomerKey, "linodebs.csi.linode.com csi.storage.k8s.io/node-stage-secret-name luks"},
		},
		"one off, the other on": {
			p("linodebs.csi.linode.com/encrypted", "false", "linodebs.csi.linode.com/luks-encrypted", "true"),
			says{ProviderKey, "linodebs.csi.linode.com linodebs.csi.linode.com/luks-encrypted true"},
		},
		"both off":                         {p("linodebs.csi.linode.com/encrypted", "false"), says{NotEncrypted, "linodebs.csi.linode.com linodebs.csi.linode.com/encrypted false"}},
		"one off, the other not a word":    {p("linodebs.csi.linode.com/encrypted", "false", "linodebs.csi.linode.com/luks-encrypted", "True"), says{Unknown, `linodebs.csi.linode.com linodebs.csi.linode.com/luks-encrypted "True"`}},
		"without its prefix it is no word": {p("encrypted", "true"), says{NotEncrypted, "linodebs.csi.linode.com asks for a volume without encryption unless told otherwise"}},
	},
	"csi.scaleway.com": {
		"nothing set records no":        {nil, says{NotEncrypted, "csi.scaleway.com records encrypted false unless told otherwise"}},
		"true with a Secret":            {p("Encrypted", "true", stageSecret, "luks"), says{CustomerKey, "csi.scaleway.com csi.storage.k8s.io/node-stage-secret-name luks"}},
		"true without a Secret":         {p("encrypted", "1"), says{ProviderKey, "csi.scaleway.com encrypted 1"}},
		"a key of the key manager":      {p("kmsKeyId", someUUID), says{CustomerKey, "csi.scaleway.com kmsKeyId " + someUUID}},
		"a key prevails over no":        {p("encrypted", "false", "kmskeyid", someUUID), says{CustomerKey, "csi.scaleway.com kmsKeyId " + someUUID}},
		"false declines":                {p("encrypted", "false"), says{NotEncrypted, "csi.scaleway.com encrypted false"}},
		"false with no key by its form": {p("encrypted", "false", "kmsKeyId", someToken), says{Unknown, "csi.scaleway.com encrypted false"}},
	},
	"blockvolume.csi.oraclecloud.com": {
		"always encrypted":         {nil, says{ProviderKey, "blockvolume.csi.oraclecloud.com encrypts every volume, with a key of Oracle's unless told otherwise"}},
		"a key is the customer's":  {p("kms-key-id", ociKey), says{CustomerKey, "blockvolume.csi.oraclecloud.com kms-key-id " + ociKey}},
		"names are case-sensitive": {p("KMS-key-id", ociKey), says{ProviderKey, "blockvolume.csi.oraclecloud.com encrypts every volume, with a key of Oracle's unless told otherwise"}},
	},
	"diskplugin.csi.alibabacloud.com": {
		"nothing set leaves it to the account": {nil, says{Unknown, "diskplugin.csi.alibabacloud.com leaves it to the account's default, which the cluster does not show"}},
		"true without a key":                   {p("encrypted", "true"), says{ProviderKey, "diskplugin.csi.alibabacloud.com encrypted true"}},
		"YES in capitals":                      {p("encrypted", "YES"), says{ProviderKey, "diskplugin.csi.alibabacloud.com encrypted YES"}},
		"1 with a key":                         {p("encrypted", "1", "kmsKeyId", someUUID), says{CustomerKey, "diskplugin.csi.alibabacloud.com kmsKeyId " + someUUID}},
		"the service's own alias":              {p("encrypted", "true", "kmsKeyId", "alias/acs/ecs"), says{ProviderKey, "diskplugin.csi.alibabacloud.com kmsKeyId alias/acs/ecs"}},
		"a key alone is not used":              {p("kmsKeyId", someUUID), says{Unknown, "diskplugin.csi.alibabacloud.com leaves it to the account's default, which the cluster does not show"}},
		"false declines, key or not":           {p("encrypted", "False", "kmsKeyId", someUUID), says{NotEncrypted, "diskplugin.csi.alibabacloud.com encrypted False"}},
		"enabled is not a word of this driver": {p("encrypted", "enabled"), says{Unknown, `diskplugin.csi.alibabacloud.com encrypted "enabled"`}},
		"names are case-sensitive":             {p("Encrypted", "true"), says{Unknown, "diskplugin.csi.alibabacloud.com leaves it to the account's default, which the cluster does not show"}},
	},
	"vpc.block.csi.ibm.io": {
		"always encrypted":             {nil, says{ProviderKey, "vpc.block.csi.ibm.io encrypts every volume, with a key of IBM's unless told otherwise"}},
		"true with a key":              {p("encrypted", "true", "encryptionKey", ibmKey), says{CustomerKey, "vpc.block.csi.ibm.io encryptionKey " + ibmKey}},
		"a key alone":                  {p("encryptionKey", ibmKey), says{CustomerKey, "vpc.block.csi.ibm.io encryptionKey " + ibmKey}},
		"false drops the key":          {p("encrypted", "false", "encryptionKey", ibmKey), says{ProviderKey, "vpc.block.csi.ibm.io encrypted false"}},
		"a Secret may replace the key": {p("encryptionKey", ibmKey, provisionSecret, "${pvc.name}"), says{ProviderKey, "vpc.block.csi.ibm.io encrypts every volume, with a key of IBM's unless told otherwise"}},
		"key material is no CRN":       {p("encrypted", "true", "encryptionKey", someToken), says{ProviderKey, "vpc.block.csi.ibm.io encrypted true"}},
	},
	"dobs.csi.digitalocean.com": {
		"no such parameter": {p("encrypted", "true"), says{Unknown, "dobs.csi.digitalocean.com has no parameter for encryption at rest"}},
	},
	"secrets-store.csi.k8s.io": {
		"makes no volumes": {nil, says{Unknown, "secrets-store.csi.k8s.io mounts secrets in memory and makes no persistent volumes"}},
	},
	"kubernetes.io/no-provisioner": {
		"makes no volumes": {nil, says{Unknown, "kubernetes.io/no-provisioner makes no volumes; each of its volumes is made by hand"}},
	},
}

func TestOfClassByDriver(t *testing.T) {
	for driver, cases := range rowCases {
		for name, tc := range cases {
			t.Run(driver+"/"+name, func(t *testing.T) {
				got := OfClass(class(driver, tc.give))
				if diff := cmp.Diff(tc.want, says{got.Grade, got.Evidence}); diff != "" {
					t.Errorf("OfClass (-want +got):\n%s\nwhole verdict: %+v", diff, got)
				}
				checkLawful(t, got)
			})
		}
	}
}

func TestOfClassNeverRepeatsWhatMayBeASecret(t *testing.T) {
	for _, d := range Drivers() {
		for _, param := range parameterNames(d) {
			if strings.HasPrefix(param, "csi.storage.k8s.io/") || param == "encryptionKMSID" {
				continue // names that the customer chooses: any word is one
			}
			for _, beside := range []map[string]string{nil, p("encrypted", "true"), p("encryption", "on")} {
				give := p(param, someToken)
				for k, v := range beside {
					if k != param {
						give[k] = v
					}
				}
				got := OfClass(class(d.Name, give))
				if strings.Contains(got.Evidence+got.Why+got.Remedy, someToken) {
					t.Errorf("%s %s beside %v: verdict repeats the value: %+v", d.Name, param, beside, got)
				}
			}
		}
	}
}

func TestHostileValues(t *testing.T) {
	long := strings.Repeat("a", 1<<16)
	values := map[string]string{
		"very long":          long,
		"very long key":      "arn:aws:kms:" + long + ":key/" + long,
		"long key":           "arn:aws:kms:" + strings.Repeat("b", 600) + ":key/7f3",
		"control characters": "tr\x00ue\x1b[31m\r\n",
		"not UTF-8":          "\xff\xfe",
		"other alphabets":    "правда",
		"blank before":       " true",
		"line after":         "true\n",
		"stars":              strings.Repeat("*", 500),
	}
	for _, d := range Drivers() {
		for _, param := range parameterNames(d) {
			for name, value := range values {
				got := OfClass(class(d.Name, p(param, value)))
				checkLawful(t, got)
				mayName := strings.HasPrefix(param, "csi.storage.k8s.io/") || name == "long key"
				if got.Grade == CustomerKey && !mayName {
					t.Errorf("%s %s with a value that is %s: graded %s by %q", d.Name, param, name, got.Grade, got.Evidence)
				}
			}
		}
	}
}

func TestDriversTable(t *testing.T) {
	rows := Drivers()
	names := map[string]bool{}
	for _, d := range rows {
		for _, name := range append([]string{d.Name}, d.InTree...) {
			if names[name] {
				t.Errorf("%s is in two rows", name)
			}
			names[name] = true
			if got := find(name); got == nil || got.Name != d.Name {
				t.Errorf("find(%q) = %v, want the row %s", name, got, d.Name)
			}
		}
		checkRow(t, d)
		if len(rowCases[d.Name]) == 0 {
			t.Errorf("%s has no test case", d.Name)
		}
	}
	for name := range rowCases {
		if !names[name] {
			t.Errorf("test cases for %s, which has no row", name)
		}
	}
	if !slices.IsSortedFunc(rows, func(a, b Driver) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("Drivers() is not sorted")
	}
}

// checkRow holds a row to what the package promises about each.
func checkRow(t *testing.T, d Driver) {
	t.Helper()
	if d.Reference == "" || d.Otherwise.Reference == "" || d.Otherwise.Says == "" || d.Remedy == "" {
		t.Errorf("%s lacks a reference, a default or a remedy", d.Name)
	}
	if d.Otherwise.Grade.Encrypted() && d.Otherwise.Basis == Knowledge {
		t.Errorf("%s grades %s on mere knowledge", d.Name, d.Otherwise.Grade)
	}
	if d.Otherwise.Grade == CustomerKey {
		t.Errorf("%s takes a customer's key for granted", d.Name)
	}
	if len(d.Rules) > 0 && d.Basis == Knowledge {
		t.Errorf("%s has rules on mere knowledge", d.Name)
	}
	for _, r := range d.Rules {
		checkRule(t, d.Name, r)
	}
	for _, line := range d.Parameters() {
		if line.Name == "" || line.Meaning == "" {
			t.Errorf("%s has a parameter without name or meaning: %+v", d.Name, line)
		}
	}
}

func checkRule(t *testing.T, driver string, r Rule) {
	t.Helper()
	if r.Switch.Param == "" && len(r.Keys) == 0 {
		t.Errorf("%s has an empty rule", driver)
	}
	for _, on := range r.Switch.Values.On {
		if r.Switch.Values.read(on) != readsOn || slices.Contains(r.Switch.Values.Off, on) {
			t.Errorf("%s %s: %q is on and off", driver, r.Switch.Param, on)
		}
	}
	for _, k := range r.Keys {
		if len(k.Forms) == 0 || len(k.Params) == 0 {
			t.Errorf("%s has a key without forms or parameters", driver)
		}
		if r.Switch.Param == "" && k.Role == Refines {
			t.Errorf("%s %s refines a switch that is not there", driver, k.Params[0])
		}
	}
}

func TestDriversReturnsACopy(t *testing.T) {
	for _, d := range Drivers() {
		for i := range d.Rules {
			if on := d.Rules[i].Switch.Values.On; len(on) > 0 {
				on[0] = "changed"
			}
			for _, k := range d.Rules[i].Keys {
				k.Params[0], k.Forms[0] = "changed", "changed"
			}
		}
		for i := range d.Notes {
			d.Notes[i].Name = "changed"
		}
	}
	for _, d := range Drivers() {
		for _, line := range d.Parameters() {
			if strings.Contains(line.Name+line.Meaning, "changed") {
				t.Fatalf("%s was changed through a copy: %+v", d.Name, line)
			}
		}
	}
}

func TestParametersOfARow(t *testing.T) {
	want := []Parameter{
		{"encrypted", "true: encrypted; false: NotEncrypted; anything else: Unknown"},
		{"kmsKeyId", "a key id (arn:aws*:kms:*:key/*, arn:aws*:kms:*:alias/*, alias/*, mrk-*, uuid): EncryptedCustomerKey; " +
			"arn:aws*:kms:*:alias/aws/*, alias/aws/*: EncryptedProviderKey; turns encryption on"},
		{"ext4EncryptionSupport", "a feature of the file system, not encryption of the volume"},
	}
	if diff := cmp.Diff(want, find("ebs.csi.aws.com").Parameters()); diff != "" {
		t.Errorf("Parameters (-want +got):\n%s", diff)
	}
}

func TestFind(t *testing.T) {
	tests := map[string]struct{ give, want string }{
		"by its name":                        {"ebs.csi.aws.com", "ebs.csi.aws.com"},
		"by its name before CSI":             {"kubernetes.io/azure-disk", "disk.csi.azure.com"},
		"Rook's name of Ceph":                {"rook-ceph.rbd.csi.ceph.com", "rbd.csi.ceph.com"},
		"OpenShift's name of Ceph":           {"openshift-storage.cephfs.csi.ceph.com", "cephfs.csi.ceph.com"},
		"two prefixes are somebody else":     {"a.b.rbd.csi.ceph.com", ""},
		"a prefix where the row has none":    {"evil.ebs.csi.aws.com", ""},
		"another case is another driver":     {"EBS.csi.aws.com", ""},
		"the empty name":                     {"", ""},
		"a name that only ends like a row's": {"notebs.csi.aws.com", ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			got := ""
			if d := find(tc.give); d != nil {
				got = d.Name
			}
			if got != tc.want {
				t.Errorf("find(%q) = %q, want %q", tc.give, got, tc.want)
			}
		})
	}
}

// p builds a map from names and values in turn.
func p(pairs ...string) map[string]string {
	m := make(map[string]string, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func class(provisioner string, params map[string]string) *storagev1.StorageClass {
	c := &storagev1.StorageClass{Provisioner: provisioner, Parameters: params}
	c.Name = "phi"
	c.CreationTimestamp = day(1)
	return c
}

func parameterNames(d Driver) []string {
	var names []string
	for _, r := range d.Rules {
		if r.Switch.Param != "" {
			names = append(names, r.Switch.Param)
		}
		for _, k := range r.Keys {
			names = append(names, k.Params...)
		}
		for _, c := range r.Permits {
			names = append(names, c.Param)
		}
	}
	return names
}
