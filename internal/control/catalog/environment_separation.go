package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "environment-separation",
	Title:    "Keep production PHI out of every other environment",
	Cites:    []hipaa.Citation{hipaa.AccessControl, hipaa.AccessManagement},
	Severity: control.High,
	Since:    1,
	Why: "A test system has weaker passwords, more readers and no audit. Records get there by a clone of a volume, a restored snapshot, a " +
		"connection that somebody opened to debug, and from then on the least guarded place of all holds them.",
	Remedy: "let other environments have data of their own: made up, or de-identified",
	Decides: "The environment that PHIWorkloads state and the label of claims tell what is production: everything that says nothing is. At admission " +
		"and live, a claim of another environment is refused that is cloned from a claim of production, or made from a VolumeSnapshot of one; one that starts from a clone, snapshot or " +
		"backup of which nothing shows whose data it is, such as a VolumeSnapshot that somebody made for a snapshot of before, is Unknown, which refuses. A pod is refused that mounts a claim of the other side, or such a copy; so " +
		"is a RoleBinding in production to ServiceAccounts of a namespace whose PHIWorkloads are all of other environments. At admission alone, a Secret " +
		"of production is refused whose annotations let known operators copy it into other namespaces (reflector of emberstack, replicator of mittwald, config-syncer " +
		"of AppsCode), whatever these are: two namespaces of production that share one need an exception. So is, where it comes without data, one of another " +
		"environment that is to be the copy of production's. Live, " +
		"a PHIWorkload fails that declares a flow from or to the other side, by PHIWorkload or by a Service of its namespace, whose namespace reads by ExternalSecrets what one of the other side reads " +
		"from the same ClusterSecretStore - what one takes that a search in such a store finds is Unknown, and what is served as external-secrets.io/v1alpha1 alone is not read -, or that is not " +
		"production and shares its namespace with production, where every pod can mount each Secret. Bindings of the whole cluster are not read, nor what SecretStores of namespaces lead to, nor Secrets: of those from before the profile has to state that somebody has looked through them, and where the mode is not Enforce, " +
		"so that new ones are not refused, the verdict is Unknown all the same. What somebody copies by hand - a dump, a Secret, rows over a connection that both sides may make - and " +
		"peers given by pods or addresses no object shows that the operator reads. A data set " +
		"that was de-identified (164.514(a)-(b)) needs an exception that says by which method.",
	Parameters: []control.Parameter{{
		Path: "tagging.environmentKey", Basis: control.BasisProfile, Meaning: "Label key of the environment.",
	}, secretsReviewed},
	Example: `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {matchLabels: {app: patient-api}}
  continuity: PatientCare
  owner: {team: clinical-apps, contacts: [clinical-apps@example.org]}
  dataClasses: [Clinical, Demographic]
  environment: Production
`,
	Reports:   externalSecretReports,
	Judges:    control.Pods | control.Claims | control.Bindings | control.Secrets | control.Workloads,
	Needs:     control.StorageChain | control.Access,
	NeedsLive: control.FlowPeers | control.Reports,
	Check: func(s control.Subject) []control.Finding {
		switch {
		case s.Workload == nil:
			return []control.Finding{control.NotApplicable("no PHIWorkload claims it, so its environment is not known")}
		case s.Pod != nil:
			return checkMounted(&s)
		case s.Claim != nil:
			return checkOrigin(&s)
		case s.Binding != nil:
			return checkBound(&s)
		case s.Secret != nil:
			return checkCopied(&s)
		case s.Kind() == control.Workloads:
			return append(checkSides(&s), reviewed(&s))
		default:
			return nil
		}
	},
	Satisfy:  stateReview,
	Backstop: separationBackstop,
	Breaks: control.Breaks{
		"nobody has looked through the Secrets from before":             live(notReviewed),
		"rights in production for a ServiceAccount of a test namespace": {Kind: control.Bindings, Apply: grantedToTest},
		"a Secret of production that any namespace may copy":            {Kind: control.Secrets, Apply: offered},
		"production that reads the remote secret of a test workload":    live(readsAlike),
		"a Secret of a test workload that copies production's":          {Kind: control.Secrets, Apply: copiedIntoTest},
		"a test claim that is cloned from production": testClaim(func(s *control.Subject) {
			origin := s.Claim.DeepCopy()
			origin.Name, origin.Labels = "records", map[string]string{hipaav1.DefaultEnvironmentKey: string(hipaav1.EnvironmentProduction)}
			s.Claim.Spec.DataSource = &corev1.TypedLocalObjectReference{Kind: "PersistentVolumeClaim", Name: origin.Name}
			s.World.Origins = originOf(s.Claim, origin)
		}),
		"a test claim that is made from a snapshot of which nothing is known": testClaim(func(s *control.Subject) {
			s.Claim.Spec.DataSource = snapshotNamed("nightly")
		}),
		"a test pod that mounts a claim of production": {Kind: control.Pods, Apply: func(s *control.Subject) {
			inTest(s)
			for _, claim := range s.World.Claims {
				labelled(&claim.ObjectMeta)[hipaav1.DefaultEnvironmentKey] = string(hipaav1.EnvironmentProduction)
			}
		}},
		"a test workload that calls production": live(func(s *control.Subject) { inTest(s) }),
		"production that calls a test workload": live(func(s *control.Subject) {
			for _, other := range s.World.Workloads {
				if other != s.Workload {
					other.Spec.Environment = hipaav1.EnvironmentTest
				}
			}
		}),
	},
})

