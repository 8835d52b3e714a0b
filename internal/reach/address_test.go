package reach

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func prefixes(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	var p []netip.Prefix
	for _, text := range texts {
		parsed, ok := parseCIDR(text)
		if !ok {
			t.Fatalf("%q is not a block", text)
		}
		p = append(p, parsed)
	}
	return p
}

func (r addressRange) String() string { return r.first.String() + "-" + r.last.String() }

func (s addressSet) has(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return slices.ContainsFunc(s, func(r addressRange) bool {
		return a.BitLen() == r.first.BitLen() && !a.Less(r.first) && !r.last.Less(a)
	})
}

func show(s addressSet) []string {
	var shown []string
	for _, r := range s {
		shown = append(shown, r.String())
	}
	return shown
}

func TestParseCIDR(t *testing.T) {
	tests := map[string]struct {
		give string
		want string
	}{
		"a block":                                    {"10.0.0.0/8", "10.0.0.0/8"},
		"host bits do not count":                     {"10.1.2.3/8", "10.0.0.0/8"},
		"IPv6":                                       {"2001:db8::1/32", "2001:db8::/32"},
		"IPv4 written as IPv6 is IPv4":               {"::ffff:10.1.0.0/112", "10.1.0.0/16"},
		"all of IPv4 written as IPv6":                {"::ffff:0:0/96", "0.0.0.0/0"},
		"a block around the mapped addresses":        {"::ffff:0:0/90", "::ffc0:0:0/90"},
		"an address alone is no block":               {"10.0.0.1", ""},
		"leading zeros are read in two ways":         {"010.0.0.0/8", ""},
		"a zone has no place in a block":             {"fe80::%eth0/64", ""},
		"a length beyond the family":                 {"10.0.0.0/33", ""},
		"nothing":                                    {"", ""},
		"a length that is not written as the others": {"10.0.0.0/08", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, ok := parseCIDR(tt.give)
			if ok != (tt.want != "") || ok && got.String() != tt.want {
				t.Errorf("parseCIDR(%q) = %v, %v, want %q", tt.give, got, ok, tt.want)
			}
		})
	}
}

func TestAddressesMinus(t *testing.T) {
	tests := map[string]struct {
		give   []string
		except []string // of give[0]
		other  []string
		want   []string
	}{
		"a block inside another is gone":      {give: []string{"10.1.0.0/16"}, other: []string{"10.0.0.0/8"}},
		"halves make a whole":                 {give: []string{"10.0.0.0/8"}, other: []string{"10.128.0.0/9", "10.0.0.0/9"}},
		"everything out of two halves":        {give: []string{"0.0.0.0/0"}, other: []string{"0.0.0.0/1", "128.0.0.0/1"}},
		"all of IPv6":                         {give: []string{"::/0"}, other: []string{"8000::/1", "::/1"}},
		"families do not cover each other":    {give: []string{"0.0.0.0/0"}, other: []string{"::/0"}, want: []string{"0.0.0.0-255.255.255.255"}},
		"both families":                       {give: []string{"0.0.0.0/0", "::/0"}, other: []string{"::/0", "0.0.0.0/0"}},
		"a hole in the middle is left":        {give: []string{"10.0.0.0/30"}, other: []string{"10.0.0.0/32", "10.0.0.3/32"}, want: []string{"10.0.0.1-10.0.0.2"}},
		"the ends are left":                   {give: []string{"10.0.0.0/30"}, other: []string{"10.0.0.1/32", "10.0.0.2/32"}, want: []string{"10.0.0.0-10.0.0.0", "10.0.0.3-10.0.0.3"}},
		"the last address of IPv4":            {give: []string{"255.255.255.254/31"}, other: []string{"255.255.255.254/32"}, want: []string{"255.255.255.255-255.255.255.255"}},
		"what is excepted need not be given":  {give: []string{"10.0.0.0/30"}, except: []string{"10.0.0.0/31"}, other: []string{"10.0.0.2/31"}},
		"exceptions may overlap":              {give: []string{"10.0.0.0/29"}, except: []string{"10.0.0.0/30", "10.0.0.2/31", "10.0.0.7/32"}, want: []string{"10.0.0.4-10.0.0.6"}},
		"exceptions outside change nothing":   {give: []string{"10.0.0.0/31"}, except: []string{"11.0.0.0/8"}, want: []string{"10.0.0.0-10.0.0.1"}},
		"a block excepted as a whole is gone": {give: []string{"10.0.0.0/31"}, except: []string{"10.0.0.0/8"}},
		"single addresses side by side":       {give: []string{"2001:db8::/127"}, other: []string{"2001:db8::/128", "2001:db8::1/128"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			give := prefixes(t, tt.give...)
			s := addressesOf(give[0], prefixes(t, tt.except...))
			for _, p := range give[1:] {
				s = append(s, rangeOf(p))
			}
			var other addressSet
			for _, p := range prefixes(t, tt.other...) {
				other = append(other, rangeOf(p))
			}
			got := s.minus(other.normalised())
			if diff := cmp.Diff(tt.want, show(got)); diff != "" {
				t.Errorf("minus (-want +got):\n%s", diff)
			}
			if len(got) > 0 && !got.has(got.sample()) {
				t.Errorf("sample %v is outside", got.sample())
			}
		})
	}
}
