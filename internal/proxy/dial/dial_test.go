package dial

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestNamesLeadOutOfThePodAlone(t *testing.T) {
	for name, tc := range map[string]struct{ found, want []string }{
		"outside":                   {[]string{"10.96.7.7", "fd00::7"}, []string{"10.96.7.7", "fd00::7"}},
		"into the pod":              {[]string{"127.0.0.1", "::1", "::ffff:127.0.0.1"}, nil},
		"to the node's own service": {[]string{"169.254.169.254", "fe80::1"}, nil},
		"to nobody in particular":   {[]string{"0.0.0.0", "::"}, nil},
		"to many at once":           {[]string{"224.0.0.1", "ff02::1"}, nil},
		"some of each":              {[]string{"127.0.0.1", "10.96.7.7"}, []string{"10.96.7.7"}},
	} {
		t.Run(name, func(t *testing.T) {
			lookup := func(context.Context, string) ([]netip.Addr, error) {
				var list []netip.Addr
				for _, text := range tc.found {
					list = append(list, netip.MustParseAddr(text))
				}
				return list, nil
			}
			found, err := outside(t.Context(), lookup, "db.ehr.svc.cluster.local")
			var got []string
			for _, a := range found {
				got = append(got, a.String())
			}
			if !slices.Equal(got, tc.want) || (err == nil) != (len(tc.want) > 0) || err != nil && !errors.Is(err, ErrNoAddress) {
				t.Errorf("it leads to %v, %v; want %v", got, err, tc.want)
			}
		})
	}
}

func TestAddressesAreTriedInTheirOrder(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	at := netip.MustParseAddrPort(listener.Addr().String())
	deaf, good := netip.MustParseAddr("127.0.0.99"), at.Addr()
	conn, err := first(t.Context(), []netip.Addr{deaf, good}, at.Port())
	if err != nil {
		t.Fatalf("the second address answers: %v", err)
	}
	_ = conn.Close()
	if _, err := first(t.Context(), []netip.Addr{deaf}, at.Port()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody answers: %v", err)
	}
	// An address of the configuration is dialled without asking anybody.
	conn, err = Out(nil)(t.Context(), good.String(), at.Port())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}
