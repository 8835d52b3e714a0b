package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// Where the act with traffic finds what it needs, as hack/localcluster tells those whom
// it runs.
const (
	toolVariable   = "LOCALCLUSTER"
	noNodeVariable = "LOCALCLUSTER_NO_NODE"
)

const (
	clinic  = "clinic"
	before  = "before"
	folder  = "hack/demo/manifests/clinic/"
	program = "registry.example.org/clinic/records:1.0.0"
	// record is what the application keeps, and nobody on the way may read.
	record = "MRN 00482913 Roe, Jane: HIV-1 RNA 41,000 copies/mL"
	// patience is for images that are unpacked and pods that start on two busy cores.
	patience = 3 * time.Minute
)

// follow plays the act with traffic on a cluster with a real node, in a process of its
// own: who looks at the node's packets has to stand in its network.
func follow(ctx context.Context, s *stage) error {
	if s.images == "" {
		s.say("Left out: real pods and packets need a cluster of the demo's own, on Linux as root.")
		return nil
	}
	s.say("A second cluster, whose node is real: kubelet, containerd, pod network. Its programs are compiled once, too.")
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	act := exec.CommandContext(ctx, filepath.Join(s.images, "..", "localcluster"),
		"run", "--node", "--network-policies", "--", self, "-traffic", "-root", s.root, "-images", s.images)
	act.Stdout, act.Stderr, act.Cancel = os.Stdout, os.Stderr, func() error { return act.Process.Signal(os.Interrupt) }
	return act.Run()
}

