package storage

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
)

// FuzzOfVolume decodes whole objects: whatever they are, the verdict is lawful and always the same.
func FuzzOfVolume(f *testing.F) {
	seeds := []*links{
		{},
		made("ebs.csi.aws.com", p("encrypted", "true", "kmsKeyId", awsKey), nil),
		made("ebs.csi.aws.com", p("encrypted", "true", "Encrypted", "false"), nil),
		made("rook-ceph.rbd.csi.ceph.com", nil, p("encrypted", "true", "encryptionKMSID", "vault")),
		asked("diskplugin.csi.alibabacloud.com", p("encrypted", "yes")),
		made("kubernetes.io/gce-pd", nil, nil).inTree(corev1.PersistentVolumeSource{GCEPersistentDisk: &corev1.GCEPersistentDiskVolumeSource{}}),
	}
	for _, l := range seeds {
		f.Add(encode(f, l.volume), encode(f, l.claim), encode(f, l.class))
	}
	f.Fuzz(func(t *testing.T, volume, claim, class []byte) {
		v, c, s := decode[corev1.PersistentVolume](volume), decode[corev1.PersistentVolumeClaim](claim), decode[storagev1.StorageClass](class)
		got := OfVolume(v, c, s)
		checkLawful(t, got)
		if v == nil && c == nil && s == nil && got.Grade != Unknown {
			t.Errorf("nothing was read, and the grade is %s", got.Grade)
		}
		if diff := cmp.Diff(got, OfVolume(v, c, s)); diff != "" {
			t.Errorf("asked twice, two answers:\n%s", diff)
		}
	})
}

// FuzzParameters puts arbitrary values where each driver looks for them, in a class and on a volume.
func FuzzParameters(f *testing.F) {
	rows := Drivers()
	for i := range rows {
		f.Add(uint8(i), "true", awsKey, "PERSISTENT_2")
		f.Add(uint8(i), "false", someUUID, "\x00")
	}
	f.Fuzz(func(t *testing.T, row uint8, on, key, other string) {
		d := rows[int(row)%len(rows)]
		params := map[string]string{}
		for _, r := range d.Rules {
			if r.Switch.Param != "" {
				params[r.Switch.Param] = on
			}
			for _, k := range r.Keys {
				params[k.Params[0]] = key
				for _, c := range k.Needs {
					params[c.Param] = other
				}
			}
			for _, c := range r.Permits {
				params[c.Param] = other
			}
		}
		checkLawful(t, OfClass(class(d.Name, params)))
		l := made(d.Name, params, params)
		got := OfVolume(l.volume, l.claim, l.class)
		checkLawful(t, got)
		if got.Grade == CustomerKey && (key == "" || len(key) > keyIDLimit) {
			t.Errorf("a customer's key out of %d bytes: %+v", len(key), got)
		}
	})
}

// FuzzOfPodVolume decodes one volume of a pod.
func FuzzOfPodVolume(f *testing.F) {
	f.Add([]byte(`{"name":"a","csi":{"driver":"file.csi.azure.com"}}`))
	f.Add([]byte(`{"name":"a","emptyDir":{"medium":"Memory"}}`))
	f.Add([]byte(`{"name":"a","ephemeral":{"volumeClaimTemplate":{"spec":{"storageClassName":"phi"}}}}`))
	f.Fuzz(func(t *testing.T, volume []byte) {
		v := decode[corev1.Volume](volume)
		got, kind := OfPodVolume(v)
		if kind.AtRest() {
			checkLawful(t, got)
		}
		if claim := TemplateOf(v); claim != nil {
			checkLawful(t, OfVolume(nil, claim, class("ebs.csi.aws.com", nil)))
		}
	})
}

// decode returns nil for what is no object of the type, as a reader would.
func decode[T any](data []byte) *T {
	var v *T
	if json.Unmarshal(data, &v) != nil {
		return nil
	}
	return v
}

func encode(f *testing.F, v any) []byte {
	f.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		f.Fatal(err)
	}
	return data
}
