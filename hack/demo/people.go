package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/proxytest/provider"
	"github.com/hipaa-operator/hipaa-operator/test/cluster"
)

// idleTime is longer than a session of the clinic lasts that nobody uses.
const idleTime = 70 * time.Second

// locked shows that nobody comes in without a name, and that a session ends which is left alone.
func locked(ctx context.Context, s *stage) error {
	at, err := cluster.NodeAddress()
	if err != nil {
		return err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", netip.AddrPortFrom(at, 0).String())
	if err != nil {
		return fmt.Errorf("listening for those who ask the identity provider: %w", err)
	}
	idp, err := provider.Start(l)
	if err != nil {
		return fmt.Errorf("starting an identity provider: %w", err)
	}
	defer idp.Close()
	s.say("The security team says who the staff are, and that a session ends after a minute without use; the team, where people come in.")
	if err := s.staff(ctx, idp, netip.MustParseAddrPort(l.Addr().String())); err != nil {
		return err
	}
	s.show(ctx, "patch", "phiworkload", "portal", "-n", clinic, "--type=merge",
		"-p", `{"spec":{"profileRef":{"name":"clinic-staff"},"users":{"realms":["staff"]}}}`)
	s.say("Somebody asks the portal without having signed in. The application knows nothing of users; its proxy does.")
	if err := s.clinician(ctx, "unique-user-identity"); err != nil {
		return err
	}
	token, err := idp.Token(time.Now(), map[string]any{"sub": "dr.roe", "sid": "1", "aud": "portal", "auth_time": time.Now().Unix()})
	if err != nil {
		return err
	}
	s.say("She signs in, with two factors.")
	// Her token is nobody else's to read.
	if out, err := s.cluster.Run(ctx, "create", "secret", "generic", "clinician", "-n", clinic, "--from-literal=token="+token); err != nil {
		return fmt.Errorf("keeping the clinician's token: %w\n%s", err, out)
	}
	if err := s.clinician(ctx, record); err != nil {
		return err
	}
	s.say("She leaves her desk for %s. Whoever sits down there then gets no record.", idleTime)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(idleTime):
	}
	return s.clinician(ctx, "automatic-logoff")
}

// staff applies the profile of people. Where the provider listens is known only now.
func (s *stage) staff(ctx context.Context, idp *provider.Provider, at netip.AddrPort) error {
	text, err := os.ReadFile(filepath.Join(s.root, folder+"staff.yaml"))
	if err != nil {
		return fmt.Errorf("reading the profile of people: %w", err)
	}
	roots, err := json.Marshal(idp.Roots())
	if err != nil {
		return fmt.Errorf("writing a certificate: %w", err)
	}
	filled := strings.NewReplacer("ISSUER", idp.URL, "UPSTREAM", at.String(), "ADDRESS", at.Addr().String(), "PORT", fmt.Sprint(at.Port()), "ROOTS", string(roots)).
		Replace(string(text))
	directory, err := os.MkdirTemp("", "hipaa-demo-")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer os.RemoveAll(directory)
	file := filepath.Join(directory, "staff.yaml")
	if err := os.WriteFile(file, []byte(filled), 0o600); err != nil {
		return fmt.Errorf("writing the profile of people: %w", err)
	}
	return s.expect(ctx, []string{"clinic-staff"}, "apply", "-f", file)
}

// clinician asks for a record until the answer says what it should: a kubelet takes a
// moment to bring a proxy another configuration.
func (s *stage) clinician(ctx context.Context, want string) error {
	var said string
	err := cluster.Eventually(ctx, "the clinician's answer", patience, func() error {
		_, _ = s.cluster.Run(ctx, "delete", "job/clinician", "-n", clinic, "--ignore-not-found")
		if out, err := s.cluster.Run(ctx, "apply", "-n", clinic, "-f", folder+"clinician.yaml"); err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		ended := cluster.Eventually(ctx, "the clinician's pod to end", time.Minute, func() error {
			phases, err := s.cluster.Run(ctx, "get", "job/clinician", "-n", clinic, "-o", "jsonpath={.status.conditions[*].type}")
			if err != nil {
				return err
			}
			if !strings.Contains(phases, "Complete") && !strings.Contains(phases, "Failed") {
				return fmt.Errorf("the job is %q", phases)
			}
			return nil
		})
		if ended != nil {
			return ended
		}
		said, _ = s.cluster.Run(ctx, "logs", "-n", clinic, "job/clinician", "-c", "app")
		return missing(said, []string{want})
	})
	fmt.Println(style(bold, "$ kubectl "+quoted([]string{"apply", "-n", clinic, "-f", folder + "clinician.yaml"})))
	fmt.Println(style(bold, "$ kubectl "+quoted([]string{"logs", "-n", clinic, "job/clinician", "-c", "app"})))
	fmt.Print(indent(said))
	return err
}
