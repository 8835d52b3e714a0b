package catalog

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// refusedUsers is what people are told of the safeguards that refused them.
var refusedUsers = config.UserRefusals{
	Identity:    config.Refusal{Control: "unique-user-identity", Citation: "45 CFR " + hipaa.UniqueUserIdentification.Paragraph},
	MultiFactor: config.Refusal{Control: "multi-factor-authentication", Citation: "45 CFR " + hipaa.EntityAuthentication.Paragraph},
	Session:     config.Refusal{Control: "automatic-logoff", Citation: "45 CFR " + hipaa.AutomaticLogoff.Paragraph},
	Lockout:     config.Refusal{Control: "login-lockout", Citation: "45 CFR " + hipaa.EntityAuthentication.Paragraph},
}

// unasked says why there is nothing to judge of how a workload's proxies ask for users;
// nil where the workload declares that they do.
func unasked(s *control.Subject) []control.Finding {
	if s.Workload == nil {
		return []control.Finding{control.NotApplicable("no PHIWorkload claims it")}
	}
	if s.Workload.Spec.Users != nil {
		return nil
	}
	if why := withoutPeople(s); why != nil {
		return []control.Finding{*why}
	}
	return unheard(s.Workload, []control.Finding{control.Undecided("spec.users", "is not there, so that proxies ask for nobody, and nothing shows whether the application does").
		But("name under spec.users a realm or gateway of the profile, whose people may call").OnlyLive()})
}

// unenforced says what keeps the proxies from asking for users as the workload declares;
// nil where nothing does.
func unenforced(s *control.Subject) []control.Finding {
	bare := 0
	for _, pod := range s.World.Pods {
		if !control.HasProxy(pod) {
			bare++
		}
	}
	switch {
	case s.World.Proxy == nil:
		return []control.Finding{control.Failed("spec.users", "asks for people, and the operator was installed without a proxy, so that nobody does").
			But("install it with proxy.enabled").OnlyLive()}
	case bare > 0:
		return []control.Finding{control.Failed("", "%d of %d pods have no proxy that asks for users", bare, len(s.World.Pods)).
			But("create them anew, so that admission gives them the proxy").OnlyLive()}
	case !control.AsksUsers(s.Workload):
		return []control.Finding{control.Undecided("", "what its proxies go by does not ask for users yet").
			But("wait: the operator seals it as soon as it can; condition FlowsResolved says what keeps it").OnlyLive()}
	default:
		return nil
	}
}

// userRoutes are the routes of a workload with their paths in it; the last is what no
// route matches.
func userRoutes(says *hipaav1.WorkloadUsers) (routes []hipaav1.UserRoute, paths []string) {
	for i := range says.Routes {
		routes, paths = append(routes, says.Routes[i]), append(paths, fmt.Sprintf("spec.users.routes[%d]", i))
	}
	return append(routes, hipaav1.UserRoute{}), append(paths, "spec.users")
}

// hasRequests reports whether a port speaks what proxies see users in.
func hasRequests(p *hipaav1.WorkloadPort) bool { return p.Protocol != hipaav1.PortProtocolTCP }

// breaksUsers breaks what the workload declares of its users.
func breaksUsers(apply func(*hipaav1.WorkloadUsers)) control.Break {
	return control.Break{Kind: control.Workloads, Apply: func(s *control.Subject) { apply(s.Workload.Spec.Users) }}
}

// What every control of users finds against a workload.
var (
	saysNothingOfPeople = live(func(s *control.Subject) { s.Workload.Spec.Users = nil })
	asksNobodyYet       = live(func(s *control.Subject) { s.Workload.Status.Proxy.Users = "" })
	podsWithoutProxies  = live(func(s *control.Subject) {
		for i, pod := range s.World.Pods {
			s.World.Pods[i] = pod.DeepCopy()
			s.World.Pods[i].Spec.InitContainers = []corev1.Container{}
		}
	})
	withoutAProxy = live(func(s *control.Subject) { s.World.Proxy = nil })
)

// exampleUsers is a workload whose people come by a realm and have more than one factor.
const exampleUsers = `apiVersion: hipaa-operator.io/v1alpha1
kind: PHIWorkload
metadata: {name: patient-api, namespace: ehr}
spec:
  selector: {matchLabels: {app: patient-api}}
  continuity: PatientCare
  owner: {team: clinical-apps, contacts: [clinical-apps@example.org]}
  dataClasses: [Clinical]
  ports: [{name: http, port: 8080, protocol: HTTP}]
  access: {from: [{gateway: {name: ingress-nginx}}]}
  users:
    realms: [staff]
    routes:
    - {name: static, paths: [/static/*], methods: [GET], who: Nobody}
    - {name: inbox, paths: [/api/inbox/unread], activity: Polling}
`
