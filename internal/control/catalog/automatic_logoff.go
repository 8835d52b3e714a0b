package catalog

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var _ = add(control.Control{
	ID:       "automatic-logoff",
	Title:    "End sessions that nobody uses",
	Cites:    []hipaa.Citation{hipaa.AutomaticLogoff},
	Severity: control.Medium,
	Since:    1,
	Why: "Somebody is called away from a screen on a ward, and the next who passes by reads on. A session has to end by itself after a " +
		"time without use; that its connection is closed, or its token renewed, is something else.",
	Remedy: "set the application's own limit for unused sessions to what the profile allows",
	Decides: "At admission and live: settings of known applications in the environment, command and args, and in files of the ConfigMaps that the pod mounts " +
		"(Spring, Keycloak realms, Grafana, Kibana, oauth2-proxy, Argo CD, phpMyAdmin, Laravel, Django, Tomcat, pgAdmin, Jenkins, Guacamole, Mirth, OpenShift, " +
		"sshd, shells), and SESSION_IDLE_TIMEOUT and SESSION_ABSOLUTE_TIMEOUT for those of your own; options in JENKINS_OPTS, JAVA_OPTS and their like are read as arguments. " +
		"Each is an idle limit, an absolute one, or a limit of connections, in its own unit. An idle limit longer than the profile's, or none, fails, and so does an " +
		"absolute one. Only an idle limit passes. Limits of connections (keepalive_timeout, proxy_read_timeout, ClientAliveInterval, wait_timeout) and renewals " +
		"(cookie-refresh) never count. Jenkins has two, sessionTimeout and sessionEviction, of which the shorter ends a session; an eviction of -1 or 0 ends none that goes on, and leaves it to the other. " +
		"Realms that the Keycloak operator imports (KeycloakRealmImport) and those of Crossplane's Keycloak provider are judged themselves: ssoSessionIdleTimeout, " +
		"ssoSessionMaxLifespan, and those for people who are remembered; where one is left out Keycloak's own counts, 30m and 10h. Limits for people who are remembered count where the realm says rememberMe, in its file as well. Limits of clients only shorten them. " +
		"A realm that was changed in Keycloak's own console, or declared nowhere, is not seen, and one that serves no namespace in particular passes for none. " +
		"Realms are held to the limits of the profiles: a PHIWorkload's own shorter ones are those of its pods. " +
		"Every Keycloak has realm master, of 30m where nobody sets it: its pods are Unknown live until that is declared too, by Crossplane's provider, since an import leaves it alone. " +
		"Where a PHIWorkload declares spec.users, its proxies lock a session at the profile's limits: that passes for a pod that has its proxy and a sealed configuration " +
		"that asks for users, though nothing of the application's own is seen; what the application is told to do longer fails all the same. With several " +
		"replicas it fails unless they know of each other's sessions by a store (Observed) or are stated to have each user by themselves (spec.users.replicas; Attested). A route " +
		"that is a MonitoringStream fails unless the profile takes the team's word for it. " +
		"Where no idle limit is found the verdict is Unknown live, and nothing is refused: the application may have " +
		"one in its image or its database, as OpenEMR has; the remedy says where to look. A workload that keeps data (role DataStore) or runs to completion (role Job) has no sessions of people, " +
		"one that no gateway and no address range may call has callers that keep them: these are not applicable. Nor is one that states that it serves machines alone, or a stream " +
		"of monitors that must not end (session.serves of the PHIWorkload, with a reason; Attested), where the profile takes the team's word (session.withoutPeople: Stated); " +
		"by default it is judged like any other, and its findings say why. A PHIWorkload can shorten the limits by its own session, and " +
		"not lengthen them; limits for each role of people inside an application are not judged. Where the profile asks for it (session.settings: Complete), new " +
		"pods of Grafana, Kibana, HAPI FHIR, Guacamole and pgAdmin that say nothing of a limit are told the profile's, by the variable that their images " +
		"document; not where a Secret might say it, not where care depends on the workload, and not where it states that no people are served. Of other images nothing shows which variable they read.",
	Parameters: []control.Parameter{
		{
			Path: "session.idleTimeout", Basis: control.BasisProfile,
			Meaning: "How long a session may go unused. The regulation asks for a predetermined time and names none. Default 15m.",
		},
		{
			Path: "session.absoluteTimeout", Basis: control.BasisProfile,
			Meaning: "How long a session may last however much it is used, where the application has such a limit. Default 12h.",
		},
		{
			Path: "session.settings", Basis: control.BasisProfile,
			Meaning: "Complete tells new pods of known applications the idle limit where they say nothing of one. Never where care depends on the workload. Default AsDeclared.",
		},
		{
			Path: "session.withoutPeople", Basis: control.BasisProfile,
			Meaning: "Stated takes a team's word that its workload serves machines alone, or a stream of monitors. Every profile that sets session has to say it. Default Judged.",
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
    env:
    - {name: SERVER_SERVLET_SESSION_TIMEOUT, value: 15m}
    securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`,
	Resources: []control.ResourceType{realmImports, crossplaneRealm},
	Judges:    control.Pods | control.Resources | control.Workloads,
	Needs:     control.Settings,
	NeedsLive: control.Infrastructure,
	Check: func(s control.Subject) []control.Finding {
		switch why := withoutPeople(&s); {
		case s.Resource != nil:
			return checkRealm(s.Profile.Session.Shared(), s.Resource) // people sign in there, whoever serves them then
		case s.Kind() == control.Workloads:
			return checkReplicas(&s)
		case s.Pod == nil:
			return nil
		case why != nil:
			return []control.Finding{*why}
		default:
			return unheard(s.Workload, checkSessions(&s))
		}
	},
	Mutate: func(s control.Subject, pod *corev1.Pod) {
		if s.Profile.Session.Settings == hipaav1.SessionSettingsComplete {
			completeLimits(&s, pod)
		}
	},
	Satisfy: func(s *control.Subject) {
		pods := s.World.Pods
		if s.Pod != nil {
			pods = append(slices.Clone(pods), s.Pod)
		}
		limit := corev1.EnvVar{Name: "SERVER_SERVLET_SESSION_TIMEOUT", Value: "15m"}
		for _, pod := range pods {
			if first := &pod.Spec.Containers[0]; !slices.ContainsFunc(first.Env, func(e corev1.EnvVar) bool { return e.Name == limit.Name }) {
				first.Env = append(first.Env, limit)
			}
		}
		declareResource(s, realmImport(s.Namespace.Name, map[string]any{"ssoSessionIdleTimeout": int64(900)}))
	},
	Breaks: control.Breaks{
		"an idle limit that is too long":                telling("SERVER_SERVLET_SESSION_TIMEOUT", "60m"),
		"an idle limit that is switched off":            telling("SERVER_SERVLET_SESSION_TIMEOUT", "-1"),
		"an idle limit in minutes that is too long":     telling("SESSION_LIFETIME", "120"),
		"an absolute limit that is too long":            running("oauth2-proxy", "--cookie-expire=168h"),
		"an idle limit that cannot be read":             telling("SESSION_IDLE_TIMEOUT", "a while"),
		"an idle limit of a month":                      telling("GF_AUTH_LOGIN_MAXIMUM_INACTIVE_LIFETIME_DURATION", "1M"),
		"an idle limit of Kibana that is too long":      telling("XPACK_SECURITY_SESSION_IDLETIMEOUT", "1h"),
		"a limit among the options of Jenkins":          telling("JENKINS_OPTS", "--httpPort=8080 --sessionTimeout=1440"),
		"a realm of Keycloak whose limit is too long":   breaksResource(realmImport("ehr", map[string]any{"ssoSessionIdleTimeout": int64(3600)})),
		"a realm of Keycloak that leaves the limit out": breaksResource(realmImport("ehr", nil)),
		"a realm of Keycloak that lasts too long": breaksResource(realmImport("ehr", map[string]any{
			"ssoSessionIdleTimeout": int64(900), "ssoSessionMaxLifespan": int64(86400),
		})),
		"a realm of Keycloak that remembers people for too long": breaksResource(realmImport("ehr", map[string]any{
			"ssoSessionIdleTimeout": int64(900), "rememberMe": true, "ssoSessionIdleTimeoutRememberMe": int64(604800),
		})),
		"a realm of Crossplane whose limit is too long": breaksResource(crossplaneRealmWith("30m0s")),
		"replicas that know nothing of each other's sessions": live(func(s *control.Subject) {
			s.Workload.Spec.Users.Replicas, s.Workload.Status.Proxy.Users = nil, hipaav1.UserAskingEachReplica
		}),
		"a stream that no limit ends": live(func(s *control.Subject) {
			s.Workload.Spec.Users.Routes = []hipaav1.UserRoute{{Name: "ward", Paths: []string{"/ward/*"}, Activity: hipaav1.RouteActivityMonitoringStream}}
		}),
	},
})

// withoutPeople says why a workload has no sessions of people; nil where it may.
func withoutPeople(s *control.Subject) *control.Finding {
	w := s.Workload
	if w == nil {
		return nil
	}
	taken := s.Profile.Session.WithoutPeople == hipaav1.SessionsWithoutPeopleStated
	var why control.Finding
	switch serves := principalsOf(w); {
	case w.Spec.Role == hipaav1.RoleDataStore:
		why = control.NotApplicable("it keeps data for other workloads, which keep the sessions of people")
	case w.Spec.Role == hipaav1.RoleJob:
		why = control.NotApplicable("it runs to completion, and nobody has a session with it")
	case w.Spec.Users == nil && (w.Spec.Access == nil || !slices.ContainsFunc(w.Spec.Access.From, fromPeople)):
		why = control.NotApplicable("no gateway and no address range may call it: the sessions of people are its callers'")
	case taken && serves == hipaav1.SessionPrincipalsMachines:
		why = control.NotApplicable("spec.session of its PHIWorkload states that it serves machines alone").Known(hipaav1.EvidenceAttested)
	case taken && serves == hipaav1.SessionPrincipalsMonitoringStream:
		why = control.NotApplicable("spec.session of its PHIWorkload states that it is a stream of monitors, which must not end").Known(hipaav1.EvidenceAttested)
	default:
		return nil
	}
	return &why
}

// principalsOf says who has sessions with a workload, by its team's word.
func principalsOf(w *hipaav1.PHIWorkload) hipaav1.SessionPrincipals {
	if w == nil || w.Spec.Session == nil {
		return hipaav1.SessionPrincipalsPeople
	}
	return cmp.Or(w.Spec.Session.Serves, hipaav1.SessionPrincipalsPeople)
}

// unheard adds to what is against a workload that its team's word was not taken.
func unheard(w *hipaav1.PHIWorkload, findings []control.Finding) []control.Finding {
	if principalsOf(w) == hipaav1.SessionPrincipalsPeople {
		return findings
	}
	for i := range findings {
		if v := findings[i].Verdict; v == hipaav1.VerdictFail || v == hipaav1.VerdictUnknown {
			findings[i].Message += "; that no people are served is its team's word, which the profile does not take"
		}
	}
	return findings
}

func fromPeople(from hipaav1.AccessPeer) bool { return from.Gateway != nil || from.IPBlock != nil }

// sessions collects what a pod says of the sessions that people have with it.
type sessions struct {
	limits    control.SessionParameters
	findings  []control.Finding
	idle      bool
	transport string
}

func checkSessions(s *control.Subject) []control.Finding {
	t := &sessions{limits: s.Profile.Session}
	for _, c := range control.Containers(&s.Pod.Spec) {
		for _, setting := range endsFirst(toldOf(c, s.World.ConfigMaps)) {
			t.setting(setting)
		}
	}
	for _, named := range mountedConfigMaps(&s.Pod.Spec, s.World.ConfigMaps) {
		for _, entry := range withoutUnremembered(control.EntriesOf(named)) {
			entry.Path = "ConfigMap/" + named.Name + " " + entry.Path
			t.setting(entry)
		}
	}
	proxied := byProxy(s)
	switch realms := signsIn(s); {
	case proxied != nil:
		t.findings = append(t.findings, *proxied)
	case t.idle:
	case realms != nil:
		t.findings = append(t.findings, *realms)
	default:
		t.findings = append(t.findings, t.unknown(s).OnlyLive())
	}
	return t.findings
}

// toldOf lists what a container is told by variables, by the options in them, and by
// arguments.
func toldOf(c control.Container, known map[string]*corev1.ConfigMap) []control.Setting {
	var told []control.Setting
	for _, setting := range control.SettingsOf(c, known) {
		told = append(append(told, setting), optionsIn(setting)...)
	}
	if len(c.Command)+len(c.Args) > 0 {
		told = append(told, control.ArgumentsOf(control.CommandsOf(c))...)
	}
	return told
}

// unknown is the finding where nothing says when an unused session ends.
func (t *sessions) unknown(s *control.Subject) control.Finding {
	f := control.Undecided("spec.containers", "nothing shows when a session ends that nobody uses")
	if t.transport != "" {
		f = control.Undecided("spec.containers", "nothing shows when a session ends that nobody uses: %q ends connections", t.transport)
	}
	for i := range s.Pod.Spec.Containers {
		for part, remedy := range remediesByImage {
			if strings.Contains(s.Pod.Spec.Containers[i].Image, part) {
				return f.But("%s to at most %s", remedy, spoken(t.limits.Idle()))
			}
		}
	}
	return f.But("set the application's idle limit, such as SERVER_SERVLET_SESSION_TIMEOUT for Spring or SESSION_IDLE_TIMEOUT for one of your own, to at most %s",
		spoken(t.limits.Idle()))
}

// setting judges one that is known.
func (t *sessions) setting(s control.Setting) {
	if !containsFold(s.Name, "time", "session", "life", "age", "expir", "ttl", "tmout", "refresh", "alive", "inactiv", "validity") {
		return
	}
	known := sessionSettingOf(s.Name)
	if known == nil {
		return
	}
	limit, said := limitOf(channelsIn(s.Value), known.unit)
	switch {
	case known.kind == noLimit:
	case known.kind == transportLimit:
		t.transport = s.Name
	case s.Origin == control.FromSecret || s.Origin == control.Unread || !said:
		t.idle = t.idle || known.kind == idleLimit
		t.add(control.Undecided(s.Path, "%q is %s that cannot be read here", s.Name, known.kind).
			But("write it as a number of the unit that the application takes, in the open"))
	case known.kind == rememberedIdle || known.kind == rememberedAbsolute:
		t.remembered(s, known.kind, limit)
	case known.kind == absoluteLimit:
		t.judge(s, known.kind, limit, t.limits.Absolute())
	default:
		t.idle = true
		t.judge(s, known.kind, limit, t.limits.Idle())
	}
}

// remembered judges a limit for people who ask to be remembered. Zero leaves them the
// one of the others.
func (t *sessions) remembered(s control.Setting, kind limitKind, limit time.Duration) {
	switch {
	case limit <= 0:
	case kind == rememberedAbsolute:
		t.judge(s, absoluteLimit, limit, t.limits.Absolute())
	default:
		t.judge(s, idleLimit, limit, t.limits.Idle())
	}
}

func (t *sessions) judge(s control.Setting, kind limitKind, limit, most time.Duration) {
	switch {
	case limit <= 0:
		t.add(control.Failed(s.Path, "%q is %s that is turned off, and the profile asks for %s", s.Name, kind, spoken(most)))
	case limit > most:
		t.add(control.Failed(s.Path, "%q is %s of %s, and the profile asks for %s", s.Name, kind, spoken(limit), spoken(most)))
	default:
		t.add(control.Met(s.Path, "%q is %s of %s", s.Name, kind, spoken(limit)))
	}
}

func (t *sessions) add(f control.Finding) {
	said := slices.ContainsFunc(t.findings, func(other control.Finding) bool { return other.Path == f.Path && other.Message == f.Message })
	if !said {
		t.findings = append(t.findings, keyed(t.findings, f))
	}
}

// spoken is a duration as people write it: 15m and not 15m0s.
func spoken(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// String is how a finding calls the kind.
func (k limitKind) String() string {
	if k == absoluteLimit || k == rememberedAbsolute {
		return "an absolute limit"
	}
	return "an idle limit"
}
