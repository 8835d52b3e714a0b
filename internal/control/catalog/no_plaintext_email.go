package catalog

import (
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "no-plaintext-email",
	Title:    "Send no mail that anybody on the way can read",
	Cites:    []hipaa.Citation{hipaa.TransmissionSecurity, hipaa.TransmissionEncryption},
	Severity: control.High,
	Since:    1,
	Why: "Appointment reminders, results and password resets leave by mail. SMTP is plaintext unless both sides agree otherwise, and " +
		"STARTTLS that is only offered is dropped without a word when somebody in between takes the offer out.",
	Remedy: "send by implicit TLS on port 465, or require STARTTLS",
	Decides: "Egress is closed but for what a PHIWorkload declares, which network-isolation holds; live, its declared flows to ports 25, 587 and 2525 are judged " +
		"here: they fail, and on 587 are Unknown, unless the settings of its pods require TLS for mail. Port 465 speaks TLS from the first byte " +
		"and passes. A vendor peer brings no ports, and its egress stays closed until the cluster has a path for vendors: it is no finding. At admission and " +
		"live, the settings of containers and the files in ConfigMaps: addresses of smtp:// (smtps:// passes), and variables that name a mail server (SMTP_HOST, " +
		"EMAIL_HOST, spring.mail.host) with those of the same words, in the same container or file, that speak of TLS (SMTP_SECURE, EMAIL_USE_TLS, MAIL_ENCRYPTION, " +
		"starttls.required). STARTTLS that is enabled and not required fails. A mail server with nothing about TLS beside it fails on " +
		"port 25 and 2525 and under Spring, whose default is plaintext, and is Unknown elsewhere, which refuses. Mail that is sent through a " +
		"vendor's HTTPS interface is not SMTP, and no finding here.",
	Parameters: []control.Parameter{{
		Path: "controls", Basis: control.BasisProfile,
		Meaning: "The mode of the control is the only setting: plaintext is plaintext whatever the profile.",
	}},
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
    - {name: SPRING_MAIL_HOST, value: smtp.example.org}
    - {name: SPRING_MAIL_PORT, value: "587"}
    - {name: SPRING_MAIL_PROPERTIES_MAIL_SMTP_STARTTLS_REQUIRED, value: "true"}
    - {name: SERVER_SERVLET_SESSION_TIMEOUT, value: 15m}
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`,
	Judges:    control.Pods | control.ConfigMaps | control.Workloads,
	Needs:     control.Settings,
	NeedsLive: control.FlowPeers,
	Check: func(s control.Subject) []control.Finding {
		m := &mail{}
		switch s.Kind() {
		case control.Pods:
			m.pod(s.Pod, s.World.ConfigMaps)
		case control.ConfigMaps:
			m.configMap(s.ConfigMap)
		case control.Workloads:
			m.flows(&s)
		default:
			return nil
		}
		return m.conclude()
	},
	Breaks: control.Breaks{
		"an address of SMTP in plaintext":            telling("MAILER_DSN", "smtp://mail.example.org:587"),
		"a mail server of Spring, and no TLS":        telling("SPRING_MAIL_HOST", "mail.example.org"),
		"a mail server, and no word about TLS":       telling("SMTP_HOST", "mail.example.org"),
		"a file that only offers STARTTLS":           holding("application.yaml", "spring:\n  mail:\n    host: mail.example.org\n    properties:\n      mail.smtp.starttls.enable: true\n"),
		"a declared flow to a mail server's port 25": {Kind: control.Workloads, Reported: true, Apply: declareMail},
	},
})

func declareMail(s *control.Subject) {
	s.Workload.Spec.Egress.To = append(s.Workload.Spec.Egress.To, hipaav1.EgressPeer{
		IPBlock: &hipaav1.IPBlockPeer{CIDR: "198.51.100.25/32", Reason: "the clinic's own mail server"},
		Ports:   []hipaav1.PeerPort{{Port: 25, Protocol: hipaav1.TransportTCP}},
	})
}

// mailServer is one as its clients' settings name it.
var mailServer = &database{"a mail server", []string{"smtp", "mail", "mailer", "email"}, nil,
	"send by implicit TLS on port 465 (smtps://), or require STARTTLS (starttls.required=true, EMAIL_USE_TLS=true, SMTP_SECURE=true)"}

// mail collects what one object says of sending mail.
type mail struct {
	findings []control.Finding
	local    bool
}

func (m *mail) conclude() []control.Finding {
	switch {
	case len(m.findings) > 0:
		return m.findings
	case m.local:
		return []control.Finding{control.NotApplicable("every mail server that it names is in the pod itself")}
	default:
		return []control.Finding{control.NotApplicable("it names no mail server")}
	}
}

func (m *mail) add(f control.Finding) {
	said := slices.ContainsFunc(m.findings, func(other control.Finding) bool { return other.Path == f.Path && other.Message == f.Message })
	if !said {
		m.findings = append(m.findings, keyed(m.findings, f))
	}
}

func (m *mail) pod(pod *corev1.Pod, known map[string]*corev1.ConfigMap) {
	for _, c := range control.Containers(&pod.Spec) {
		told := control.SettingsOf(c, known)
		if len(c.Command)+len(c.Args) > 0 {
			told = append(told, control.ArgumentsOf(control.CommandsOf(c))...)
		}
		m.settings(told, true)
	}
}

func (m *mail) configMap(config *corev1.ConfigMap) {
	entries := control.EntriesOf(config)
	var files, keys []control.Setting
	for _, e := range entries {
		if inFile(e) {
			files = append(files, e)
		} else {
			keys = append(keys, e)
		}
	}
	m.settings(files, true)
	m.settings(keys, false)
}

// settings judges what stands together. Where it is not all that the application is
// told, nothing is said of what is left open.
func (m *mail) settings(told []control.Setting, complete bool) {
	for _, s := range told {
		words, named := mailWords(s)
		address := strings.Contains(s.Value, "://")
		switch {
		case address:
			m.address(s, told, complete)
		case !named:
		case s.Origin == control.FromSecret && slices.Contains(addressWords, last(words)):
			m.add(control.Undecided(s.Path, "%s comes from a Secret, which the operator does not read", quoted(s.Name)).OnlyLive().
				But("keep the mail server and what it says about TLS in the open, and only the password in the Secret"))
		case s.Value == "" || !slices.Contains(serverWords, last(words)) || strings.Contains(s.Value, "@") || isSwitch(s.Value):
		case isLoopback(s.Value):
			m.local = true
		default:
			m.server(s, words, told, complete)
		}
	}
}

// mailWords takes the name of a setting apart that has a word of mail in it.
func mailWords(s control.Setting) (words []string, named bool) {
	if len(s.Name) > 256 || !containsFold(s.Name, "smtp", "mail") {
		return nil, false
	}
	words = wordsOf(s.Name)
	return words, share(words, mailServer.words)
}

// address judges smtp://host:port?parameters.
func (m *mail) address(s control.Setting, told []control.Setting, complete bool) {
	scheme, rest, _ := strings.Cut(s.Value, "://")
	base, how, _ := strings.Cut(strings.ToLower(scheme), "+")
	if base != "smtp" && base != "smtps" && base != "submission" && base != "submissions" {
		return
	}
	host, query := split(rest, mailServer)
	var grade tlsGrade
	switch {
	case isLocal(host, nil):
		m.local = true
		return
	case base == "smtps" || base == "submissions" || how == "tls" || how == "ssl" || how == "starttls" || strings.HasSuffix(host, ":465"):
		grade = tlsOn
	default:
		grade = parameters(query).first("requiretls", "tls", "ssl", "secure", "encryption", "starttls")
	}
	if grade == tlsUnsaid {
		grade = besideMail(told)
	}
	if grade == tlsUnsaid && complete {
		grade = tlsOff
	}
	m.asked(s, grade)
}

// server judges a setting that names a mail server.
func (m *mail) server(s control.Setting, words []string, told []control.Setting, complete bool) {
	grade, port := besideMail(told), portOfMail(s, told)
	switch {
	case port == "465":
		grade = best(grade, tlsOn)
	case grade != tlsUnsaid || !complete:
	case port == "25" || port == "2525" || slices.Contains(words, "spring"):
		grade = tlsOff
	default:
		m.add(control.Undecided(s.Path, "%s names a mail server, and nothing shows that TLS is required", quoted(s.Name)).But("%s", mailServer.remedy))
	}
	m.asked(s, grade)
}

func (m *mail) asked(s control.Setting, grade tlsGrade) {
	switch grade {
	case tlsUnsaid:
	case tlsOff:
		m.add(control.Failed(s.Path, "%s lets mail leave in plaintext", quoted(s.Name)).But("%s", mailServer.remedy))
	case tlsUnread:
		m.add(control.Undecided(s.Path, "%s requires TLS of its mail server in words that cannot be read here", quoted(s.Name)).But("%s", mailServer.remedy))
	default:
		m.add(control.Met(s.Path, "%s sends mail with TLS only", quoted(s.Name)))
	}
}

// besideMail is the best that settings say about TLS for mail. JavaMail's
// starttls.enable offers it, and starttls.required insists.
func besideMail(told []control.Setting) tlsGrade {
	var grade tlsGrade
	for _, s := range told {
		words, named := mailWords(s)
		if !named {
			continue
		}
		said, is := tlsSetting(words, s.Value, mailServer.words)
		switch {
		case !is:
		case said == tlsOn && slices.Contains(words, "starttls") && strings.HasPrefix(last(words), "enable"):
			grade = best(grade, tlsOff)
		default:
			grade = best(grade, said)
		}
	}
	return grade
}

// portOfMail is the port beside a mail server, or behind its name.
func portOfMail(server control.Setting, told []control.Setting) string {
	if _, port, found := strings.Cut(server.Value, ":"); found && !strings.Contains(port, ":") {
		return port
	}
	for _, s := range told {
		if words, named := mailWords(s); named && last(words) == "port" {
			return s.Value
		}
	}
	return ""
}

// flows judges what the workload declares to reach.
func (m *mail) flows(s *control.Subject) {
	if s.Workload == nil {
		return
	}
	required := m.isRequiredBy(s)
	for _, f := range flows.Of(s, s.Workload).Egress {
		if !f.Opens() {
			continue
		}
		for _, port := range f.Ports {
			if port.Protocol == corev1.ProtocolTCP {
				m.port(f.Path, port.First, required)
			}
		}
	}
}

func (m *mail) port(path string, number int32, required bool) {
	switch {
	case number == 465:
		m.add(control.Met(path, "leads to port 465, which speaks TLS from the first byte"))
	case number != 25 && number != 587 && number != 2525:
	case required:
		m.add(control.Met(path, "leads to port %s, and the settings of the pods require TLS there", strconv.Itoa(int(number))))
	case number == 587:
		m.add(control.Undecided(path, "leads to port 587, and nothing shows that STARTTLS is required there").OnlyLive().But("%s", mailServer.remedy))
	default:
		m.add(control.Failed(path, "leads to port %d, where mail is plaintext unless somebody insists", number).OnlyLive().But("%s", mailServer.remedy))
	}
}

// isRequiredBy reports whether settings of the workload's pods name a mail server,
// and none of them lets mail leave in plaintext.
func (*mail) isRequiredBy(s *control.Subject) bool {
	all := &mail{}
	for _, pod := range s.World.Pods {
		all.pod(pod, s.World.ConfigMaps)
		for _, config := range mountedConfigMaps(&pod.Spec, s.World.ConfigMaps) {
			all.configMap(config)
		}
	}
	return len(all.findings) > 0 &&
		!slices.ContainsFunc(all.findings, func(f control.Finding) bool { return f.Verdict != hipaav1.VerdictPass })
}
