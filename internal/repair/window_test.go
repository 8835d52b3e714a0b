package repair_test

import (
	"testing"
	"time"

	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

func instant(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatalf("parsing %q: %v", text, err)
	}
	return at
}

func TestWindowOpen(t *testing.T) {
	const office = "Mon-Fri 09:00-16:00 America/Chicago"
	tests := map[string]struct {
		giveWindow, giveAt string
		want               bool
	}{
		"it opens on the minute":                             {office, "2026-11-23T15:00:00Z", true}, // Monday, CST
		"a second before it opens":                           {office, "2026-11-23T14:59:59Z", false},
		"at its end it is closed":                            {office, "2026-11-23T22:00:00Z", false},
		"a second before its end":                            {office, "2026-11-23T21:59:59Z", true},
		"summer time moves it in UTC":                        {office, "2026-07-06T14:00:00Z", true},
		"summer time moves its end in UTC":                   {office, "2026-07-06T21:00:00Z", false},
		"the weekend is closed":                              {office, "2026-11-22T18:00:00Z", false},
		"the day is the zone's: Sunday there, Monday in UTC": {office, "2026-11-23T02:00:00Z", false},
		"days wrap around the week":                          {"Fri-Mon 00:00-24:00 UTC", "2026-11-22T12:00:00Z", true},
		"days outside the wrap":                              {"Fri-Mon 00:00-24:00 UTC", "2026-11-24T12:00:00Z", false},
		"a single day":                                       {"Sun 02:00-04:00 UTC", "2026-11-22T03:00:00Z", true},
		"another than the single day":                        {"Sun 02:00-04:00 UTC", "2026-11-23T03:00:00Z", false},
		"past midnight, before it":                           {"Sat 22:00-04:00 UTC", "2026-11-21T23:00:00Z", true},
		"past midnight, after it":                            {"Sat 22:00-04:00 UTC", "2026-11-22T03:59:59Z", true},
		"past midnight, at its end":                          {"Sat 22:00-04:00 UTC", "2026-11-22T04:00:00Z", false},
		"past midnight belongs to the day it began":          {"Sat 22:00-04:00 UTC", "2026-11-21T03:00:00Z", false},
		"24:00 is the end of the day":                        {"Sun 20:00-24:00 UTC", "2026-11-22T23:59:59Z", true},
		"24:00 does not reach into the next day":             {"Sun 20:00-24:00 UTC", "2026-11-23T00:00:00Z", false},
		"an hour that summer time leaves out is not open":    {"Sun 02:00-03:00 America/Chicago", "2026-03-08T08:30:00Z", false}, // 03:30 CDT
		"an hour that comes twice is open the first time":    {"Sun 01:00-02:00 America/Chicago", "2026-11-01T06:30:00Z", true},  // 01:30 CDT
		"an hour that comes twice is open the second time":   {"Sun 01:00-02:00 America/Chicago", "2026-11-01T07:30:00Z", true},  // 01:30 CST
		"a zone of half hours":                               {"Mon 09:00-10:00 Asia/Kolkata", "2026-11-23T03:30:00Z", true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			window, err := repair.ParseWindow(tt.giveWindow)
			if err != nil {
				t.Fatalf("ParseWindow(%q): %v", tt.giveWindow, err)
			}
			if got := window.Open(instant(t, tt.giveAt)); got != tt.want {
				t.Errorf("%q open at %s: %v, want %v", tt.giveWindow, tt.giveAt, got, tt.want)
			}
		})
	}
}

