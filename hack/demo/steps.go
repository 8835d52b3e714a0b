package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// step is one thing to see.
type step struct {
	title string
	run   func(ctx context.Context, s *stage) error
}

func steps() []step {
	return []step{
		{"The security team binds a profile; the application team declares its workloads", declare},
		{"What admission added to a pod, and what the operator owns", accepted},
		{"A pod without safeguards is refused, every reason at once", refusedPod},
		{"A claim on storage that is not encrypted is refused", refusedClaim},
		{"Somebody opens a shell in a pod that handles PHI", shell},
		{"Somebody deletes and edits a NetworkPolicy", drift},
		{"Somebody opens everything while the operator is away", widening},
		{"An exception: asked for, approved by somebody else, and its end", exception},
		{"What an auditor and an on-call engineer read", describe},
		{"Real pods and real packets: what passes the wire, before and after", follow},
	}
}

const soon = 30 * time.Second

func declare(ctx context.Context, s *stage) error {
	if err := s.expect(ctx, []string{"hipaa-security-rule"}, "apply", "-f", "config/profiles/hipaa-security-rule.yaml"); err != nil {
		return err
	}
	if err := s.expect(ctx, []string{"namespace/ehr", "patient-api"}, "apply", "-k", "config/samples"); err != nil {
		return err
	}
	s.say("Pods start once their PHIWorkload is there; controllers try again by themselves.")
	if err := s.until(ctx, 2*time.Minute, []string{"Running"}, "get", "pods", "-n", "ehr"); err != nil {
		return err
	}
	if err := s.expect(ctx, []string{"portal condition met"}, "wait", "phiworkloads", "--all", "-n", "ehr", "--for=condition=Ready", "--timeout=1m"); err != nil {
		return err
	}
	return s.until(ctx, soon, []string{"patient-api", "patient-db", "portal", "hipaa-security-rule", "Enforce"}, "get", "phiworkloads", "-n", "ehr")
}

func accepted(ctx context.Context, s *stage) error {
	s.say("The Deployment in Git has two labels; admission added the classification.")
	if err := s.expect(ctx, []string{"hipaa-operator.io/workload", "data-class.hipaa-operator.io"},
		"get", "pods", "-n", "ehr", "-l", "app.kubernetes.io/name=patient-api", "-o", `go-template={{range $key, $value := (index .items 0).metadata.labels}}{{$key}}={{$value}}{{"\n"}}{{end}}`); err != nil {
		return err
	}
	return s.expect(ctx, []string{"hipaa-default-deny", "hipaa-patient-api"}, "get", "networkpolicies", "-n", "ehr")
}

func refusedPod(ctx context.Context, s *stage) error {
	if err := s.expect(ctx, []string{"denied the request", "pod-hardening", "45 CFR 164.312(a)(1)", "privileged"}, "apply", "-f", "hack/demo/manifests/report-pod.yaml"); err != nil {
		return err
	}
	s.say("A pod that nobody declared does not start either.")
	return s.expect(ctx, []string{"denied the request", "PHIWorkload"}, "apply", "-f", "hack/demo/manifests/undeclared-pod.yaml")
}

func refusedClaim(ctx context.Context, s *stage) error {
	s.show(ctx, "apply", "-f", "hack/demo/manifests/plain-class.yaml")
	return s.expect(ctx, []string{"denied the request", "volume-encryption", "plain-ebs"}, "apply", "-f", "hack/demo/manifests/plain-claim.yaml")
}

func shell(ctx context.Context, s *stage) error {
	s.say("Not even a cluster administrator gets in without a grant: an exception that somebody else approved, for hours.")
	return s.expect(ctx, []string{"privileged-access", "patient-api"}, "exec", "-n", "ehr", "deployment/patient-api", "--", "env")
}

