package phiworkload

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/outcome"
	"github.com/hipaa-operator/hipaa-operator/internal/repair"
)

// Bounds of a preview in the status.
const (
	maxEntries       = 50
	maxEntryControls = 32
	maxFindings      = 10
	maxEntryMessage  = 500
)

// previewRuling is what a preview asks about: what the profiles enforce, pauses
// aside; while they enforce nothing, all that they judge; where only some controls
// wait, these.
func previewRuling(s *scope) engine.Ruling {
	ruling := engine.Ruling{Effective: s.goal, Stage: hipaav1.StageEnforced, Exceptions: s.scene.Exceptions, Now: s.now}
	switch {
	case !s.goal.Enforces():
		ruling.Effective = s.goal.Raised()
	case len(s.raised) > 0:
		ruling.Entered = map[string]bool{}
		for _, id := range s.raised {
			ruling.Entered[id] = true
		}
	}
	return ruling
}

// previewOf is what Enforce would do.
func (r *Reconciler) previewOf(ctx context.Context, s *scope) (*hipaav1.Preview, error) {
	ruling := previewRuling(s)
	var p previewing
	for i := range s.drafts {
		p.template(r.Engine, ruling, &s.drafts[i])
	}
	for _, side := range []struct {
		subject  control.Subject
		workload string
	}{{s.subject, s.workload.Name}, {s.rest, ""}} {
		owned, _ := r.Engine.Owned(side.subject, ruling)
		owned = slices.DeleteFunc(owned, func(o engine.Owned) bool { return !o.Enforce || !closes(o.Object) })
		appear, change, err := r.Corrector.Lacking(ctx, repair.Order{Namespace: s.workload.Namespace, Workload: side.workload, Owned: owned})
		if err != nil {
			return nil, fmt.Errorf("previewing: %w", err)
		}
		p.objects(r, appear, "would be created")
		p.objects(r, change, "would be changed")
	}
	results := r.Engine.Judge(s.subject, ruling)
	p.later(results)
	p.connections(r.Engine.Enforcing(control.Connections, s.subject, ruling))
	for _, f := range foreignTo(s, results) {
		goes, err := r.mayRemove(ctx, s, f)
		if err != nil {
			return nil, fmt.Errorf("previewing: %w", err)
		}
		if goes {
			p.cut = append(p.cut, hipaav1.PreviewEntry{Object: f.kind + "/" + f.Object.GetName(), Controls: []string{f.ControlID}, Message: "would be removed: " + f.Was})
		}
	}
	return p.preview()
}

// closes reports whether an object that the operator owns closes anything. What
// configures proxies takes effect by the pods that have them.
func closes(object client.Object) bool {
	_, configures := object.(*corev1.ConfigMap)
	return !configures
}

// previewing collects the entries of a preview.
type previewing struct{ refuse, change, cut []hipaav1.PreviewEntry }

// template tells what becomes of a template.
func (p *previewing) template(e *engine.Engine, ruling engine.Ruling, d *draft) {
	denied, changedBy := d.ask(e, ruling)
	if len(denied) > 0 {
		p.refuse = append(p.refuse, entryFor(d.Object, denied))
	}
	if len(changedBy) > 0 {
		p.change = append(p.change, hipaav1.PreviewEntry{Object: d.Object, Controls: changedBy, Message: "its pods would get what these controls add"})
	}
}

// ask asks about the first pod of a template, as admission would change it, and the
// claims that come with it. What is only unknown does not refuse a template: the
// moment of the pod decides.
func (d *draft) ask(e *engine.Engine, ruling engine.Ruling) (denied []engine.Violation, changedBy []string) {
	pod := d.pod
	world := *pod.World
	world.Claims, world.Classes = maps.Clone(world.Claims), maps.Clone(world.Classes)
	pod.World, pod.Profile = &world, ruling.Effective.Parameters
	for _, claim := range d.claims {
		claim.Claim, claim.Profile = claim.Claim.DeepCopy(), ruling.Effective.Parameters
		e.Default(claim, ruling)
		denied = append(denied, e.Admit(claim, ruling).Denied...)
		world.Claims[claim.Claim.Name] = claim.Claim
		maps.Copy(world.Classes, claim.World.Classes)
	}
	_, changedBy, decision := e.Preview(pod, ruling)
	denied = slices.DeleteFunc(append(denied, decision.Denied...), func(v engine.Violation) bool { return v.Verdict != hipaav1.VerdictFail })
	return denied, changedBy
}

// entryFor tells everything that is found against an object.
func entryFor(object string, violations []engine.Violation) hipaav1.PreviewEntry {
	entry := hipaav1.PreviewEntry{Object: object}
	for _, v := range violations {
		entry.Controls = append(entry.Controls, v.ControlID)
		entry.Findings = append(entry.Findings, v.Sentence())
	}
	return entry
}

