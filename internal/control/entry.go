package control

// Entry is a control as lists show it.
type Entry struct {
	ID       string   `json:"id"`
	Title    string   `json:"title"`
	Severity Severity `json:"severity"`
	// Cites are the paragraphs it rests on.
	Cites []string `json:"cites"`
	// Judges are the kinds of object.
	Judges []string `json:"judges"`
	// Decided says where a violation can be told: at admission, live, or both.
	Decided string `json:"decided"`
	// Decides says it in sentences.
	Decides string `json:"decides"`
	// Since is the ruleset that brought it.
	Since      string      `json:"since"`
	Parameters []Parameter `json:"parameters,omitempty"`
}

// EntryOf describes a control. Where it decides is what its Breaks show.
func EntryOf(c Control) Entry {
	e := Entry{ID: c.ID, Title: c.Title, Severity: c.Severity, Decides: c.Decides, Since: c.Since.String(), Parameters: c.Parameters}
	for _, cite := range c.Cites {
		e.Cites = append(e.Cites, cite.String())
	}
	for _, kind := range c.Judges.Each() {
		e.Judges = append(e.Judges, kind.String())
	}
	refused, reported := false, false
	for _, b := range c.Breaks {
		refused, reported = refused || !b.Reported, reported || b.Reported
	}
	switch {
	case refused && reported:
		e.Decided = "admission and live"
	case reported:
		e.Decided = "live"
	default:
		e.Decided = "admission"
	}
	return e
}
