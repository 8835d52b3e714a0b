package bench

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"
)

// sample is a set of durations.
type sample []time.Duration

// at is a quantile in milliseconds; zero of an empty sample.
func (s sample) at(q float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(s))
	return float64(sorted[int(q*float64(len(sorted)-1))]) / float64(time.Millisecond)
}

func (s sample) report(b *testing.B, name string) {
	b.Helper()
	b.ReportMetric(s.at(0.50), name+"-p50-ms")
	b.ReportMetric(s.at(0.99), name+"-p99-ms")
}

// ticksPerSecond is the kernel's USER_HZ, 100 on every Linux architecture that Go
// supports.
const ticksPerSecond = 100

// cpu is how much CPU a process has used, from /proc (see proc(5)).
func cpu(pid int) (time.Duration, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading CPU time: %w", err)
	}
	fields := bytes.Fields(content[bytes.LastIndexByte(content, ')')+1:])
	const userTime, systemTime = 11, 12
	ticks := 0
	for _, i := range []int{userTime, systemTime} {
		n, err := strconv.Atoi(string(fields[i]))
		if err != nil {
			return 0, fmt.Errorf("reading CPU time: %w", err)
		}
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// resident is how much memory a process holds, in MiB.
func resident(pid int) (float64, error) {
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, fmt.Errorf("reading memory: %w", err)
	}
	pages, err := strconv.Atoi(string(bytes.Fields(content)[1]))
	if err != nil {
		return 0, fmt.Errorf("reading memory: %w", err)
	}
	return float64(pages*os.Getpagesize()) / (1 << 20), nil
}