// later tells of what is there and stays, and whose next change would be refused:
// controllers of applications write such objects too, at a failover for instance.
func (p *previewing) later(results []engine.Result) {
	kinds := []string{control.Services.String(), control.Slices.String()}
	for _, result := range results {
		if result.Mode != hipaav1.ModeEnforce {
			continue
		}
		found := map[string][]engine.Violation{}
		for _, v := range result.Violations {
			kind, _, _ := strings.Cut(v.Object, "/")
			if v.Verdict == hipaav1.VerdictFail && v.ExceptedBy == "" && slices.Contains(kinds, kind) {
				found[v.Object] = append(found[v.Object], v)
			}
		}
		for _, object := range slices.Sorted(maps.Keys(found)) {
			entry := entryFor(object, found[object])
			entry.Message = "stays as it is; changes of it would be refused"
			p.refuse = append(p.refuse, entry)
		}
	}
}

// connections tells of what leaves nothing behind by which a preview could know it.
func (p *previewing) connections(controls []string) {
	if len(controls) > 0 {
		p.refuse = append(p.refuse, hipaav1.PreviewEntry{
			Object: control.Connections.String() + "/*", Controls: controls,
			Message: "exec, attach, port-forward and proxied requests would be refused without a grant, those of tools too",
		})
	}
}

func (p *previewing) objects(r *Reconciler, owned []engine.Owned, what string) {
	for _, o := range owned {
		p.cut = append(p.cut, hipaav1.PreviewEntry{
			Object: r.kindOf(o.Object) + "/" + o.Object.GetName(), Controls: []string{o.ControlID}, Message: what + "; flows that nobody declared would close",
		})
	}
}

func (p *previewing) preview() (*hipaav1.Preview, error) {
	for _, list := range []*[]hipaav1.PreviewEntry{&p.refuse, &p.change, &p.cut} {
		tidy(*list)
	}
	digest, err := digestOf(p.refuse, p.change, p.cut)
	if err != nil {
		return nil, err
	}
	preview := &hipaav1.Preview{Digest: digest}
	preview.Refuse = bounded(p.refuse, &preview.Omitted)
	preview.Change = bounded(p.change, &preview.Omitted)
	preview.Cut = bounded(p.cut, &preview.Omitted)
	return preview, nil
}

// tidy sorts the entries and what is in them.
func tidy(entries []hipaav1.PreviewEntry) {
	for i := range entries {
		e := &entries[i]
		slices.Sort(e.Controls)
		e.Controls = slices.Compact(e.Controls)
		e.Controls = e.Controls[:min(len(e.Controls), maxEntryControls)]
		e.Message = outcome.Shorten(e.Message, maxEntryMessage)
		e.Findings = boundedFindings(e.Findings)
	}
	slices.SortFunc(entries, func(a, b hipaav1.PreviewEntry) int {
		return cmp.Or(cmp.Compare(a.Object, b.Object), slices.Compare(a.Controls, b.Controls))
	})
}

// boundedFindings keeps as many as the status takes, and says how many more there
// are.
func boundedFindings(findings []string) []string {
	more := len(findings) - maxFindings
	findings = bound(findings, maxFindings)
	for i := range findings {
		findings[i] = outcome.Shorten(findings[i], maxEntryMessage)
	}
	if more > 0 {
		findings = append(findings, fmt.Sprintf("and %d more", more))
	}
	return findings
}

func bounded(entries []hipaav1.PreviewEntry, omitted *int32) []hipaav1.PreviewEntry {
	if len(entries) <= maxEntries {
		return entries
	}
	*omitted += int32(len(entries) - maxEntries) //nolint:gosec // a count of objects
	return entries[:maxEntries]
}

// digestOf identifies a preview by which controls concern which objects, all of
// them. Messages stay out: they may name what changes by itself, and people
// accept what happens, not how it is worded.
func digestOf(lists ...[]hipaav1.PreviewEntry) (string, error) {
	type entry struct {
		Object   string   `json:"object"`
		Controls []string `json:"controls"`
	}
	content := make([][]entry, len(lists))
	for i, list := range lists {
		content[i] = make([]entry, len(list))
		for j, e := range list {
			content[i][j] = entry{Object: e.Object, Controls: e.Controls}
		}
	}
	encoded, err := json.Marshal(content)
	if err != nil {
		return "", fmt.Errorf("encoding the preview: %w", err)
	}
	sum := sha256.Sum256(encoded)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}

func isEmpty(p *hipaav1.Preview) bool {
	return len(p.Refuse)+len(p.Change)+len(p.Cut) == 0
}
