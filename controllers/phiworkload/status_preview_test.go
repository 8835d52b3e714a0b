package phiworkload

import (
	"fmt"
	"testing"
	"time"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

func TestPreviewDigest(t *testing.T) {
	entries := func() *previewing {
		return &previewing{
			refuse: []hipaav1.PreviewEntry{{Object: "Deployment/b", Controls: []string{"y", "x", "y"}, Message: "m"}, {Object: "Deployment/a", Controls: []string{"x"}}},
			cut:    []hipaav1.PreviewEntry{{Object: "NetworkPolicy/p", Controls: []string{"x"}}},
		}
	}
	of := func(change func(*previewing)) string {
		t.Helper()
		p := entries()
		change(p)
		preview, err := p.preview()
		if err != nil {
			t.Fatalf("preview: %v", err)
		}
		return preview.Digest
	}
	base := of(func(*previewing) {})
	if len(base) != len("sha256:")+64 {
		t.Errorf("digest %q is not a SHA-256", base)
	}
	tests := map[string]struct {
		give func(*previewing)
		same bool
	}{
		"the order in which they were found":  {func(p *previewing) { p.refuse[0], p.refuse[1] = p.refuse[1], p.refuse[0] }, true},
		"the order of the controls":           {func(p *previewing) { p.refuse[0].Controls = []string{"x", "y"} }, true},
		"the wording":                         {func(p *previewing) { p.refuse[0].Message = "other" }, true},
		"one object more":                     {func(p *previewing) { p.refuse = append(p.refuse, hipaav1.PreviewEntry{Object: "Deployment/c"}) }, false},
		"another control":                     {func(p *previewing) { p.refuse[1].Controls = []string{"z"} }, false},
		"the same object in another list":     {func(p *previewing) { p.change, p.cut = p.cut, nil }, false},
		"an object beyond what is listed too": {func(p *previewing) { p.cut = append(p.cut, many(60)...) }, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := of(tt.give) == base; got != tt.same {
				t.Errorf("same digest: %v, want %v", got, tt.same)
			}
		})
	}
	if got := of(func(p *previewing) { p.refuse[0].Findings = []string{"a", "b"} }); got != base {
		t.Error("the findings are part of the digest")
	}
	long, err := (&previewing{cut: many(60)}).preview()
	if err != nil || len(long.Cut) != 50 || long.Omitted != 10 {
		t.Errorf("60 entries: %d listed, %d omitted, error %v; want 50 and 10", len(long.Cut), long.Omitted, err)
	}
}

func TestAPreviewTellsEveryFindingUpToTheBound(t *testing.T) {
	violations := func(n int) []engine.Violation {
		list := make([]engine.Violation, n)
		for i := range list {
			list[i] = engine.Violation{ControlID: "x", Path: fmt.Sprintf("spec.volumes[%d]", i), Message: "is wrong"}
		}
		return list
	}
	for n, want := range map[int]int{1: 1, 10: 10, 11: 11, 25: 11} {
		preview, err := (&previewing{refuse: []hipaav1.PreviewEntry{entryFor("Deployment/a", violations(n))}}).preview()
		if err != nil {
			t.Fatalf("preview: %v", err)
		}
		findings := preview.Refuse[0].Findings
		if len(findings) != want || findings[0] != "spec.volumes[0] is wrong" {
			t.Errorf("of %d findings %d are told, want %d: %q", n, len(findings), want, findings)
		}
		if last := findings[len(findings)-1]; n > 10 && last != fmt.Sprintf("and %d more", n-10) {
			t.Errorf("of %d findings the last line is %q", n, last)
		}
	}
}

func many(n int) []hipaav1.PreviewEntry {
	entries := make([]hipaav1.PreviewEntry, n)
	for i := range entries {
		entries[i].Object = fmt.Sprintf("Pod/%03d", i)
	}
	return entries
}

func TestAPauseDoesNotSendAWorkloadBack(t *testing.T) {
	s := finished(t, phitest.Profile("strict").PausedFor(time.Hour).Obj())
	if s.effective.Enforces() || !s.goal.Enforces() {
		t.Errorf("enforces: %v with the pause, %v without; want false, true", s.effective.Enforces(), s.goal.Enforces())
	}
	if s.scene.Profiles[0].Spec.Pause == nil {
		t.Error("the profile of the cache was changed")
	}
	if got := s.recheckAfter(); got != time.Hour {
		t.Errorf("looks again after %s, want the end of the pause in 1h", got)
	}
}