func TestWindowsOpen(t *testing.T) {
	tests := map[string]struct {
		give         []string
		giveAt, want string // empty want is never
	}{
		"no window is always open":                               {nil, "2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z"},
		"an open one opens now":                                  {[]string{"Sun 00:00-24:00 UTC"}, "2026-11-22T12:00:30Z", "2026-11-22T12:00:30Z"},
		"a closed one opens next week":                           {[]string{"Sun 00:00-10:00 UTC"}, "2026-11-22T12:00:00Z", "2026-11-29T00:00:00Z"},
		"later today":                                            {[]string{"Sun 14:00-15:00 UTC"}, "2026-11-22T12:00:00Z", "2026-11-22T14:00:00Z"},
		"past midnight it is still open":                         {[]string{"Sat 22:00-04:00 UTC"}, "2026-11-22T03:00:00Z", "2026-11-22T03:00:00Z"},
		"the later of two":                                       {[]string{"Mon-Fri 09:00-16:00 UTC", "Mon-Fri 12:00-20:00 UTC"}, "2026-11-23T08:00:00Z", "2026-11-23T12:00:00Z"},
		"the first day that both share":                          {[]string{"Mon-Wed 09:00-16:00 UTC", "Wed-Fri 09:00-16:00 UTC"}, "2026-11-23T08:00:00Z", "2026-11-25T09:00:00Z"},
		"never together":                                         {[]string{"Mon 09:00-10:00 UTC", "Tue 09:00-10:00 UTC"}, "2026-11-23T08:00:00Z", ""},
		"across zones":                                           {[]string{"Mon 09:00-12:00 America/New_York", "Mon 16:00-18:00 Europe/Berlin"}, "2026-11-23T00:00:00Z", "2026-11-23T15:00:00Z"},
		"the hour that is left out is passed":                    {[]string{"Sun 02:00-03:00 America/Chicago"}, "2026-03-08T06:00:00Z", "2026-03-15T07:00:00Z"},
		"a start that is left out opens where the clock goes on": {[]string{"Sun 02:30-05:00 America/Chicago"}, "2026-03-08T06:00:00Z", "2026-03-08T08:00:00Z"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			windows, err := repair.ParseWindows(tt.give)
			if err != nil {
				t.Fatalf("ParseWindows(%q): %v", tt.give, err)
			}
			got, ever := windows.Opens(instant(t, tt.giveAt))
			if !ever {
				if tt.want != "" {
					t.Errorf("%q never opens, want %s", tt.give, tt.want)
				}
				return
			}
			if tt.want == "" || !got.Equal(instant(t, tt.want)) {
				t.Errorf("%q opens at %s, want %q", tt.give, got.UTC().Format(time.RFC3339), tt.want)
			}
		})
	}
}

func TestParseWindowRefuses(t *testing.T) {
	for name, give := range map[string]string{
		"nothing":                    "",
		"a zone that does not exist": "Mon-Fri 09:00-16:00 America/Springfield",
		"the machine's own zone":     "Mon-Fri 09:00-16:00 Local",
		"a day that does not exist":  "Mun-Fri 09:00-16:00 UTC",
		"a last day that is none":    "Mon-Fry 09:00-16:00 UTC",
		"a minute that is none":      "Mon-Fri 09:60-16:00 UTC",
		"an hour past the day":       "Mon-Fri 09:00-24:30 UTC",
		"an empty span":              "Mon-Fri 09:00-09:00 UTC",
		"a start at the day's end":   "Mon-Fri 24:00-04:00 UTC",
		"a path":                     "Mon-Fri 09:00-16:00 ../../etc/passwd",
		"no zone":                    "Mon-Fri 09:00-16:00",
	} {
		t.Run(name, func(t *testing.T) {
			if window, err := repair.ParseWindow(give); err == nil {
				t.Errorf("ParseWindow(%q) = %v, want an error", give, window)
			}
		})
	}
}

func FuzzParseWindow(f *testing.F) {
	for _, seed := range []string{"Mon-Fri 09:00-16:00 America/Chicago", "Sat 22:00-04:00 UTC", "Fri-Mon 00:00-24:00 Asia/Kolkata", "Sun 02:30-05:00 America/Chicago"} {
		f.Add(seed, int64(1795000000))
	}
	f.Fuzz(func(t *testing.T, text string, unix int64) {
		window, err := repair.ParseWindow(text)
		if err != nil {
			return
		}
		if window.String() != text {
			t.Errorf("String() = %q, want %q", window, text)
		}
		at := time.Unix(unix%(1<<33), 0)
		opens, ever := repair.Windows{window}.Opens(at)
		if ever && (opens.Before(at) || !window.Open(opens)) {
			t.Errorf("%q at %s opens at %s, where it is not open", text, at, opens)
		}
	})
}
