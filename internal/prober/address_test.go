package prober

import (
	"context"
	"errors"
	"net/netip"
	"testing"
)

func TestOnlyTheEdgeMayBeDialled(t *testing.T) {
	own := netip.MustParseAddrPort("10.96.0.10:443")
	failing := errors.New("the cache is away")
	for name, tc := range map[string]struct {
		address string
		fails   error
		want    bool
	}{
		"an address of the internet":         {address: "198.51.100.80:443", want: true},
		"a private address":                  {address: "10.20.0.80:443", want: true},
		"an address of IPv6":                 {address: "[2001:db8::80]:443", want: true},
		"an address of the cluster":          {address: "10.96.0.10:443"},
		"the same, in the form of IPv6":      {address: "[::ffff:10.96.0.10]:443"},
		"another port of it":                 {address: "10.96.0.10:80", want: true},
		"this host":                          {address: "127.0.0.1:80"},
		"this host, by another number":       {address: "127.8.8.8:80"},
		"this host, in the form of IPv6":     {address: "[::ffff:127.0.0.1]:80"},
		"this host, in IPv6":                 {address: "[::1]:80"},
		"this host, by no address":           {address: "0.0.0.0:80"},
		"the link":                           {address: "169.254.1.1:80"},
		"the link, in IPv6":                  {address: "[fe80::1%eth0]:80"},
		"the metadata of a cloud":            {address: "169.254.169.254:80"},
		"the metadata of AWS, in IPv6":       {address: "[fd00:ec2::254]:80"},
		"the metadata of Google, in IPv6":    {address: "[fd20:ce::254]:80"},
		"the metadata of Alibaba":            {address: "100.100.100.200:80"},
		"the host of a machine of Azure":     {address: "168.63.129.16:80"},
		"the metadata of Oracle":             {address: "192.0.0.192:80"},
		"the metadata, by translation":       {address: "[64:ff9b::a9fe:a9fe]:80"},
		"the metadata, by 6to4":              {address: "[2002:a9fe:a9fe::]:80"},
		"a group":                            {address: "224.0.0.1:80"},
		"everybody":                          {address: "255.255.255.255:80"},
		"what is no address":                 {address: "example.org:80"},
		"an address, while nothing is known": {address: "198.51.100.80:443", fails: failing},
	} {
		t.Run(name, func(t *testing.T) {
			g := &guard{never: neverDialled, inside: func(_ context.Context, a netip.AddrPort) (bool, error) { return a == own, tc.fails }}
			if err := g.check(t.Context(), "tcp", tc.address, nil); (err == nil) != tc.want {
				t.Errorf("check() = %v, want it to pass: %t", err, tc.want)
			}
		})
	}
}
