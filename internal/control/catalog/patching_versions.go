package catalog

import "time"

// supportTable says until when versions get security updates, as their makers said on
// a day.
type supportTable struct {
	asOf  time.Time
	lines []supportLine
}

// supportLine is what reported versions begin with, and from when on they get no
// updates.
type supportLine struct {
	begins string
	end    time.Time
}

func (t *supportTable) day() string { return t.asOf.Format(time.DateOnly) }

// kubernetesVersions are from kubernetes.io/releases, the pages of the releases.
var kubernetesVersions = supportTable{
	asOf: date(2026, time.September, 15),
	lines: []supportLine{
		{"v1.30", date(2025, time.July, 15)},
		{"v1.31", date(2025, time.November, 11)},
		{"v1.32", date(2026, time.February, 28)},
		{"v1.33", date(2026, time.June, 28)},
		{"v1.34", date(2026, time.October, 27)},
		{"v1.35", date(2027, time.February, 28)},
		{"v1.36", date(2027, time.June, 28)},
		{"v1.37", date(2027, time.October, 28)},
	},
}

// containerdVersions are from RELEASES.md of containerd and the notes of its release
// 2.3.0. Of 1.7 it names the month.
var containerdVersions = supportTable{
	asOf: date(2026, time.May, 4),
	lines: []supportLine{
		{"containerd://1.6", date(2025, time.August, 23)},
		{"containerd://1.7", date(2026, time.September, 30)},
		{"containerd://2.0", date(2025, time.November, 7)},
		{"containerd://2.1", date(2026, time.May, 5)},
		{"containerd://2.2", date(2026, time.November, 6)},
		{"containerd://2.3", date(2028, time.April, 27)},
	},
}

// osVersions are from wiki.ubuntu.com/Releases (standard support), wiki.debian.org/LTS,
// and the questions and answers about Amazon Linux. Where only a month is named it is
// its last day, and of Ubuntu 22.04 its first.
var osVersions = supportTable{
	asOf: date(2026, time.August, 13),
	lines: []supportLine{
		{"Ubuntu 18.04", date(2023, time.May, 31)},
		{"Ubuntu 20.04", date(2025, time.May, 31)},
		{"Ubuntu 22.04", date(2027, time.April, 1)},
		{"Ubuntu 24.04", date(2029, time.May, 31)},
		{"Ubuntu 26.04", date(2031, time.April, 30)},
		{"Debian GNU/Linux 10", date(2024, time.June, 30)},
		{"Debian GNU/Linux 11", date(2026, time.August, 31)},
		{"Debian GNU/Linux 12", date(2028, time.June, 30)},
		{"Debian GNU/Linux 13", date(2030, time.June, 30)},
		{"Amazon Linux 2", date(2026, time.June, 30)},
		{"Amazon Linux 2023", date(2029, time.June, 30)},
	},
}

func date(year int, month time.Month, day int) time.Time {
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}

// supportLineOf finds the line of a version, and the table that it stands in.
func supportLineOf(version string) (supportTable, supportLine, bool) {
	for _, table := range []supportTable{kubernetesVersions, containerdVersions, osVersions} {
		for _, line := range table.lines {
			if beginsWith(version, line.begins) {
				return table, line, true
			}
		}
	}
	return supportTable{}, supportLine{}, false
}