func drift(ctx context.Context, s *stage) error {
	s.say("A tenant with the role edit is refused by the API server itself, with or without the operator.")
	s.show(ctx, "create", "rolebinding", "tenant-edits", "-n", "ehr", "--clusterrole=edit", "--user=tenant@example.org")
	if err := s.expect(ctx, []string{"Forbidden", "hipaa-operator"}, "delete", "networkpolicy", "hipaa-patient-api", "-n", "ehr", "--as=tenant@example.org", "--as-group=tenants"); err != nil {
		return err
	}
	s.say("A cluster administrator can. The operator puts it right and says who it was.")
	s.show(ctx, "delete", "networkpolicy", "hipaa-patient-api", "-n", "ehr", "--as=admin@example.org", "--as-group=system:masters")
	if err := s.until(ctx, soon, []string{"hipaa-patient-api"}, "get", "networkpolicies", "-n", "ehr"); err != nil {
		return err
	}
	s.say("Or closes what ought to be open.")
	s.show(ctx, "patch", "networkpolicy", "hipaa-portal", "-n", "ehr", "--type=merge", "-p", `{"spec":{"ingress":[]}}`, "--as=admin@example.org", "--as-group=system:masters")
	return s.until(ctx, soon, []string{"DriftDetected", "DriftCorrected", "spec.ingress", "admin@example.org"}, "get", "events", "-n", "ehr",
		"-o", driftEvents)
}

func widening(ctx context.Context, s *stage) error {
	const wide = "hack/demo/manifests/wide-policy.yaml"
	if err := s.expect(ctx, []string{"denied the request", "network-isolation"}, "apply", "-n", "ehr", "-f", wide); err != nil {
		return err
	}
	if s.operator == nil {
		s.say("The rest of this step stops the operator, which this demo did not start: left out.")
		return nil
	}
	s.say("A second PHI namespace, whose workload no patient waits for.")
	if err := s.expect(ctx, []string{"claims created"}, "apply", "-f", "hack/demo/manifests/billing.yaml"); err != nil {
		return err
	}
	if err := s.until(ctx, soon, []string{"hipaa-claims"}, "get", "networkpolicies", "-n", "billing"); err != nil {
		return err
	}
	s.say("Now the operator is held, its webhooks are deleted, and the policy gets in twice.")
	if err := s.operator.Pause(); err != nil {
		return fmt.Errorf("holding the operator: %w", err)
	}
	s.show(ctx, "delete", "validatingwebhookconfiguration", "hipaa-operator-validating")
	s.show(ctx, "apply", "-n", "billing", "-f", wide)
	s.show(ctx, "apply", "-n", "ehr", "-f", wide)
	if err := s.operator.Resume(); err != nil {
		return fmt.Errorf("resuming the operator: %w", err)
	}
	s.say("It is back: the webhooks are restored, and the policy is removed where the operator may cut a flow by itself.")
	if err := s.until(ctx, soon, []string{"hipaa-operator-validating"}, "get", "validatingwebhookconfigurations"); err != nil {
		return err
	}
	if err := s.until(ctx, soon, []string{"allow-all", "DriftCorrected"}, "get", "events", "-n", "billing", "-o", driftEvents); err != nil {
		return err
	}
	s.say("In ehr, patients are cared for: there it is reported, and a person decides.")
	if err := s.until(ctx, soon, []string{"Drifted", "allow-all"}, "get", "phiworkload", "patient-api", "-n", "ehr",
		"-o", `jsonpath={.status.conditions[?(@.type=="DriftFree")]}`); err != nil {
		return err
	}
	s.show(ctx, "delete", "networkpolicy", "allow-all", "-n", "ehr")
	return s.until(ctx, soon, []string{`"True"`}, "get", "phiworkload", "patient-api", "-n", "ehr",
		"-o", `jsonpath={.status.conditions[?(@.type=="DriftFree")]}`)
}

// driftEvents prints what was found and put right.
const driftEvents = `go-template={{range .items}}{{if or (eq .reason "DriftDetected") (eq .reason "DriftCorrected")}}{{.type}}  {{.reason}}  {{.message}}{{"\n"}}{{end}}{{end}}`

