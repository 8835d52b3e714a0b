package catalog

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "no-embedded-credentials",
	Title:    "Keep credentials out of what everybody can read",
	Cites:    []hipaa.Citation{hipaa.EntityAuthentication, hipaa.AccessControl},
	Severity: control.Critical,
	Since:    1,
	Why: "A password in a variable, an argument or a ConfigMap stands in Git, in backups and in the terminal of everybody who may look at " +
		"pods. It belongs to nobody, is never changed, and whoever holds it is taken for the application.",
	Remedy: "put it into a Secret and name it with valueFrom.secretKeyRef, or mount it as a file; then change it, for it has been seen",
	Decides: "At admission and live: the environment, command and args of every container, and every ConfigMap, its files line by line. Three " +
		"things are found: a literal value under a name that holds a credential (PASSWORD, TOKEN, CLIENT_SECRET, API_KEY, requirepass); a " +
		"password inside an address, a connection string, SQL or the flags of known programs; and what has the form of a known service's " +
		"credential by the rules of gitleaks, or of a private key. No finding are references (${NAME}, vault:...), paths, empty values, " +
		"switches, and names that describe one (PASSWORD_FILE, TOKEN_TTL, PASSWORD_MIN_LENGTH). Findings never quote a value. A projected " +
		"ServiceAccount token that lasts longer than a day fails as well, and a Secret of type kubernetes.io/service-account-token, into which the " +
		"cluster puts a token that never ends: at admission, where it is made and where it is told of another ServiceAccount. The operator reads no " +
		"Secrets: of those from before the profile has to state that somebody has looked through them, and where the mode is not Enforce, so that new ones " +
		"are not refused, the verdict is Unknown all the same. " +
		"Of binaryData of ConfigMaps what is text is read. Where the profile asks for it, only live: each Secret that " +
		"the workload's pods take variables or files from is the target of an ExternalSecret (External Secrets Operator) that is Ready and makes " +
		"it, one that a SecretProviderClass (Secrets Store CSI driver) keeps in step, or the certificate of cert-manager. Of any other, and where " +
		"these CRDs are not there, it cannot be seen where it comes from: Unknown. Pull secrets of images are not asked about.",
	Parameters: []control.Parameter{{
		Path: "controls", Basis: control.BasisProfile,
		Meaning: "The mode of the control: what is a credential does not depend on the profile.",
	}, {
		Path: "access.secretSource", Basis: control.BasisProfile,
		Meaning: "External asks that Secrets come from a manager outside the cluster; Any, also where no profile says it, does not. The rule asks to " +
			"safeguard passwords and names no keeper of them.",
	}, secretsReviewed},
	Example: `apiVersion: v1
kind: Pod
metadata: {name: patient-api, namespace: ehr, labels: {app: patient-api}}
spec:
  serviceAccountName: patient-api
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
  - name: app
    image: registry.example.org/patient-api:1.0.0
    env:
    - {name: DATABASE_PASSWORD_FILE, value: /run/credentials/password}
    - name: EPRESCRIBE_TOKEN
      valueFrom: {secretKeyRef: {name: eprescribe, key: token}}
    - {name: SERVER_SERVLET_SESSION_TIMEOUT, value: 15m}
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
    volumeMounts: [{name: credentials, mountPath: /run/credentials, readOnly: true}]
  volumes:
  - name: credentials
    secret: {secretName: patient-api-database}
`,
	Reports:   append([]control.ReportType{{ResourceType: secretProviderClasses, Trim: trimProviderClass}}, externalSecretReports...),
	Judges:    control.Pods | control.ConfigMaps | control.Secrets | control.Workloads,
	NeedsLive: control.Reports,
	Check: func(s control.Subject) []control.Finding {
		e := &embedded{}
		switch s.Kind() {
		case control.Workloads:
			return append(sourced(&s), reviewed(&s))
		case control.Secrets:
			return tokenKept(s.Secret)
		case control.Pods:
			e.pod(&s.Pod.Spec)
		case control.ConfigMaps:
			e.configMap(s.ConfigMap)
		}
		return e.findings
	},
	Satisfy:  stateReview,
	Backstop: tokenBackstop,
	Breaks: control.Breaks{
		"nobody has looked through the Secrets from before": live(notReviewed),
		"a password in a variable":                          telling("DATABASE_PASSWORD", "correct horse"),
		"a token in an argument":                            running("app", "--api-token=4f9a1c77d2"),
		"a password in an address":                          telling("QUEUE", "amqps://app:hunter2@queue.ehr.svc/v?verify=verify_peer"),
		"a token of GitHub under any name":                  telling("NOTE", "ghp_"+"x7Kq2Lm9Zt4Rw8Yb3Nc6Vd1Fg5Hj0PaSeUiO"),
		"a password in a script":                            running("sh", "-c", "REDIS_PASSWORD=hunter2 exec app"),
		"a password in a file of a ConfigMap":               holding("application.properties", "server.port=8080\nspring.datasource.password=hunter2\n"),
		"a password in SQL":                                 holding("init.sql", "-- users\nCREATE USER app IDENTIFIED BY 'hunter2';\n"),
		"a private key in a ConfigMap":                      holding("tls.key", "-----BEGIN "+"PRIVATE KEY-----\nMIIEvQIBADANBg\n-----END PRIVATE KEY-----\n"),
		"a ServiceAccount token that lasts long":            {Kind: control.Pods, Apply: lastingToken},
		"a Secret for a ServiceAccount token":               {Kind: control.Secrets, Apply: askForToken},
		"a Secret that no external manager makes":           takingFrom(),
		"a Secret that an ExternalSecret did not make yet":  takingFrom(externalSecret("eprescribe", "Owner", "False")),
		"a Secret to which an ExternalSecret only adds":     takingFrom(externalSecret("eprescribe", "Merge", "True")),
	},
})