// originOf says whose data a claim begins as.
func originOf(claim, origin *corev1.PersistentVolumeClaim) map[control.DataSource]*corev1.PersistentVolumeClaim {
	from, _ := control.DataSourceOf(claim)
	return map[control.DataSource]*corev1.PersistentVolumeClaim{from: origin}
}

func snapshotNamed(name string) *corev1.TypedLocalObjectReference {
	return &corev1.TypedLocalObjectReference{APIGroup: ptr.To("snapshot.storage.k8s.io"), Kind: "VolumeSnapshot", Name: name}
}

// inTest makes the subject's workload one of the test environment.
func inTest(s *control.Subject) {
	s.Workload.Spec.Environment = hipaav1.EnvironmentTest
	s.Workload.Labels = nil
}

func testClaim(change func(*control.Subject)) control.Break {
	return control.Break{Kind: control.Claims, Apply: func(s *control.Subject) {
		inTest(s)
		// What admission wrote when the workload was of production goes; the rest
		// tells of which workload the claim is.
		maps.DeleteFunc(s.Claim.Labels, func(key, _ string) bool { return strings.Contains(key, hipaav1.GroupName+"/") })
		change(s)
	}}
}

// isProduction reports whether an environment is production. Who says nothing is.
func isProduction(e hipaav1.Environment) bool {
	return cmp.Or(e, hipaav1.EnvironmentProduction) == hipaav1.EnvironmentProduction
}

// claimEnvironment is what a claim says of itself, or the workload that it names;
// empty where it says nothing.
func claimEnvironment(s *control.Subject, claim *corev1.PersistentVolumeClaim) hipaav1.Environment {
	if said := claim.Labels[taggingOf(s.Profile).environment]; said != "" {
		return hipaav1.Environment(said)
	}
	name := claim.Labels[hipaav1.LabelWorkload]
	if w := s.World.Workloads[types.NamespacedName{Namespace: claim.Namespace, Name: name}]; w != nil {
		return cmp.Or(w.Spec.Environment, hipaav1.EnvironmentProduction)
	}
	return ""
}

// checkMounted judges the claims that a pod mounts. One that says nothing is the
// pod's own.
func checkMounted(s *control.Subject) []control.Finding {
	own := cmp.Or(s.Workload.Spec.Environment, hipaav1.EnvironmentProduction)
	var findings []control.Finding
	mounted := 0
	for i := range s.Pod.Spec.Volumes {
		source, path := s.Pod.Spec.Volumes[i].PersistentVolumeClaim, fmt.Sprintf("spec.volumes[%d]", i)
		if source == nil || s.World.Claims[source.ClaimName] == nil {
			continue
		}
		mounted++
		claim := s.World.Claims[source.ClaimName]
		if of := claimEnvironment(s, claim); of != "" && isProduction(of) != isProduction(own) {
			findings = append(findings, control.Failed(path, "mounts claim %q of environment %s into one of %s", source.ClaimName, of, own))
		} else if f := ofOrigin(s, claim); f.Verdict != hipaav1.VerdictPass {
			// A claim that no workload can be told of was not judged when it was made.
			f.Path, f.Message = path, fmt.Sprintf("mounts claim %q, which %s", source.ClaimName, f.Message)
			findings = append(findings, f)
		}
	}
	switch {
	case len(findings) > 0:
		return findings
	case mounted == 0:
		return []control.Finding{control.NotApplicable("it mounts no claim")}
	default:
		return []control.Finding{control.Met("", "mounts no claim of another environment than %s", own)}
	}
}

// checkOrigin judges the claim under judgement.
func checkOrigin(s *control.Subject) []control.Finding {
	if !isOf(s.Workload, s.Claim.Labels) {
		return []control.Finding{control.NotApplicable("it is classified as of another PHIWorkload")}
	}
	return []control.Finding{ofOrigin(s, s.Claim)}
}

