package control

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

// DocPage writes a control's reference page in Markdown. It depends on nothing
// but the control, so that whoever writes the page and whoever tests it agree.
func DocPage(c Control) string {
	p := &page{}
	p.line("<!-- Code generated from the control's descriptor. DO NOT EDIT. -->")
	p.line("# %s", c.ID)
	p.line("**%s.** Severity %s; judges %s; since ruleset %s.", c.Title, c.Severity, c.Judges, c.Since)
	p.citations(c.Cites)
	p.section("Why", c.Why)
	p.section("What decides", c.Decides)
	p.resources(c.Resources)
	p.families(c.Families)
	p.evidence(&c)
	p.section("What the operator does", acts(&c))
	p.backstop(c.Backstop)
	p.parameters(c.Parameters)
	p.section("Remedy", sentence(c.Remedy))
	p.line("## Example")
	p.line("```yaml\n%s```", c.Example)
	p.breaks(c.Breaks)
	return p.text.String()
}

// page collects blocks with an empty line between them.
type page struct{ text strings.Builder }

func (p *page) line(format string, args ...any) {
	if p.text.Len() > 0 {
		p.text.WriteString("\n")
	}
	fmt.Fprintf(&p.text, format, args...)
	p.text.WriteString("\n")
}

func (p *page) section(heading, text string) {
	p.line("## %s", heading)
	p.line("%s", text)
}

func (p *page) citations(cites []hipaa.Citation) {
	var rows strings.Builder
	rows.WriteString("| paragraph | heading | obligation |\n|---|---|---|")
	for _, c := range cites {
		fmt.Fprintf(&rows, "\n| %s | %s | %s |", c, c.Title, obligation(c.Obligation))
	}
	p.line("%s", rows.String())
}

// resources lists the types that the control knows.
func (p *page) resources(types []ResourceType) {
	if len(types) == 0 {
		return
	}
	rows := make([]string, len(types))
	for i, t := range types {
		rows[i] = fmt.Sprintf("- %s: `%s`", t.Kind, t)
	}
	p.line("Resources that it knows, by kind and by the name and version of their CRD:")
	p.line("%s", strings.Join(rows, "\n"))
}

// families lists the ends of API groups.
func (p *page) families(families []Family) {
	if len(families) == 0 {
		return
	}
	ends := make([]string, len(families))
	for i := range families {
		ends[i] = "`" + families[i].Suffix + "`"
	}
	p.line("And all resources of API groups that end in %s.", strings.Join(ends, ", "))
}

// obligation says what a marking in the Code means for people.
func obligation(o hipaa.Obligation) string {
	switch o {
	case hipaa.Addressable:
		return "addressable: implement it, or document why not and what does instead (164.306(d)(3))"
	case hipaa.Required:
		return "required"
	default:
		return "standard"
	}
}

func (p *page) evidence(c *Control) {
	var rows []string
	if c.Needs != 0 {
		rows = append(rows, "- At admission and live: "+c.Needs.String()+".")
	}
	if c.NeedsLive != 0 {
		rows = append(rows, "- Only live: "+c.NeedsLive.String()+".")
	}
	if len(rows) == 0 {
		rows = append(rows, "- Nothing beside the object itself.")
	}
	p.line("Evidence that it reads; while any of it cannot be read the verdict is Unknown:")
	p.line("%s", strings.Join(rows, "\n"))
}

func acts(c *Control) string {
	var rows []string
	if c.Mutate != nil {
		rows = append(rows, "- adds what is missing to pods at admission;")
	}
	if c.Default != nil {
		rows = append(rows, "- fills in PersistentVolumeClaims at admission;")
	}
	if c.Owns != nil {
		rows = append(rows, "- owns objects in the namespace and corrects what departs from them;")
	}
	rows = append(rows, "- refuses what violates the control, and reports it live;", replaces(c))
	return "In mode Enforce it\n" + strings.Join(rows, "\n")
}

// backstop lists what needs no operator.
func (p *page) backstop(b *Backstop) {
	if b == nil {
		return
	}
	p.line("## While the operator is gone")
	less := "That is all this control finds at admission of these kinds."
	if b.Less != "" {
		less = "That is not all this control finds: " + b.Less + "."
	}
	p.line("In mode Enforce the API server by itself refuses new pods and ephemeral containers, and Services, Roles, RoleBindings and "+
		"Secrets that are new or changed, for the faults below. %s", less)
	rows := make([]string, len(b.Faults))
	for i, fault := range b.Faults {
		rows[i] = fmt.Sprintf("- %s: %s;", fault.Kind(), fault.Says)
	}
	p.line("%s.", strings.TrimSuffix(strings.Join(rows, "\n"), ";"))
}

func replaces(c *Control) string {
	switch {
	case !c.Judges.Has(Pods):
		return "- interrupts no running pod."
	case c.Replaces:
		return "- evicts running pods that violate it, as far as continuity, windows and budgets let it, so that they come back through admission."
	default:
		return "- interrupts no running pod that violates it: that is reported until the pod restarts."
	}
}

func (p *page) parameters(parameters []Parameter) {
	p.line("## Parameters")
	var rows strings.Builder
	rows.WriteString("| field of the profile's spec | basis | meaning |\n|---|---|---|")
	for _, parameter := range parameters {
		fmt.Fprintf(&rows, "\n| `%s` | %s | %s |", parameter.Path, parameter.Basis, parameter.Meaning)
	}
	p.line("%s", rows.String())
}

// breaks lists what tests hold: each of these is refused, or reported live.
func (p *page) breaks(breaks Breaks) {
	p.line("## What it finds")
	p.line("Each of these is a test:")
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(breaks)) {
		how := "refused"
		if breaks[name].Reported {
			how = "reported live"
		}
		rows = append(rows, fmt.Sprintf("- %s (%s): %s.", name, breaks[name].Kind, how))
	}
	p.line("%s", strings.Join(rows, "\n"))
}

// sentence gives a remedy the form of one.
func sentence(text string) string {
	if text == "" {
		return text
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}
