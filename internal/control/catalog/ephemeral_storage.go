package catalog

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/storage"
)

var _ = add(control.Control{
	ID:       "ephemeral-storage",
	Title:    "Leave no PHI on the node's own disk",
	Cites:    []hipaa.Citation{hipaa.EncryptionAtRest, hipaa.MediaReuse},
	Severity: control.High,
	Since:    1,
	Why: "A scratch directory holds what the application works on: uploads, exports, caches, core dumps. It outlives the process on the " +
		"node's disk, where nobody back-ups, encrypts or wipes it on purpose, and goes where the node's disk goes.",
	Remedy: "use emptyDir with medium Memory and a sizeLimit, or a generic ephemeral volume of an encrypted StorageClass",
	Decides: "The pod's volumes decide, at admission and live alike. A hostPath fails. An emptyDir in memory passes. An emptyDir on the " +
		"node's disk is Unknown, which refuses, unless the profile states until an end date that the nodes' disks are encrypted and " +
		"wiped (Attested): no field of the cluster shows it. Where the profile opts in, emptyDirs without a medium are put into memory at " +
		"admission, with a size limit; that counts against the memory of the containers that write there. Generic ephemeral volumes are " +
		"volume-encryption's. Swap, and what a container writes beside its volumes, are the statement's as well: set " +
		"readOnlyRootFilesystem where you can.",
	Parameters: []control.Parameter{
		{
			Path: "storage.nodeDisks", Basis: control.BasisProfile,
			Meaning: "What a person states about the nodes' own disks, until an end date: that they are encrypted, and wiped before they are used for something else.",
		},
		{
			Path: "storage.emptyDir", Basis: control.BasisProfile,
			Meaning: "Memory puts emptyDirs that name no medium into memory; it can break an application that writes more than the limit. Default AsDeclared.",
		},
		{
			Path: "storage.emptyDirSizeLimit", Basis: control.BasisProfile,
			Meaning: "The size limit of those that name none. Default 64Mi.",
		},
	},
	Example: `apiVersion: v1
kind: Pod
metadata: {name: patient-api, namespace: ehr, labels: {app: patient-api}}
spec:
  serviceAccountName: patient-api
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: registry.example.org/patient-api:1.0.0
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}, readOnlyRootFilesystem: true}
    volumeMounts: [{name: scratch, mountPath: /tmp}]
  volumes:
  - name: scratch
    emptyDir: {medium: Memory, sizeLimit: 64Mi}
`,
	Judges:   control.Pods,
	Replaces: true,
	Backstop: &control.Backstop{
		Faults: []control.Fault{
			{When: "variables.volumes.exists(v, has(v.hostPath))", Says: "spec.volumes has a hostPath"},
			{
				When: "(settings[0] == '' || variables.created >= timestamp(settings[0])) && " +
					"variables.volumes.exists(v, has(v.gitRepo) || has(v.emptyDir) && v.emptyDir.?medium.orValue('') == '')",
				Says: "spec.volumes has one on the node's own disk, and nothing shows that it is encrypted",
			},
		},
		Settings: func(s control.Subject) []string { return []string{until(s.Profile.Storage.NodeDisks)} },
	},
	Check: func(s control.Subject) []control.Finding {
		if s.Pod == nil {
			return nil
		}
		return checkNodeDisk(&s)
	},
	Mutate: func(s control.Subject, pod *corev1.Pod) {
		if s.Profile.Storage.EmptyDir != hipaav1.EmptyDirMemory {
			return
		}
		for i := range pod.Spec.Volumes {
			intoMemory(&s.Profile.Storage, pod.Spec.Volumes[i].EmptyDir)
		}
	},
	Breaks: control.Breaks{
		"a directory of the node": mounting(func(*control.Subject) corev1.VolumeSource {
			return corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/tmp"}}
		}),
		"a repository that is checked out on the node's disk": mounting(func(*control.Subject) corev1.VolumeSource {
			return corev1.VolumeSource{GitRepo: &corev1.GitRepoVolumeSource{Repository: "https://git.example.org/rules.git"}}
		}),
		"a scratch directory on the node's disk": mounting(func(s *control.Subject) corev1.VolumeSource {
			s.Profile.Storage.NodeDisks = nil
			return corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}
		}),
	},
})

func checkNodeDisk(s *control.Subject) []control.Finding {
	var findings []control.Finding
	for i := range s.Pod.Spec.Volumes {
		v, path := &s.Pod.Spec.Volumes[i], fmt.Sprintf("spec.volumes[%d]", i)
		switch _, kind := storage.OfPodVolume(v); {
		case v.HostPath != nil:
			findings = append(findings, control.Failed(path, "%q is a hostPath", v.Name).
				But("use a claim of an encrypted StorageClass, or emptyDir with medium Memory"))
		case kind == storage.KindNodeDisk:
			findings = append(findings, onNodeDisk(s, path, v))
		case kind == storage.KindMemory && v.EmptyDir != nil:
			findings = append(findings, control.Met(path, "%q is in the node's memory", v.Name))
		}
	}
	if len(findings) == 0 {
		return []control.Finding{control.NotApplicable("no volume is on the node")}
	}
	return findings
}

// onNodeDisk judges a volume that the node's own disk holds.
func onNodeDisk(s *control.Subject, path string, v *corev1.Volume) control.Finding {
	statement := s.Profile.Storage.NodeDisks
	if statement == nil {
		return control.Undecided(path, "%q is on the node's own disk, and nothing shows that it is encrypted", v.Name)
	}
	return control.Met(path, "%q is on the node's own disk, which is stated to be encrypted until %s", v.Name,
		statement.Expires.UTC().Format(time.DateOnly)).Known(hipaav1.EvidenceAttested)
}

// until is the end of a statement, empty where there is none.
func until(s *hipaav1.Statement) string {
	if s == nil {
		return ""
	}
	return s.Expires.UTC().Format(time.RFC3339)
}

// intoMemory moves a scratch directory that names no medium. One with a limit of
// its own keeps it.
func intoMemory(p *control.StorageParameters, d *corev1.EmptyDirVolumeSource) {
	if d == nil || d.Medium != corev1.StorageMediumDefault {
		return
	}
	d.Medium = corev1.StorageMediumMemory
	if d.SizeLimit == nil {
		limit := p.EmptyDirSizeLimit.DeepCopy()
		if limit.IsZero() {
			limit = resource.MustParse(hipaav1.DefaultEmptyDirSizeLimit)
		}
		d.SizeLimit = &limit
	}
}