func lastingToken(s *control.Subject) {
	year := int64(365 * 24 * 60 * 60)
	s.Pod.Spec.Volumes = append(s.Pod.Spec.Volumes, corev1.Volume{Name: "token", VolumeSource: corev1.VolumeSource{
		Projected: &corev1.ProjectedVolumeSource{Sources: []corev1.VolumeProjection{
			{ServiceAccountToken: &corev1.ServiceAccountTokenProjection{Path: "token", ExpirationSeconds: &year}},
		}},
	}})
}

// embedded collects what one object gives away.
type embedded struct {
	findings []control.Finding
	budget   searchBudget
}

func (e *embedded) add(path, format string, args ...any) {
	f := control.Failed(path, "%s", fmt.Sprintf(format, args...))
	said := slices.ContainsFunc(e.findings, func(other control.Finding) bool { return other.Path == path && other.Message == f.Message })
	if !said {
		e.findings = append(e.findings, keyed(e.findings, f))
	}
}

// setting judges one name and its value.
func (e *embedded) setting(path, name, value string) bool {
	switch holds := holderOf(name); {
	case holds != notHeld && isLiteral(value, holds):
		e.add(path, "%q holds a literal credential", name)
	case hasPassword(value):
		e.add(path, "%s has a password in it", orValue(name))
	case isPrivateKey(value):
		e.add(path, "%s is a private key", orValue(name))
	default:
		rule := e.budget.tokenIn(name, value)
		if rule == "" {
			return false
		}
		e.add(path, "%s has the form of a credential (%s)", orValue(name), rule)
	}
	return true
}

func orValue(name string) string {
	if name == "" {
		return "a value"
	}
	return fmt.Sprintf("%q", name)
}

func (e *embedded) pod(spec *corev1.PodSpec) {
	for _, c := range control.Containers(spec) {
		for i := range c.Env {
			if v := &c.Env[i]; v.Value != "" {
				e.setting(c.Path+".env["+strconv.Itoa(i)+"]", v.Name, v.Value)
			}
		}
		if len(c.Command)+len(c.Args) > 0 {
			e.commands(control.CommandsOf(c))
		}
	}
	for i := range spec.Volumes {
		e.tokens(fmt.Sprintf("spec.volumes[%d]", i), spec.Volumes[i].Projected)
	}
	e.exhausted("spec.containers")
}

