package node_test

import (
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/issuer"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
	"github.com/hipaa-operator/hipaa-operator/internal/pki"
)

const (
	recordsImage  = "localcluster.local/records:1"
	postgresImage = "localcluster.local/postgres:1"
	trustDomain   = "cluster.local"
	// record is what nobody on the way may read.
	record   = "MRN 00482913 Roe, Jane: HIV-1 RNA 41,000 copies/mL"
	password = "correct horse battery staple"
	schema   = "CREATE TABLE patients (id text PRIMARY KEY, record text NOT NULL);\n\n" +
		"INSERT INTO patients VALUES ('7', '" + record + "');\n\n"
)

// supplied gives the node the images of the applications.
var supplied = sync.OnceFunc(func() {
	importImage("--name", recordsImage, filepath.Join(os.Getenv(images), "records"))
	importImage("--archive", postgresArchive())
})

func postgresArchive() string { return filepath.Join(os.Getenv(images), "postgres.tar") }

// part is one application of a town and its PHIWorkload.
type part struct {
	*hipaav1.PHIWorkload
	pod      *corev1.Pod
	service  *corev1.Service
	replicas int32
}

// town is a few PHI workloads that call each other, in a namespace whose profile says whether
// the operator gives them proxies.
type town struct {
	namespace string
	parts     []*part
}

// newTown declares portal > records > db, and a report that runs once and asks records. Changes
// come before anything is created.
func newTown(profile string, changes ...func(*town)) *town {
	GinkgoHelper()
	t := foundTown(func() string { return phiNamespace(profile) })
	t.add(1, postgres(t.namespace, "db", "records"), 5432, 5432, phitest.FromWorkload("records"))
	t.add(2, t.application("records"), 8080, 80, phitest.FromWorkload("portal"), phitest.FromWorkload("report"))
	t.add(1, t.application("portal", "-upstream", "http://records"), 8080, 80)
	t.add(0, t.application("report"), 8080, 0)
	t.calls("records", "db")
	t.calls("portal", "records")
	t.calls("report", "records")
	for _, change := range changes {
		change(t)
	}
	t.declare()
	return t
}

// foundTown is a town without parts.
func foundTown(namespace func() string) *town {
	GinkgoHelper()
	if _, err := os.Stat(postgresArchive()); errors.Is(err, fs.ErrNotExist) {
		Skip("there is no image of PostgreSQL: it is made of Debian's packages, and this is no Debian")
	}
	installed()
	supplied()
	return &town{namespace: namespace()}
}

// calls declares that the pods of one part call another.
func (t *town) calls(from, to string) {
	t.part(from).Spec.Egress = &hipaav1.Egress{To: []hipaav1.EgressPeer{phitest.ToWorkload(to)}}
}

// declare creates what has to be there before pods.
func (t *town) declare() {
	GinkgoHelper()
	for _, p := range t.parts {
		declare(p.PHIWorkload)
		if p.service != nil {
			Expect(admin.Create(ctx, p.service)).To(Succeed())
		}
	}
	Expect(admin.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "db"}, StringData: map[string]string{"password": password},
	})).To(Succeed())
	Expect(admin.Create(ctx, &corev1.ConfigMap{
		ObjectMeta: metav1.ObjectMeta{Namespace: t.namespace, Name: "schema"}, Data: map[string]string{"schema.sql": schema},
	})).To(Succeed())
}

// add declares a part. Its Service has the workload's name, and leads to the container's port by name.
func (t *town) add(replicas int32, pod *corev1.Pod, number, at int32, from ...hipaav1.AccessPeer) {
	name := pod.Labels["app"]
	w := phitest.Workload(name).Namespace(t.namespace).Port(pod.Spec.Containers[0].Ports[0].Name, number).Obj()
	if pod.Spec.Containers[0].Ports[0].Name == "postgres" {
		w.Spec.Ports[0].Protocol, w.Spec.Role = hipaav1.PortProtocolTCP, hipaav1.RoleDataStore
	}
	if len(from) > 0 {
		w.Spec.Access = &hipaav1.Access{From: from}
	}
	p := &part{PHIWorkload: w, pod: pod, replicas: replicas}
	if at != 0 {
		p.service = service(t.namespace, name, corev1.ServicePort{Port: at, Protocol: corev1.ProtocolTCP, TargetPort: intstr.FromString(w.Spec.Ports[0].Name)})
	}
	t.parts = append(t.parts, p)
}

