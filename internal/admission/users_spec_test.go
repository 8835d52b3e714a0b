package admission_test

import (
	"os"
	"path/filepath"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

var _ = Describe("A PHIWorkload that says who its users are", func() {
	var ns string
	BeforeEach(func(ctx SpecContext) { ns = namespace(ctx, "enforce") })
	with := func(change func(*hipaav1.WorkloadUsers)) *hipaav1.PHIWorkload {
		w := phitest.Workload("chart").Namespace(ns).Port("http", 8080).Users("staff").Obj()
		change(w.Spec.Users)
		return w
	}

	It("is refused where no profile has the realm, and where one factor is enough", func(ctx SpecContext) {
		Expect(as("tess@example.org").Create(ctx, with(func(u *hipaav1.WorkloadUsers) { u.Factors = hipaav1.FactorDemandOne }))).To(MatchError(And(
			ContainSubstring("unique-user-identity"), ContainSubstring(`spec.users.realms[0] is "staff", which no profile has`),
			ContainSubstring("multi-factor-authentication"), ContainSubstring("spec.users.factors is One"),
		)))
	})

	It("is refused by the API server where it contradicts itself", func(ctx SpecContext) {
		route := func(r hipaav1.UserRoute) func(*hipaav1.WorkloadUsers) {
			r.Name, r.Paths = "a", []string{"/a"}
			return func(u *hipaav1.WorkloadUsers) { u.Routes = []hipaav1.UserRoute{r} }
		}
		for message, change := range map[string]func(*hipaav1.WorkloadUsers){
			"somebody has to know the users":    func(u *hipaav1.WorkloadUsers) { u.Realms = nil },
			"belongs to who Machines or Anyone": route(hipaav1.UserRoute{Who: hipaav1.RoutePrincipalsMachines}),
			"has no people, of whom factors":    route(hipaav1.UserRoute{Who: hipaav1.RoutePrincipalsNobody, Factors: hipaav1.FactorDemandOne}),
			"is the name of what no route matches": func(u *hipaav1.WorkloadUsers) {
				u.Routes = []hipaav1.UserRoute{{Name: "everything-else", Paths: []string{"/a"}}}
			},
			"goes together with knowBy Store": func(u *hipaav1.WorkloadUsers) {
				u.Replicas = &hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeStore}
			},
			"goes together with knowBy StickyRouting": func(u *hipaav1.WorkloadUsers) {
				u.Replicas = &hipaav1.ReplicaSessions{KnowBy: hipaav1.ReplicaKnowledgeSticky}
			},
			"should match":                       func(u *hipaav1.WorkloadUsers) { u.Routes = []hipaav1.UserRoute{{Name: "a", Paths: []string{"/a/*/b"}}} },
			"goes together with subject":         route(hipaav1.UserRoute{Who: hipaav1.RoutePrincipalsAnyone, Machines: []hipaav1.RouteMachine{{PHIWorkload: &hipaav1.PHIWorkloadPeer{Name: "a"}, Realm: "staff"}}}),
			"is of people, and who are machines": route(hipaav1.UserRoute{Who: hipaav1.RoutePrincipalsMachines, SignIn: hipaav1.SignInApplication, Machines: []hipaav1.RouteMachine{{Realm: "staff", Subject: "a"}}}),
		} {
			Expect(admin.Create(ctx, with(change), client.DryRunAll)).To(MatchError(ContainSubstring(message)))
		}
	})

	It("stands as the sample has it, where the profile of the sample does", func(ctx SpecContext) {
		read := func(name string, into client.Object) {
			text, err := os.ReadFile(filepath.Join("..", "..", "config", "samples", "people", name+".yaml"))
			Expect(err).NotTo(HaveOccurred())
			first, _, _ := strings.Cut(string(text), "\n---\n")
			Expect(yaml.UnmarshalStrict([]byte(first), into)).To(Succeed())
		}
		profile := &hipaav1.ComplianceProfile{}
		read("identity", profile)
		Expect(admin.Create(ctx, profile)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, profile)).To(Succeed()) })
		vendor := &hipaav1.Vendor{}
		read(filepath.Join("..", "vendor"), vendor)
		Expect(admin.Create(ctx, vendor)).To(Succeed())
		DeferCleanup(func(ctx SpecContext) { Expect(admin.Delete(ctx, vendor)).To(Succeed()) })
		for _, name := range []string{"sessions", "chart"} {
			w := &hipaav1.PHIWorkload{}
			read(name, w)
			w.Namespace = ns
			Eventually(func() error { return as("tess@example.org").Create(ctx, w.DeepCopy()) }).Should(Succeed())
		}
		other := &hipaav1.PHIWorkload{}
		read("chart", other)
		other.Namespace, other.Name, other.Spec.Users.Routes[0].Paths[0] = ns, "other", "/*"
		other.Spec.Selector.MatchLabels = map[string]string{"app": "other"}
		Expect(as("tess@example.org").Create(ctx, other)).To(MatchError(ContainSubstring("is open to nobody in particular")))
	})
})