// traffic is the act itself.
func traffic(ctx context.Context, o options) error {
	if why := os.Getenv(noNodeVariable); why != "" {
		fmt.Println("no real node here:", why)
		return nil
	}
	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		return fmt.Errorf("looking for kubectl: %w", err)
	}
	s := &stage{options: o, cluster: &cluster.Cluster{Root: o.root, Kubeconfig: os.Getenv("KUBECONFIG"), Kubectl: kubectl}}
	for _, step := range []step{
		{"", onTheWire},
		{"", install},
		{"", protect},
		{"", unread},
		{"", plaintext},
		{"", undeclared},
		{"", unagreed},
		{"", locked},
		{"", judged},
	} {
		if err := step.run(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

// onTheWire shows what the application says to whoever looks.
func onTheWire(ctx context.Context, s *stage) error {
	if err := s.give(ctx, "--name", program, filepath.Join(s.images, "records")); err != nil {
		return err
	}
	s.say("The application as its makers ship it, on a node without the operator.")
	s.show(ctx, "create", "namespace", before)
	s.show(ctx, "apply", "-n", before, "-f", folder+"application.yaml")
	if err := s.ready(ctx, before); err != nil {
		return err
	}
	seen, err := s.visit(ctx, before)
	if err != nil {
		return err
	}
	if seen.Found[record] == 0 {
		return fmt.Errorf("the record was not seen: %s", seen)
	}
	s.say("On the node's bridge, for everybody on the way: %d packets, and the record in the clear, %d times.", seen.Packets, seen.Found[record])
	return nil
}

// install installs the operator as people do, with its proxies.
func install(ctx context.Context, s *stage) error {
	s.say("The operator, its issuer of certificates and its proxies.")
	for _, process := range []string{"manager", "issuer", "phi-proxy"} {
		if err := s.give(ctx, "--archive", filepath.Join(s.images, process+".oci.tar")); err != nil {
			return err
		}
	}
	if err := s.quiet(ctx, "apply", "--server-side", "-k", "config/proxy"); err != nil {
		return err
	}
	for _, process := range []string{"manager", "issuer"} {
		if err := s.expect(ctx, []string{"successfully rolled out"}, "rollout", "status", "deployment/hipaa-operator-"+process,
			"-n", cluster.Namespace, "--timeout=3m"); err != nil {
			return err
		}
	}
	return nil
}

// protect runs the same manifests where PHI is.
func protect(ctx context.Context, s *stage) error {
	if err := s.until(ctx, patience, []string{"hipaa-security-rule"}, "apply", "-f", "config/profiles/hipaa-security-rule.yaml"); err != nil {
		return err
	}
	s.say("The team says what holds PHI, and who calls whom. The application's manifests stay as they are.")
	if err := s.until(ctx, patience, []string{"phiworkload.hipaa-operator.io/portal", "phiworkload.hipaa-operator.io/records", "phiworkload.hipaa-operator.io/visit"}, "apply", "-f", folder+"declared.yaml"); err != nil {
		return err
	}
	if err := s.until(ctx, patience, []string{"deployment.apps/records"}, "apply", "-n", clinic, "-f", folder+"application.yaml"); err != nil {
		return err
	}
	if err := s.ready(ctx, clinic); err != nil {
		return err
	}
	s.say("Admission put the operator's proxy before each application.")
	return s.expect(ctx, []string{"portal", "phi-proxy"}, "get", "pods", "-n", clinic,
		"-o", `go-template={{range .items}}{{.metadata.name}}: {{range .spec.initContainers}}{{.name}} {{end}}{{range .spec.containers}}{{.name}} {{end}}{{"\n"}}{{end}}`)
}

// unread shows the same request by the proxies.
func unread(ctx context.Context, s *stage) error {
	seen, err := s.visit(ctx, clinic)
	if err != nil {
		return err
	}
	if seen.Found[record] > 0 || len(seen.TLS13) < 2 {
		return fmt.Errorf("the request was to go by TLS 1.3 alone: %s", seen)
	}
	s.say("On the node's bridge: %d packets, TLS 1.3 with %d servers, and the record %d times.", seen.Packets, len(seen.TLS13), seen.Found[record])
	return nil
}

// plaintext asks the proxy for the record without TLS.
func plaintext(ctx context.Context, s *stage) error {
	address, err := s.cluster.Run(ctx, "get", "pods", "-n", clinic, "-l", "app.kubernetes.io/name=records", "-o", "jsonpath={.items[0].status.podIP}")
	if err != nil {
		return fmt.Errorf("looking for the pod of records: %w", err)
	}
	s.say("Callers without a proxy are let in until all declared ones have theirs and the operator has seen that.")
	if err := s.expect(ctx, []string{"condition met"}, "wait", "phiworkload/records", "-n", clinic, "--for=jsonpath={.status.proxy.plaintext}=Closed", "--timeout=8m"); err != nil {
		return err
	}
	s.say("Somebody on the node, whom no policy keeps out, asks without a certificate. The proxy refuses, and counts.")
	if text, err := s.ask(ctx, "http://"+address+":18080/patients/7"); err == nil || strings.Contains(text, record) {
		return fmt.Errorf("plaintext was answered: %q", text)
	}
	text, err := s.get(ctx, "http://"+address+":15090/metrics")
	if err != nil {
		return fmt.Errorf("reading the proxy's metrics: %w", err)
	}
	const refused = `phi_proxy_inbound_refusals_total{reason="plaintext"}`
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, refused) {
			fmt.Print(indent(line))
			return missing(line, []string{refused + " 1"})
		}
	}
	return fmt.Errorf("the metrics do not count what was refused: %s", refused)
}

// undeclared calls a vendor that the workload does not declare.
func undeclared(ctx context.Context, s *stage) error {
	s.say("A workload calls somebody whom it has not declared: its proxy gives the name no address, and policies let nothing out.")
	s.show(ctx, "apply", "-n", clinic, "-f", folder+"errand.yaml")
	if err := s.until(ctx, patience, []string{"condition met"}, "wait", "job/errand", "-n", clinic, "--for=condition=Failed", "--timeout=5s"); err != nil {
		return err
	}
	return s.expect(ctx, []string{"api.vendor.example"}, "logs", "-n", clinic, "job/errand", "-c", "app")
}

