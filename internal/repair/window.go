package repair

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
	_ "time/tzdata" // the image has no time zones of its own
)

const (
	minutesOfHour = 60
	minutesOfDay  = 24 * minutesOfHour
	daysOfWeek    = 7
)

var (
	windowForm   = regexp.MustCompile(`^([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? (\d{2}):(\d{2})-(\d{2}):(\d{2}) (\S+)$`)
	weekdayNames = []string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
)

// Window is when pods may be replaced: a span of the day in a time zone, on some
// days of the week. A span that ends before it begins runs past midnight and
// belongs to the day on which it begins. The clock on the wall decides: an hour
// that a change of summer time leaves out is not open, one that it repeats is
// open twice.
type Window struct {
	text       string
	days       [daysOfWeek]bool
	start, end int // minutes of the day; end <= start runs past midnight
	zone       *time.Location
}

// ParseWindow reads the form of a profile, such as
// "Mon-Fri 09:00-16:00 America/Chicago".
func ParseWindow(text string) (Window, error) {
	parts := windowForm.FindStringSubmatch(text)
	if parts == nil {
		return Window{}, fmt.Errorf("reading window %q: it is not of the form Mon-Fri 09:00-16:00 America/Chicago", text)
	}
	w := Window{text: text}
	if err := w.setDays(parts[1], parts[2]); err != nil {
		return Window{}, fmt.Errorf("reading window %q: %w", text, err)
	}
	var err error
	if w.start, err = minuteOfDay(parts[3], parts[4]); err != nil {
		return Window{}, fmt.Errorf("reading window %q: %w", text, err)
	}
	if w.end, err = minuteOfDay(parts[5], parts[6]); err != nil {
		return Window{}, fmt.Errorf("reading window %q: %w", text, err)
	}
	if w.start == minutesOfDay || w.start == w.end {
		return Window{}, fmt.Errorf("reading window %q: it begins where it ends", text)
	}
	if parts[7] == "Local" {
		return Window{}, fmt.Errorf("reading window %q: Local is no time zone: it would depend on the machine", text)
	}
	if w.zone, err = time.LoadLocation(parts[7]); err != nil {
		return Window{}, fmt.Errorf("reading window %q: %w", text, err)
	}
	return w, nil
}

func (w *Window) setDays(first, last string) error {
	from := slices.Index(weekdayNames, first)
	to := from
	if last != "" {
		to = slices.Index(weekdayNames, last)
	}
	if from < 0 || to < 0 {
		return fmt.Errorf("%q to %q are not days of the week", first, last)
	}
	for day := from; ; day = (day + 1) % daysOfWeek {
		w.days[day] = true
		if day == to {
			return nil
		}
	}
}

func minuteOfDay(hour, minute string) (int, error) {
	h, err := strconv.Atoi(hour)
	if err != nil {
		return 0, fmt.Errorf("reading the hour: %w", err)
	}
	m, err := strconv.Atoi(minute)
	if err != nil {
		return 0, fmt.Errorf("reading the minute: %w", err)
	}
	total := h*minutesOfHour + m
	if m >= minutesOfHour || total > minutesOfDay {
		return 0, fmt.Errorf("%s:%s is no time of the day", hour, minute)
	}
	return total, nil
}

// String is the form in which it was written.
func (w Window) String() string { return w.text }

// Open reports whether the window is open at an instant.
func (w Window) Open(at time.Time) bool {
	local := at.In(w.zone)
	minute := local.Hour()*minutesOfHour + local.Minute()
	today := int(local.Weekday())
	if w.start < w.end {
		return w.days[today] && minute >= w.start && minute < w.end
	}
	yesterday := (today + daysOfWeek - 1) % daysOfWeek
	return w.days[today] && minute >= w.start || w.days[yesterday] && minute < w.end
}

// opens is the first instant from at on at which the window is open; false if
// there is none within a fortnight.
func (w Window) opens(at time.Time) (time.Time, bool) {
	if w.Open(at) {
		return at, true
	}
	local := at.In(w.zone)
	for day := range 2 * daysOfWeek {
		start := time.Date(local.Year(), local.Month(), local.Day()+day, w.start/minutesOfHour, w.start%minutesOfHour, 0, 0, w.zone)
		// A start that summer time leaves out may lie an hour off: the window then
		// opens, if at all, where the clock goes on.
		for _, candidate := range []time.Time{start.Add(-time.Hour), start, start.Add(time.Hour)} {
			if candidate.After(at) && w.Open(candidate) {
				return w.back(candidate, at), true
			}
		}
	}
	return time.Time{}, false
}

// back walks from an open instant to the minute in which the window opened, not
// beyond at, when it was closed.
func (w Window) back(open, at time.Time) time.Time {
	for {
		earlier := open.Add(-time.Minute)
		if !earlier.After(at) || !w.Open(earlier) {
			return open
		}
		open = earlier
	}
}

// Windows must all be open.
type Windows []Window

// ParseWindows reads the windows of profiles. None means always open.
func ParseWindows(texts []string) (Windows, error) {
	windows := make(Windows, 0, len(texts))
	for _, text := range texts {
		w, err := ParseWindow(text)
		if err != nil {
			return nil, err
		}
		windows = append(windows, w)
	}
	return windows, nil
}

// searchSteps bounds the search for a moment at which all windows are open.
const searchSteps = 64

// Opens is the first instant from at on at which all windows are open; false if
// the search for one was given up.
func (ws Windows) Opens(at time.Time) (time.Time, bool) {
	for range searchSteps {
		before := at
		for _, w := range ws {
			next, ever := w.opens(at)
			if !ever {
				return time.Time{}, false
			}
			at = next
		}
		if at.Equal(before) {
			return at, true
		}
	}
	return time.Time{}, false
}