// ofOrigin judges what the data of a claim of the workload begins as.
func ofOrigin(s *control.Subject, claim *corev1.PersistentVolumeClaim) control.Finding {
	own := cmp.Or(s.Workload.Spec.Environment, hipaav1.EnvironmentProduction)
	origin, copied := control.DataSourceOf(claim)
	switch {
	case isProduction(own):
		return control.Met("", "pvc %s: of production, as its workload", claim.Name)
	case !copied:
		return control.Met("", "pvc %s: starts empty", claim.Name)
	}
	const remedy = "let it start empty and load data that is made up; data that was de-identified needs an exception that says how"
	from := s.World.Origins[origin]
	if from == nil {
		return control.Undecided(originPath(claim), "brings data of %s %s into environment %s, and nothing shows whose it is", origin.Kind, origin.NamespacedName, own).But(remedy)
	}
	switch of := claimEnvironment(s, from); {
	case of == "":
		return control.Undecided(originPath(claim), "%s into environment %s, and the claim does not say of which environment it is", copies(origin, from), own).But(remedy)
	case isProduction(of):
		return control.Failed(originPath(claim), "%s of environment %s into one of %s", copies(origin, from), of, own).But(remedy)
	default:
		return control.Met("", "pvc %s: begins as a claim of environment %s", claim.Name, of)
	}
}

// copies says how the data of a claim comes to another one.
func copies(origin control.DataSource, from *corev1.PersistentVolumeClaim) string {
	if origin.IsSnapshot() {
		return fmt.Sprintf("restores VolumeSnapshot %s of claim %s", origin.NamespacedName, from.Name)
	}
	return fmt.Sprintf("clones claim %s", origin.NamespacedName)
}

func originPath(claim *corev1.PersistentVolumeClaim) string {
	switch {
	case claim.Spec.DataSourceRef != nil:
		return "spec.dataSourceRef"
	case claim.Spec.DataSource != nil:
		return "spec.dataSource"
	default:
		return "metadata.labels"
	}
}

// checkSides judges what a workload declares, and beside whom it runs.
func checkSides(s *control.Subject) []control.Finding {
	own := cmp.Or(s.Workload.Spec.Environment, hipaav1.EnvironmentProduction)
	findings := slices.Concat(acrossSides(s, own), readTwice(s, own), searches(s))
	if !isProduction(own) {
		if beside := productionBeside(s); len(beside) > 0 {
			findings = append(findings, control.Failed("", "is of environment %s and shares its namespace, and so its Secrets, with %s of production", own, strings.Join(beside, ", ")).
				But("move it to a namespace of its own").OnlyLive())
		}
	}
	if len(findings) > 0 {
		return findings
	}
	return []control.Finding{control.Met("", "of environment %s, declares no flow across", own)}
}

// acrossSides are declared flows to and from the other side of production.
func acrossSides(s *control.Subject, own hipaav1.Environment) []control.Finding {
	var findings []control.Finding
	judge := func(path, way string, other *hipaav1.PHIWorkload) {
		if other == nil || isProduction(other.Spec.Environment) == isProduction(own) {
			return
		}
		findings = append(findings, control.Failed(path, "%s PHIWorkload %s/%s of environment %s, and this one is of %s", way, other.Namespace, other.Name,
			cmp.Or(other.Spec.Environment, hipaav1.EnvironmentProduction), own).OnlyLive())
	}
	if access := s.Workload.Spec.Access; access != nil {
		for i := range access.From {
			judge(fmt.Sprintf("spec.access.from[%d]", i), "lets in", peerWorkload(s, access.From[i].PHIWorkload))
		}
	}
	if egress := s.Workload.Spec.Egress; egress != nil {
		for i := range egress.To {
			path := fmt.Sprintf("spec.egress.to[%d]", i)
			judge(path, "calls", peerWorkload(s, egress.To[i].PHIWorkload))
			judge(path, "calls", servedBy(s, egress.To[i].Service))
		}
	}
	return findings
}

func peerWorkload(s *control.Subject, peer *hipaav1.PHIWorkloadPeer) *hipaav1.PHIWorkload {
	if peer == nil {
		return nil
	}
	return s.World.Workloads[types.NamespacedName{Namespace: cmp.Or(peer.Namespace, s.Workload.Namespace), Name: peer.Name}]
}

// servedBy is the first workload by name that a Service leads to, among those that
// are known.
func servedBy(s *control.Subject, peer *hipaav1.ServicePeer) *hipaav1.PHIWorkload {
	if peer == nil {
		return nil
	}
	service := s.World.Services[types.NamespacedName{Namespace: cmp.Or(peer.Namespace, s.Workload.Namespace), Name: peer.Name}]
	if service == nil || len(service.Spec.Selector) == 0 {
		return nil
	}
	var first *hipaav1.PHIWorkload
	for _, w := range s.World.Workloads {
		if w != nil && w.Namespace == service.Namespace && labels.SelectorFromSet(service.Spec.Selector).Matches(labels.Set(w.Spec.Selector.MatchLabels)) &&
			(first == nil || w.Name < first.Name) {
			first = w
		}
	}
	return first
}

// productionBeside are the workloads of production in the namespace, sorted.
func productionBeside(s *control.Subject) []string {
	beside := map[string]string{}
	for _, w := range s.World.Workloads {
		if w != nil && w.Namespace == s.Workload.Namespace && w.Name != s.Workload.Name && isProduction(w.Spec.Environment) {
			beside[w.Name] = ""
		}
	}
	return sortedLabels(beside)
}
