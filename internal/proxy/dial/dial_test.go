package dial

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"testing"
)

func TestNamesLeadOutOfThePodAlone(t *testing.T) {
	for name, tc := range map[string]struct{ found, want []string }{
		"outside":                   {[]string{"10.96.7.7", "fd00::7"}, []string{"10.96.7.7", "fd00::7"}},
		"into the pod":              {[]string{"127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.1"}, nil},
		"to the node's own service": {[]string{"169.254.169.254", "fe80::1", "fe80::1%eth0"}, nil},
		"to the metadata of clouds": {[]string{"fd00:ec2::254", "168.63.129.16", "100.100.100.200", "fd20:ce::254", "192.0.0.192"}, nil},
		"to nobody in particular":   {[]string{"0.0.0.0", "::", "255.255.255.255"}, nil},
		"to many at once":           {[]string{"224.0.0.1", "ff02::1"}, nil},
		"some of each":              {[]string{"127.0.0.1", "10.96.7.7"}, []string{"10.96.7.7"}},
		"around, by mapping":        {[]string{"::ffff:169.254.169.254", "::ffff:10.7.0.1"}, nil},
		"around, by NAT64":          {[]string{"64:ff9b::169.254.169.254", "64:ff9b:1::10.7.0.1", "64:ff9b::a07:1"}, nil},
		"around, by 6to4":           {[]string{"2002:a9fe:a9fe::1", "2002:a07:1::"}, nil},
		"around, by Teredo":         {[]string{"2001:0:1:2:3:4:5601:5601"}, nil},
		"around, by ISATAP":         {[]string{"2001:db8::5efe:169.254.169.254", "2001:db8::200:5efe:10.7.0.1"}, nil},
		"around, as compatible":     {[]string{"::169.254.169.254", "::ffff:0:10.7.0.1"}, nil},
		"by NAT64 to a vendor":      {[]string{"64:ff9b::192.0.2.1"}, []string{"64:ff9b::c000:201"}},
		"to what is refused":        {[]string{"10.7.0.1", "10.7.255.255", "10.8.0.1"}, []string{"10.8.0.1"}},
	} {
		t.Run(name, func(t *testing.T) {
			lookup := func(context.Context, string) ([]netip.Addr, error) {
				var list []netip.Addr
				for _, text := range tc.found {
					list = append(list, netip.MustParseAddr(text))
				}
				return list, nil
			}
			found, err := outside(t.Context(), lookup, netip.MustParsePrefix("10.7.0.0/16").Contains, "db.ehr.svc.cluster.local")
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

// In whatever form an address is written, what carries a refused one is refused.
func FuzzForms(f *testing.F) {
	f.Add([]byte{169, 254, 169, 254}, uint64(0x0064ff9b00000000), uint64(0))
	f.Add([]byte{10, 0, 0, 1}, uint64(0x20010db800000000), uint64(0x5efe))
	f.Fuzz(func(t *testing.T, inner []byte, front, back uint64) {
		if len(inner) != 4 {
			return
		}
		four := netip.AddrFrom4([4]byte(inner))
		var six [16]byte
		binary.BigEndian.PutUint64(six[:], front)
		binary.BigEndian.PutUint64(six[8:], back)
		copy(six[12:], inner)
		all := forms(netip.AddrFrom16(six))
		for _, form := range all {
			if form.Is4In6() || form.Zone() != "" {
				t.Errorf("%s is no form by which anything is compared", form)
			}
		}
		for _, prefix := range []string{"64:ff9b::/96", "::/96", "::ffff:0:0/96"} {
			if netip.MustParsePrefix(prefix).Contains(netip.AddrFrom16(six)) && !slices.Contains(all, four) {
				t.Errorf("%s hides in %s", four, netip.AddrFrom16(six))
			}
		}
	})
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
	conn, err = Out(nil, nil)(t.Context(), good.String(), at.Port())
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

// A pod behind a Service's address has ended a moment ago, and the next one answers.
func TestWhoeverRefusesIsAskedAnew(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := netip.MustParseAddrPort(l.Addr().String())
	dialled := 0
	for name, tt := range map[string]struct {
		times     int
		err       error
		dialled   int
		connected bool
	}{
		"refused once":             {times: 1, err: errRefused, dialled: 2, connected: true},
		"refused thrice":           {times: 3, err: errRefused, dialled: 4, connected: true},
		"refused as long as asked": {times: 9, err: errRefused, dialled: dials},
		"silent":                   {times: 1, err: ErrUnreachable, dialled: 1},
	} {
		t.Run(name, func(t *testing.T) {
			dialled = 0
			conn, err := Anew(func(ctx context.Context, host string, port uint16) (*net.TCPConn, error) {
				if dialled++; dialled <= tt.times {
					return nil, tt.err
				}
				return Out(nil, nil)(ctx, host, port)
			})(t.Context(), at.Addr().String(), at.Port())
			if conn != nil {
				_ = conn.Close() // nothing was said
			}
			if (conn != nil) != tt.connected || dialled != tt.dialled || !tt.connected && !errors.Is(err, ErrUnreachable) {
				t.Errorf("it was dialled %d times, want %d: connected %t (%v)", dialled, tt.dialled, conn != nil, err)
			}
		})
	}
}

// What the kernel says of a port at which nobody listens is what is dialled anew.
func TestNobodyListens(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(l.Addr().String())
	_ = l.Close() // its port is free now
	if _, err := Out(nil, nil)(t.Context(), at.Addr().String(), at.Port()); !errors.Is(err, errRefused) || !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody listens: %v", err)
	}
}