func (e *embedded) commands(commands []control.Command) {
	for _, s := range control.ArgumentsOf(commands) {
		e.setting(s.Path, s.Name, s.Value)
	}
	for _, command := range commands {
		if program := flagged(command.Words); program != "" {
			e.add(command.Path, "%s is given a literal credential", program)
		}
		for _, word := range command.Words {
			if rule := e.budget.tokenIn("", word); rule != "" {
				e.add(command.Path, "a word has the form of a credential (%s)", rule)
			}
		}
	}
}

// flags of known programs that take a credential. One that ends in * has the value
// attached.
var flagsOfCredentials = map[string][]string{
	"redis-cli": {"-a", "--pass"}, "valkey-cli": {"-a", "--pass"}, "redis-server": {"--requirepass", "--masterauth"},
	"curl": {"-u", "--user"}, "sshpass": {"-p", "-p*"}, "mongosh": {"-p"}, "mongo": {"-p"}, "mongodump": {"-p"}, "sqlcmd": {"-P"},
	"mysql": {"-p*"}, "mysqldump": {"-p*"}, "mysqladmin": {"-p*"}, "mariadb": {"-p*"}, "mariadb-dump": {"-p*"},
}

// flagged names the program of a command whose flags hold a credential.
func flagged(words []string) string {
	at := slices.IndexFunc(words, func(word string) bool { return flagsOfCredentials[path.Base(word)] != nil })
	if at < 0 {
		return ""
	}
	program := path.Base(words[at])
	for i, word := range words[at+1:] {
		for _, flag := range flagsOfCredentials[program] {
			value := ""
			if attached, is := strings.CutSuffix(flag, "*"); is {
				value, _ = strings.CutPrefix(word, attached)
				if value == word {
					continue
				}
			} else if word == flag && at+2+i < len(words) {
				value = words[at+2+i]
			}
			if program == "curl" {
				_, value, _ = strings.Cut(value, ":")
			}
			if isLiteral(value, heldPassword) && value[0] != '-' {
				return program
			}
		}
	}
	return ""
}

// longestToken is what a projected ServiceAccount token may last. It is renewed
// long before its end, so nothing is gained by more.
const longestToken = 24 * 60 * 60

func (e *embedded) tokens(path string, projected *corev1.ProjectedVolumeSource) {
	if projected == nil {
		return
	}
	for i := range projected.Sources {
		token := projected.Sources[i].ServiceAccountToken
		if token != nil && token.ExpirationSeconds != nil && *token.ExpirationSeconds > longestToken {
			at := fmt.Sprintf("%s.projected.sources[%d].serviceAccountToken.expirationSeconds", path, i)
			f := control.Failed(at, "asks for a ServiceAccount token that lasts longer than a day").
				But("ask for 3600: the kubelet renews the token long before it ends")
			e.findings = append(e.findings, f)
		}
	}
}

func (e *embedded) configMap(m *corev1.ConfigMap) {
	found := map[string]bool{}
	for _, s := range control.EntriesOf(m) {
		if e.setting(s.Path, s.Name, s.Value) {
			found[s.Path] = true
		} else if what := statement(s.Name, s.Value); what != "" {
			e.add(s.Path, "%s holds a literal credential", what)
			found[s.Path] = true
		}
	}
	e.lines(m, found)
	e.exhausted("data")
}

// exhausted says where not everything was looked at.
func (e *embedded) exhausted(path string) {
	if e.budget.spent > searchLimit {
		e.findings = append(e.findings, control.Undecided(path, "holds more that looks like tokens than can be looked through").
			But("put what is generated into a file of its own, outside ConfigMaps and variables"))
	}
}
