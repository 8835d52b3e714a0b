package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// hint is something to try while the cluster stays up. With -once each of them is
// run as it is printed, and must say what it promises.
type hint struct {
	about, command string
	says           []string
	// repeats says that it changes nothing: it is run until it says what it should.
	repeats bool
}

// environment is what the hints need of a shell.
func (s *stage) environment() [][2]string {
	return [][2]string{{"KUBECONFIG", s.cluster.Kubeconfig}, {"PATH", filepath.Dir(s.cluster.Kubectl) + ":" + os.Getenv("PATH")}}
}

func (s *stage) grant() string { return filepath.Join(s.workdir, "grant.yaml") }

// prepareHints writes the manifest that hints apply: its end lies ahead.
func (s *stage) prepareHints() error {
	end := time.Now().Add(2 * time.Hour).UTC().Format(time.RFC3339)
	if err := os.WriteFile(s.grant(), []byte(fmt.Sprintf(grantManifest, end)), 0o600); err != nil {
		return fmt.Errorf("writing the grant: %w", err)
	}
	return nil
}

const grantManifest = `apiVersion: hipaa-operator.io/v1alpha1
kind: ControlException
metadata: {name: heap-dump, namespace: ehr}
spec:
  controlID: privileged-access
  workloadRef: {name: patient-api}
  reason: A heap dump, to find why the service slows down at noon.
  compensatingControl: Two people at one screen; the dump never leaves the encrypted volume.
  expires: %q
`

// managerLog is how to read the operator's log.
func (s *stage) managerLog() string {
	if s.operator != nil {
		return "cat " + s.operator.Log()
	}
	return "kubectl logs -n " + cluster.Namespace + " -l app.kubernetes.io/name=hipaa-operator --tail=-1 --prefix"
}

func (s *stage) hints() []hint {
	const digest = `$(kubectl get controlexception heap-dump -n ehr -o jsonpath='{.status.specDigest}')`
	hints := []hint{
		{about: "Verdicts in numbers, and in full:", command: "kubectl get phiworkloads -n ehr", says: []string{"SAFEGUARDS", "patient-api"}, repeats: true},
		{command: "kubectl describe phiworkload patient-api -n ehr", says: []string{"SafeguardsInForce", "Controls:"}, repeats: true},
		{
			about: "What departed from what is wanted, and who it was:", says: []string{"DriftDetected", "by admin@example.org"}, repeats: true,
			command: "kubectl get events -n ehr --field-selector reason=DriftDetected",
		},
		{
			about: "A privileged pod under the name of patient-api:", says: []string{"denied the request", "pod-hardening", "privileged"}, repeats: true,
			command: "kubectl run shell -n ehr --image=busybox --privileged --labels=app.kubernetes.io/name=patient-api",
		},
		{
			about: "Take a policy away; it comes back at once:", says: []string{"condition met"},
			command: "kubectl delete networkpolicy hipaa-patient-api -n ehr && kubectl wait --for=create networkpolicy/hipaa-patient-api -n ehr --timeout=30s",
		},
		{
			about: "Alice asks to get into the pods of patient-api:", says: []string{"created", "condition met"},
			command: "kubectl create -f " + s.grant() + " --as=alice@example.org && kubectl wait controlexception/heap-dump -n ehr --for=jsonpath='{.status.specDigest}' --timeout=30s",
		},
		{about: "Bob reads what she asks for, and decides:", says: []string{"Spec Digest", "waits for somebody else"}, command: "kubectl describe controlexception heap-dump -n ehr --as=bob@example.org", repeats: true},
		{
			command: `kubectl patch controlexception heap-dump -n ehr --as=bob@example.org --subresource=status --type=merge -p "{\"status\":{\"approval\":{\"decision\":\"Approved\",\"specDigest\":\"` + digest + `\"}}}"`,
			says:    []string{"patched"},
		},
		{
			about: "The workload says that the grant is in force, and until when:", says: []string{"heap-dump", "expires"}, repeats: true,
			command: `kubectl get phiworkload patient-api -n ehr -o jsonpath='{.status.controls[?(@.id=="privileged-access")].exception}{"\n"}'`,
		},
	}
	if s.operator != nil {
		hints = append(hints, hint{
			about: "Now exec passes admission. It ends at the node, which is simulated: no container runs there, so there are no logs either:", says: []string{"simulated-node"},
			command: "kubectl exec -n ehr deployment/patient-api -- env", repeats: true,
		})
	} else {
		hints = append(hints, hint{about: "Now exec passes admission:", command: "kubectl exec -n ehr deployment/patient-api -- env", repeats: true})
	}
	return append(
		hints,
		hint{
			about: "And it is on record in the operator's log:", says: []string{"heap-dump"}, repeats: true,
			command: s.managerLog() + ` | grep 'Admitted connection'`,
		},
		hint{
			about: "The profile, and how the operator's own admission stands:", says: []string{"AdmissionGuarded"}, repeats: true,
			command: "kubectl get complianceprofile hipaa-security-rule -o yaml",
		},
	)
}

// stay prints the hints and keeps everything up until it is interrupted.
func (s *stage) stay(ctx context.Context) {
	fmt.Print("\nThe cluster stays up until Ctrl-C. In another terminal, from top to bottom:\n\n")
	fmt.Printf("  export KUBECONFIG=%s\n  export PATH=%s:$PATH\n", s.cluster.Kubeconfig, filepath.Dir(s.cluster.Kubectl))
	for _, h := range s.hints() {
		if h.about != "" {
			fmt.Println(style(dim, "\n  # "+h.about))
		}
		fmt.Println("  " + h.command)
	}
	fmt.Println()
	<-ctx.Done()
	fmt.Println("\nStopping the operator and the cluster.")
}

// tryHints runs every hint as a person would who copies it.
func (s *stage) tryHints(ctx context.Context) error {
	fmt.Printf("\n%s\n", style(bold, "What to try when the cluster stays up"))
	for _, h := range s.hints() {
		if h.about != "" {
			s.say("%s", h.about)
		}
		fmt.Println(style(bold, "$ "+h.command))
		out, err := s.tryHint(ctx, &h)
		fmt.Print(indent(out))
		if err != nil {
			return fmt.Errorf("trying the hint %q: %w", h.command, err)
		}
	}
	return nil
}

func (s *stage) tryHint(ctx context.Context, h *hint) (string, error) {
	var out string
	run := func() error {
		command := exec.CommandContext(ctx, "sh", "-c", h.command)
		command.Env = os.Environ()
		for _, pair := range s.environment() {
			command.Env = append(command.Env, pair[0]+"="+pair[1])
		}
		// What it must say decides, not how it ends: some of them are refused.
		text, _ := command.CombinedOutput()
		out = string(text)
		return missing(out, h.says)
	}
	if !h.repeats {
		err := run()
		return out, err
	}
	err := cluster.Eventually(ctx, h.command, soon, run)
	return out, err
}