func exception(ctx context.Context, s *stage) error {
	const pod = "hack/demo/manifests/legacy-pod.yaml"
	if err := s.expect(ctx, []string{"denied the request", "pod-hardening"}, "apply", "-f", pod); err != nil {
		return err
	}
	end := time.Now().Add(25 * time.Second).UTC().Truncate(time.Second)
	manifest := filepath.Join(s.workdir, "exception.yaml")
	if err := os.WriteFile(manifest, []byte(fmt.Sprintf(exceptionManifest, end.Format(time.RFC3339))), 0o600); err != nil {
		return fmt.Errorf("writing the exception: %w", err)
	}
	s.say("Alice of the application team asks. She and Bob both hold the role that approves.")
	s.show(ctx, "create", "rolebinding", "alice-edits", "-n", "ehr", "--clusterrole=edit", "--user=alice@example.org")
	s.show(ctx, "create", "rolebinding", "approvers", "-n", "ehr", "--clusterrole=hipaa-operator-approver", "--user=alice@example.org", "--user=bob@example.org")
	if err := s.expect(ctx, []string{"created"}, "create", "-f", manifest, "--as=alice@example.org"); err != nil {
		return err
	}
	s.say("Whoever decides reads what is asked first, and names what was read by its digest.")
	read := []string{"get", "controlexception", "legacy-import", "-n", "ehr", "--as=bob@example.org", "-o"}
	if err := s.until(ctx, soon, []string{"sha256:"}, append(read, `jsonpath={.spec}{"\n"}{.status.specDigest}`)...); err != nil {
		return err
	}
	digest, err := s.cluster.Run(ctx, append(read, "jsonpath={.status.specDigest}")...)
	if err != nil {
		return fmt.Errorf("reading the digest of the exception: %w", err)
	}
	approve := []string{
		"patch", "controlexception", "legacy-import", "-n", "ehr", "--subresource=status", "--type=merge",
		"-p", fmt.Sprintf(`{"status":{"approval":{"decision":"Approved","specDigest":%q}}}`, digest),
	}
	s.say("She cannot approve her own.")
	if err := s.expect(ctx, []string{"somebody else must"}, append(approve, "--as=alice@example.org")...); err != nil {
		return err
	}
	s.say("Bob can.")
	if err := s.expect(ctx, []string{"patched"}, append(approve, "--as=bob@example.org")...); err != nil {
		return err
	}
	if err := s.until(ctx, soon, []string{"Approved", "bob@example.org", "True"}, "get", "controlexception", "legacy-import", "-n", "ehr"); err != nil {
		return err
	}
	if err := s.until(ctx, soon, []string{"pod/legacy-import created"}, "apply", "-f", pod); err != nil {
		return err
	}
	s.say("At %s it is void, everywhere at once.", end.Format(time.TimeOnly))
	s.show(ctx, "delete", "pod", "legacy-import", "-n", "ehr", "--wait=false")
	if err := s.until(ctx, time.Minute, []string{"False"}, "get", "controlexception", "legacy-import", "-n", "ehr"); err != nil {
		return err
	}
	return s.until(ctx, soon, []string{"denied the request"}, "apply", "--dry-run=server", "-f", pod)
}

const exceptionManifest = `apiVersion: hipaa-operator.io/v1alpha1
kind: ControlException
metadata: {name: legacy-import, namespace: ehr}
spec:
  controlID: pod-hardening
  workloadRef: {name: nightly-report}
  reason: The vendor's image still starts as root; version 1.0 in March does not.
  compensatingControl: Runs for ten minutes a night in a namespace of its own network policy.
  expires: %q
`

func describe(ctx context.Context, s *stage) error {
	if err := s.expect(ctx, []string{"patient-api"}, "get", "phiworkloads", "-n", "ehr"); err != nil {
		return err
	}
	out := s.show(ctx, "describe", "phiworkload", "patient-api", "-n", "ehr")
	return missing(out, strings.Fields("Conditions: Ready DriftFree network-isolation pod-hardening data-classification privileged-access volume-encryption Events:"))
}
