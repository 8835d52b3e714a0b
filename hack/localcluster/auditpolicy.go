package main

import (
	"fmt"
	"os"
)

// auditPolicy records who did what to which object, and never a body: Secrets pass here too.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: None
  nonResourceURLs: ["/healthz*", "/livez*", "/readyz*", "/metrics*"]
- level: Metadata
`

func (p plan) auditPolicyPath() string { return p.file("audit-policy.yaml") }

func (p plan) writeAuditPolicy() error {
	if err := os.WriteFile(p.auditPolicyPath(), []byte(auditPolicy), 0o600); err != nil {
		return fmt.Errorf("writing the audit policy: %w", err)
	}
	return nil
}
