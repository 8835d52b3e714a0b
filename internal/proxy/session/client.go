package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// Dial connects to the store.
type Dial func(ctx context.Context, host string, port uint16) (net.Conn, error)

// silent takes what the library would write to standard error: texts could quote addresses.
type silent struct{}

// Printf writes nothing.
func (silent) Printf(context.Context, string, ...any) {}

// maxPassword bounds what is read of the password's file.
const maxPassword = 4096

// NewClient is a client of the store. It connects when it is first asked.
func NewClient(s *config.Store, dial Dial) (*redis.Client, error) {
	redis.SetLogger(silent{})
	host, port, ok := config.SplitUpstream(s.Address)
	if !ok {
		return nil, errors.New("the store has no address")
	}
	o := &redis.Options{
		Addr: s.Address, Username: s.Username,
		Dialer: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := dial(ctx, host, port)
			if err != nil || s.Plain {
				return conn, err
			}
			return shake(ctx, conn, s.Roots, host)
		},
		// Requests wait for the answer, so the deadline of each decides.
		ContextTimeoutEnabled: true, MaxRetries: -1, DialerRetries: 1,
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if s.PasswordFile != "" {
		o.CredentialsProviderContext = func(context.Context) (string, string, error) {
			password, err := readPassword(s.PasswordFile)
			return s.Username, password, err
		}
	}
	return redis.NewClient(o), nil
}

// shake speaks TLS with the store, whose certificate has to name it.
func shake(ctx context.Context, conn net.Conn, roots, host string) (net.Conn, error) {
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if roots != "" {
		c.RootCAs = x509.NewCertPool()
		c.RootCAs.AppendCertsFromPEM([]byte(roots)) // validated before
	}
	secured := tls.Client(conn, c)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// readPassword is read for each connection: it may change.
func readPassword(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("reading the store's password: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxPassword))
	if err != nil {
		return "", fmt.Errorf("reading the store's password: %w", err)
	}
	return strings.TrimRight(string(text), "\r\n"), nil
}