// unagreed declares calls to a vendor with whom there is no agreement.
func unagreed(ctx context.Context, s *stage) error {
	s.say("The team declares calls to a vendor. Without a business associate agreement that is refused.")
	if err := s.quiet(ctx, "apply", "-f", folder+"vendor.yaml"); err != nil {
		return err
	}
	return s.expect(ctx, []string{"business-associate-agreement", "164.308(b)(1)", "transcribe"}, "patch", "phiworkload", "records", "-n", clinic, "--type=merge",
		"-p", `{"spec":{"egress":{"to":[{"vendor":{"name":"transcribe"}}]}}}`)
}

// judged shows what an auditor reads of all that. It stays the last: the node goes with
// this act.
func judged(ctx context.Context, s *stage) error {
	s.say("What the operator says of all that, on which evidence and since when. This node goes now; the cluster before it stays.")
	return s.until(ctx, patience, []string{"records  mutual-tls: Pass", "portal  mutual-tls: Pass", "portal  automatic-logoff: Pass"},
		"get", "phiworkloads", "-n", clinic, "-o", `go-template={{range .items}}{{$of := .metadata.name}}{{range .status.controls}}`+
			`{{if or (eq .id "mutual-tls") (eq .id "automatic-logoff") (eq .id "network-isolation")}}`+
			`{{$of}}  {{.id}}: {{.verdict}} ({{or .class "no evidence"}}) since {{.since}}: {{.message}}{{"\n"}}{{end}}{{end}}{{end}}`)
}

// visit asks the portal for the record, and tells what passed the node meanwhile.
func (s *stage) visit(ctx context.Context, namespace string) (seen, error) {
	look, err := watch(record)
	if err != nil {
		return seen{}, err
	}
	defer look.Close()
	s.show(ctx, "apply", "-n", namespace, "-f", folder+"visit.yaml")
	if err := s.until(ctx, patience, []string{"condition met"}, "wait", "job/visit", "-n", namespace, "--for=condition=Complete", "--timeout=5s"); err != nil {
		return seen{}, err
	}
	// Logs come from the node by the kubelet, over TLS.
	if err := s.expect(ctx, []string{record}, "logs", "-n", namespace, "job/visit", "-c", "app"); err != nil {
		return seen{}, err
	}
	return look.Seen()
}

// ready waits for the application in a namespace.
func (s *stage) ready(ctx context.Context, namespace string) error {
	for _, name := range []string{"records", "portal"} {
		if err := s.quiet(ctx, "rollout", "status", "deployment/"+name, "-n", namespace, "--timeout=3m"); err != nil {
			pods, _ := s.cluster.Run(ctx, "describe", "pods", "-n", namespace)
			return fmt.Errorf("%w\n%s", err, pods)
		}
	}
	return nil
}

// quiet runs kubectl where the output tells nothing.
func (s *stage) quiet(ctx context.Context, args ...string) error {
	fmt.Println(style(bold, "$ kubectl "+quoted(args)))
	if out, err := s.cluster.Run(ctx, args...); err != nil {
		return fmt.Errorf("kubectl %s: %w\n%s", args[0], err, out)
	}
	return nil
}

// give gives the node an image.
func (s *stage) give(ctx context.Context, args ...string) error {
	out, err := exec.CommandContext(ctx, os.Getenv(toolVariable), append([]string{"image"}, args...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("giving the node an image: %w\n%s", err, out)
	}
	return nil
}

// ask asks an address as somebody on the node would, and prints what comes of it.
func (s *stage) ask(ctx context.Context, address string) (string, error) {
	fmt.Println(style(bold, "GET "+address))
	text, err := s.get(ctx, address)
	if err != nil {
		fmt.Print(indent(err.Error()))
	}
	return text, err
}

func (s *stage) get(ctx context.Context, address string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s", response.Status, strings.TrimSpace(string(text)))
	}
	return string(text), err
}