func (t *town) part(name string) *part {
	for _, p := range t.parts {
		if p.Name == name {
			return p
		}
	}
	panic("no part " + name)
}

// application is a pod of the application as its makers ship it.
func (t *town) application(name string, args ...string) *corev1.Pod {
	pod := phitest.Pod(name).Namespace(t.namespace).Listens("http", 8080).Obj()
	pod.Spec.EnableServiceLinks = ptr.To(false)
	pod.Spec.SecurityContext.RunAsUser = ptr.To[int64](65532)
	c := &pod.Spec.Containers[0]
	c.Image, c.ImagePullPolicy, c.Args = recordsImage, corev1.PullNever, args
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/readyz", Port: intstr.FromString("http")}}, PeriodSeconds: 1,
	}
	c.LivenessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{TCPSocket: &corev1.TCPSocketAction{Port: intstr.FromString("http")}}, PeriodSeconds: 1,
	}
	// Until Services have forgotten the pod, it answers: what every application does that is to be restarted unnoticed.
	c.Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 3}}}
	if name == "records" {
		c.Env = databaseSettings()
		wait := *c.DeepCopy()
		wait.Name, wait.Args, wait.Ports = "wait-for-db", []string{"-wait"}, nil
		wait.ReadinessProbe, wait.LivenessProbe, wait.Lifecycle = nil, nil, nil
		pod.Spec.InitContainers = []corev1.Container{wait}
	}
	return pod
}

func databaseSettings() []corev1.EnvVar {
	return []corev1.EnvVar{
		{Name: "PGHOST", Value: "db"}, {Name: "PGUSER", Value: "records"}, {Name: "PGDATABASE", Value: "records"},
		{Name: "PGPASSWORD", ValueFrom: secret("db", "password")},
	}
}

func secret(name, key string) *corev1.EnvVarSource {
	return &corev1.EnvVarSource{SecretKeyRef: &corev1.SecretKeySelector{LocalObjectReference: corev1.LocalObjectReference{Name: name}, Key: key}}
}

// postgres is a pod of a database, as people run the official image. Its user has the same name.
func postgres(namespace, name, database string) *corev1.Pod {
	pod := phitest.Pod(name).Namespace(namespace).Listens("postgres", 5432).Obj()
	pod.Spec.EnableServiceLinks = ptr.To(false)
	pod.Spec.SecurityContext.RunAsUser, pod.Spec.SecurityContext.FSGroup = ptr.To[int64](999), ptr.To[int64](999)
	pod.Spec.TerminationGracePeriodSeconds = ptr.To[int64](5)
	c := &pod.Spec.Containers[0]
	c.Image, c.ImagePullPolicy = postgresImage, corev1.PullNever
	c.Env = []corev1.EnvVar{
		{Name: "PGDATA", Value: "/var/lib/postgresql/data/pgdata"}, {Name: "POSTGRES_USER", Value: database},
		{Name: "POSTGRES_PASSWORD", ValueFrom: secret("db", "password")},
	}
	c.ReadinessProbe = &corev1.Probe{
		ProbeHandler: corev1.ProbeHandler{Exec: &corev1.ExecAction{Command: []string{"pg_isready", "--quiet"}}}, PeriodSeconds: 1,
	}
	c.VolumeMounts = []corev1.VolumeMount{
		{Name: "data", MountPath: "/var/lib/postgresql/data"}, {Name: "run", MountPath: "/var/run/postgresql"},
		{Name: "schema", MountPath: "/docker-entrypoint-initdb.d"},
	}
	pod.Spec.Volumes = []corev1.Volume{
		{Name: "data", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "run", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}},
		{Name: "schema", VolumeSource: corev1.VolumeSource{ConfigMap: &corev1.ConfigMapVolumeSource{LocalObjectReference: corev1.LocalObjectReference{Name: "schema"}}}},
	}
	return pod
}

// start runs every part that runs all the time, and waits until all of it is ready.
func (t *town) start() {
	GinkgoHelper()
	for _, p := range t.parts {
		if p.replicas > 0 {
			Expect(admin.Create(ctx, p.deployment())).To(Succeed())
		}
	}
	t.settle()
}

