package storage

import (
	"reflect"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
)

type source = corev1.VolumeSource

func emptyDir(m corev1.StorageMedium) source {
	return source{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: m}}
}

// inlineCSI is a volume whose author claims everything an author can claim.
func inlineCSI(driver string) source {
	return source{CSI: &corev1.CSIVolumeSource{
		Driver: driver, VolumeAttributes: p("encrypted", "true", "kmsKeyId", awsKey),
		NodePublishSecretRef: &corev1.LocalObjectReference{Name: "luks"},
	}}
}

var podVolumes = map[string]struct {
	give source
	want says
	kind Kind
}{
	"a claim is asked elsewhere": {
		source{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"}}, says{Unknown, "persistentVolumeClaim"}, KindClaim,
	},
	"a template is asked elsewhere":    {source{Ephemeral: &corev1.EphemeralVolumeSource{}}, says{Unknown, "ephemeral"}, KindClaimTemplate},
	"emptyDir on disk":                 {emptyDir(""), says{Unknown, "emptyDir"}, KindNodeDisk},
	"emptyDir in memory":               {emptyDir("Memory"), says{Unknown, "emptyDir medium Memory"}, KindMemory},
	"emptyDir in huge pages":           {emptyDir("HugePages-2Mi"), says{Unknown, "emptyDir medium HugePages"}, KindMemory},
	"emptyDir on something unheard of": {emptyDir("memory"), says{Unknown, "a source that is not in the table"}, KindUnrecognised},
	"hostPath":                         {source{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}, says{Unknown, "hostPath"}, KindNodeDisk},
	"gitRepo":                          {source{GitRepo: &corev1.GitRepoVolumeSource{}}, says{Unknown, "gitRepo"}, KindNodeDisk},
	"secret":                           {source{Secret: &corev1.SecretVolumeSource{}}, says{Unknown, "secret"}, KindAPI},
	"configMap":                        {source{ConfigMap: &corev1.ConfigMapVolumeSource{}}, says{Unknown, "configMap"}, KindAPI},
	"projected":                        {source{Projected: &corev1.ProjectedVolumeSource{}}, says{Unknown, "projected"}, KindAPI},
	"downwardAPI":                      {source{DownwardAPI: &corev1.DownwardAPIVolumeSource{}}, says{Unknown, "downwardAPI"}, KindAPI},
	"image":                            {source{Image: &corev1.ImageVolumeSource{}}, says{Unknown, "image"}, KindImage},
	"secrets-store inline":             {inlineCSI("secrets-store.csi.k8s.io"), says{Unknown, "secrets-store.csi.k8s.io"}, KindMemory},
	"inline CSI of a driver that encrypts everything": {
		inlineCSI("file.csi.azure.com"),
		says{ProviderKey, "file.csi.azure.com keeps shares in storage accounts, which are always encrypted"}, KindAttached,
	},
	"the pod's author does not decide how an inline volume is encrypted": {inlineCSI("ebs.csi.aws.com"), says{Unknown, "ebs.csi.aws.com"}, KindAttached},
	"nor by naming a Secret":                    {inlineCSI("csi.hetzner.cloud"), says{Unknown, "csi.hetzner.cloud"}, KindAttached},
	"nor where silence means no":                {inlineCSI("linodebs.csi.linode.com"), says{Unknown, "linodebs.csi.linode.com"}, KindAttached},
	"inline CSI of a driver that nobody listed": {inlineCSI("csi.example.org"), says{Unknown, "csi.example.org"}, KindAttached},
	"inline CSI without a driver":               {source{CSI: &corev1.CSIVolumeSource{}}, says{Unknown, "csi"}, KindAttached},
	"nfs":                                       {source{NFS: &corev1.NFSVolumeSource{}}, says{Unknown, "nfs"}, KindAttached},
	"iscsi":                                     {source{ISCSI: &corev1.ISCSIVolumeSource{}}, says{Unknown, "iscsi"}, KindAttached},
	"fc":                                        {source{FC: &corev1.FCVolumeSource{}}, says{Unknown, "fc"}, KindAttached},
	"awsElasticBlockStore":                      {source{AWSElasticBlockStore: &corev1.AWSElasticBlockStoreVolumeSource{}}, says{Unknown, "kubernetes.io/aws-ebs"}, KindAttached},
	"gcePersistentDisk": {
		source{GCEPersistentDisk: &corev1.GCEPersistentDiskVolumeSource{}},
		says{ProviderKey, "kubernetes.io/gce-pd encrypts every disk, with a key of Google's unless told otherwise"}, KindAttached,
	},
	"azureDisk": {
		source{AzureDisk: &corev1.AzureDiskVolumeSource{}},
		says{ProviderKey, "kubernetes.io/azure-disk encrypts every disk, with a key of the platform unless told otherwise"}, KindAttached,
	},
	"azureFile": {
		source{AzureFile: &corev1.AzureFileVolumeSource{}},
		says{ProviderKey, "kubernetes.io/azure-file keeps shares in storage accounts, which are always encrypted"}, KindAttached,
	},
	"cinder":          {source{Cinder: &corev1.CinderVolumeSource{}}, says{Unknown, "kubernetes.io/cinder takes encryption from the volume type in OpenStack, which the cluster does not show"}, KindAttached},
	"vsphereVolume":   {source{VsphereVolume: &corev1.VsphereVirtualDiskVolumeSource{}}, says{Unknown, "kubernetes.io/vsphere-volume takes encryption from a storage policy of vCenter, which the cluster does not show"}, KindAttached},
	"portworxVolume":  {source{PortworxVolume: &corev1.PortworxVolumeSource{}}, says{Unknown, "kubernetes.io/portworx-volume"}, KindAttached},
	"flexVolume":      {source{FlexVolume: &corev1.FlexVolumeSource{}}, says{Unknown, "a source that is not in the table"}, KindUnrecognised},
	"an empty source": {source{}, says{Unknown, "a source that is not in the table"}, KindUnrecognised},
}

func TestOfPodVolume(t *testing.T) {
	for name, tc := range podVolumes {
		t.Run(name, func(t *testing.T) {
			v, kind := OfPodVolume(&corev1.Volume{Name: "v", VolumeSource: tc.give})
			if diff := cmp.Diff(tc.want, says{v.Grade, v.Evidence}); diff != "" || kind != tc.kind {
				t.Errorf("kind %s, want %s; verdict (-want +got):\n%s", kind, tc.kind, diff)
			}
			if v.Source != FromPodVolume {
				t.Errorf("source %s, want %s", v.Source, FromPodVolume)
			}
			if kind.AtRest() {
				checkLawful(t, v)
			} else if v.Why == "" {
				t.Error("no reason why encryption at rest does not apply")
			}
		})
	}
}

func TestOfPodVolumeNil(t *testing.T) {
	v, kind := OfPodVolume(nil)
	if kind != KindUnrecognised || v.Grade != Unknown {
		t.Errorf("OfPodVolume(nil) = %+v, %s", v, kind)
	}
	checkLawful(t, v)
}

func TestTemplateOf(t *testing.T) {
	template := &corev1.PersistentVolumeClaimTemplate{
		ObjectMeta: metav1.ObjectMeta{Labels: p("app", "ehr"), Annotations: p("alibabacloud.com/kms-key-id", "key-claim")},
		Spec:       corev1.PersistentVolumeClaimSpec{StorageClassName: ptr.To("phi")},
	}
	scratch := &corev1.Volume{VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{VolumeClaimTemplate: template}}}

	got := OfVolume(nil, TemplateOf(scratch), class("diskplugin.csi.alibabacloud.com", p("encrypted", "true")))
	want := says{CustomerKey, "diskplugin.csi.alibabacloud.com alibabacloud.com/kms-key-id key-claim"}
	if diff := cmp.Diff(want, says{got.Grade, got.Evidence}); diff != "" {
		t.Errorf("the template's claim (-want +got):\n%s", diff)
	}

	for name, v := range map[string]*corev1.Volume{
		"nil":              nil,
		"another source":   {VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		"without template": {VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}},
	} {
		if claim := TemplateOf(v); claim != nil {
			t.Errorf("%s: TemplateOf = %v, want nil", name, claim)
		}
	}
}

