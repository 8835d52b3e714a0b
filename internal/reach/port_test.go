package reach

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestJoinedPorts(t *testing.T) {
	tests := map[string]struct{ give, want []span }{
		"ranges that overlap or touch become one": {
			[]span{{tcp, 80, 90, ""}, {tcp, 1, 79, ""}, {tcp, 85, 85, ""}},
			[]span{{tcp, 1, 90, ""}},
		},
		"a gap of one port stays": {
			[]span{{tcp, 82, 83, ""}, {tcp, 80, 80, ""}},
			[]span{{tcp, 80, 80, ""}, {tcp, 82, 83, ""}},
		},
		"protocols do not mix": {
			[]span{{udp, 80, 80, ""}, {tcp, 81, 81, ""}},
			[]span{{tcp, 81, 81, ""}, {udp, 80, 80, ""}},
		},
		"a name is no number": {
			[]span{{tcp, 1, 65535, "pg"}, {tcp, 80, 80, ""}, {tcp, 1, 65535, "pg"}},
			[]span{{tcp, 80, 80, ""}, {tcp, 1, 65535, "pg"}},
		},
		"a wide range holds a later narrow one": {
			[]span{{tcp, 1, 100, ""}, {tcp, 5, 6, ""}, {tcp, 100, 101, ""}},
			[]span{{tcp, 1, 101, ""}},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, joined(tt.give), cmp.AllowUnexported(span{})); diff != "" {
				t.Errorf("joined (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIsPortName(t *testing.T) {
	tests := map[string]bool{
		"http": true, "pg": true, "inf": true, "a1": true,
		"": false, "80": false, "0x50": false, "0b11": false, "-1": false, "UPPER": false, "with space": false,
		"longer-than-fifteen": false,
	}
	for give, want := range tests {
		if got := isPortName(give); got != want {
			t.Errorf("isPortName(%q) = %v, want %v", give, got, want)
		}
	}
}