// settle waits until all of the town is ready.
func (t *town) settle() {
	GinkgoHelper()
	for _, p := range t.parts {
		if p.replicas > 0 {
			said, err := kubectl("rollout", "status", "-n", t.namespace, "deployment/"+p.Name, "--timeout=90s")
			Expect(err).NotTo(HaveOccurred(), "%s\n%s", said, t.troubles())
		}
	}
}

// troubles is what pods and their proxies say, and what others say of them, for who has to find out.
func (t *town) troubles() string {
	said := ""
	for _, asked := range [][]string{
		{"get", "pods", "-o", "wide"}, {"get", "phiworkloads,deployments,replicasets", "-o", "jsonpath={range .items[*]}{.kind}{' '}{.metadata.name}{': '}{.status.proxy}{.status.conditions}{'; '}{end}"},
		{"get", "events", "--sort-by=.lastTimestamp"},
	} {
		answer, err := kubectl(append(asked, "-n", t.namespace)...)
		said += answer
		if err != nil {
			said += err.Error() + "\n"
		}
	}
	for _, p := range t.parts {
		logs, _ := kubectl("logs", "-n", t.namespace, "-l", "app="+p.Name, "--all-containers", "--tail=5", "--prefix")
		said += logs
	}
	return said
}

func (p *part) deployment() *appsv1.Deployment {
	return &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name},
		Spec: appsv1.DeploymentSpec{
			Replicas: &p.replicas, Selector: &metav1.LabelSelector{MatchLabels: p.pod.Labels},
			Strategy: appsv1.DeploymentStrategy{RollingUpdate: &appsv1.RollingUpdateDeployment{MaxUnavailable: ptr.To(intstr.FromInt32(0))}},
			Template: p.template(),
		},
	}
}

func (p *part) template() corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: p.pod.Labels, Annotations: p.pod.Annotations}, Spec: p.pod.Spec}
}

// asks lets the application of a part make a request, and returns the answer; nothing of it is on the bridge twice.
func (t *town) asks(name, address string) (string, error) {
	return kubectl("exec", "-n", t.namespace, "deployment/"+name, "-c", "app", "--", "/records", "-get", address)
}

// root is the authority of the real issuer, as its Secret has it.
func root() pki.Authority {
	GinkgoHelper()
	var secret corev1.Secret
	Expect(admin.Get(ctx, key(system, issuer.SecretName), &secret)).To(Succeed())
	var stored struct {
		Roots []struct {
			Certificate string `json:"certificate"`
			Key         string `json:"key"`
		} `json:"roots"`
	}
	Expect(json.Unmarshal(secret.Data["roots.json"], &stored)).To(Succeed())
	Expect(stored.Roots).To(HaveLen(1))
	authority, err := pki.ParseRoot([]byte(stored.Roots[0].Certificate), []byte(stored.Roots[0].Key), trustDomain)
	Expect(err).NotTo(HaveOccurred())
	return authority
}

// certificate is one under the real root, and its key.
type certificate struct {
	key   *ecdsa.PrivateKey
	chain []*x509.Certificate
}

// certificateUnder is what an issuer with this root would have given somebody at some time.
func certificateUnder(root pki.Authority, id pki.ID, at time.Time) certificate {
	GinkgoHelper()
	plan := pki.DefaultPlan()
	intermediate, err := root.Intermediate(trustDomain, []string{"issuer.test"}, at, min(plan.Intermediate, root.Certificate.NotAfter.Sub(at)))
	Expect(err).NotTo(HaveOccurred())
	key, _, err := pki.NewRequest()
	Expect(err).NotTo(HaveOccurred())
	chain, err := intermediate.Leaf(id, key.Public(), at, plan.Leaf)
	Expect(err).NotTo(HaveOccurred())
	return certificate{key, chain}
}

// tlsOf is a certificate as TLS takes it.
func tlsOf(c certificate) tls.Certificate {
	return tls.Certificate{Certificate: pki.DER(c.chain), PrivateKey: c.key}
}

// idOf names the pods of a ServiceAccount.
func idOf(namespace, account string) pki.ID {
	GinkgoHelper()
	id, err := pki.WorkloadID(trustDomain, namespace, account)
	Expect(err).NotTo(HaveOccurred())
	return id
}