func TestLocationsOfVolumes(t *testing.T) {
	tests := map[string]struct {
		give corev1.PersistentVolumeSource
		want string
	}{
		"azureFile":      {corev1.PersistentVolumeSource{AzureFile: &corev1.AzureFilePersistentVolumeSource{}}, "file.csi.azure.com"},
		"cinder":         {corev1.PersistentVolumeSource{Cinder: &corev1.CinderPersistentVolumeSource{}}, "cinder.csi.openstack.org"},
		"vsphereVolume":  {corev1.PersistentVolumeSource{VsphereVolume: &corev1.VsphereVirtualDiskVolumeSource{}}, "csi.vsphere.vmware.com"},
		"portworxVolume": {corev1.PersistentVolumeSource{PortworxVolume: &corev1.PortworxVolumeSource{}}, "pxd.portworx.com"},
		"fc":             {corev1.PersistentVolumeSource{FC: &corev1.FCVolumeSource{}}, ""},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			at := locate(&tc.give)
			got := ""
			if row := find(at.driver); row != nil {
				got = row.Name
			}
			if got != tc.want || at.field != name || at.kind != KindAttached {
				t.Errorf("locate = %+v, row %q, want row %q", at, got, tc.want)
			}
		})
	}
}

// A row whose field neither type has is never found, and a field that is no pointer cannot be asked.
func TestLocationsAreFields(t *testing.T) {
	for name := range locations {
		if !slices.Contains(volumeFields, name) && !slices.Contains(podFields, name) {
			t.Errorf("no volume source has a field %q", name)
		}
	}
	for _, source := range []reflect.Type{reflect.TypeFor[corev1.PersistentVolumeSource](), reflect.TypeFor[corev1.VolumeSource]()} {
		for field := range source.Fields() {
			if field.Type.Kind() != reflect.Pointer {
				t.Errorf("%s.%s is no pointer", source, field.Name)
			}
		}
	}
}
