package storage

// standing ranks what a rule was found to say. When a driver has several rules the highest standing decides: a volume
// is encrypted if one of them encrypts it, and is called not encrypted only if all of them are known not to.
type standing uint8

const (
	silent standing = iota
	declined
	unclear
	encrypted
)

// finding is what one rule says about a volume.
type finding struct {
	standing standing
	grade    Grade
	source   Source
	// param and value are what decided.
	param, value string
	// flaw says why a rule is unclear, or why a key that was named did not count. flawed is the parameter it is about.
	flaw   flaw
	flawed string
}

func (f *finding) outranks(g *finding) bool {
	return f.standing > g.standing || f.standing == g.standing && f.grade > g.grade
}

// judge applies the driver's rules and turns the strongest finding into a verdict.
func (e *evidence) judge() Verdict {
	var best finding
	for i := range e.row.Rules {
		f := e.apply(&e.row.Rules[i])
		if i == 0 || f.outranks(&best) {
			best = f
		}
	}
	return e.verdict(&best)
}

// apply says what one rule makes of the parameters.
func (e *evidence) apply(r *Rule) finding {
	p := e.placeOf(r)
	if p.flaw != sound {
		return finding{standing: unclear, source: p.source, flaw: p.flaw}
	}
	for i := range r.Permits {
		if v, found := p.lookup(r.Permits[i].Param); found != absent && !p.holds(&r.Permits[i]) {
			return finding{standing: unclear, source: p.source, param: r.Permits[i].Param, value: v, flaw: refusedValue, flawed: r.Permits[i].Param}
		}
	}
	said, value, fl := r.Switch.read(&p.parameters)
	if fl != sound {
		return finding{standing: unclear, source: p.source, param: r.Switch.Param, value: value, flaw: fl, flawed: r.Switch.Param}
	}
	key := e.keyOf(r, &p)
	switch said {
	case readsOn:
		return key.beside(finding{standing: encrypted, grade: ProviderKey, source: p.source, param: r.Switch.Param, value: value})
	case readsOff:
		return key.against(r, finding{standing: declined, grade: r.Switch.Off, source: p.source, param: r.Switch.Param, value: value})
	default:
		return key.alone(p.source)
	}
}

// read returns what the switch says, its value, and why it cannot be read.
func (s *Switch) read(p *parameters) (reading, string, flaw) {
	if s.Param == "" {
		return readsAbsent, "", sound
	}
	v, found := p.lookup(s.Param)
	switch found {
	case absent:
		return readsAbsent, "", sound
	case disputed:
		return readsAbsent, "", disputedParameter
	}
	said := s.Values.read(v)
	if said == readsNeither {
		return readsAbsent, v, unreadableValue
	}
	return said, v, sound
}

// verdict turns the deciding finding into grade and texts.
func (e *evidence) verdict(f *finding) Verdict {
	switch {
	case f.standing == encrypted || f.standing == declined && f.grade.Encrypted():
		v := Verdict{Grade: f.grade, Source: f.source, Evidence: e.saw(f)}
		if f.flaw != sound {
			v.Why = e.why(f)
		}
		return v
	case f.standing == silent || e.row.Otherwise.Grade.Encrypted():
		return e.byDefault(f)
	case f.standing == declined:
		return Verdict{
			Grade: f.grade, Source: f.source, Evidence: e.saw(f), Why: declinedWhy(f), Remedy: e.remedy(f.grade, sound),
		}
	default:
		return Verdict{Source: e.sourceOr(f), Evidence: e.saw(f), Why: e.why(f), Remedy: e.remedy(Unknown, f.flaw)}
	}
}

// byDefault is the verdict where nothing that counts was said: what the driver does on its own.
func (e *evidence) byDefault(f *finding) Verdict {
	var says sentence
	says.value(e.name)
	says.add(" ")
	says.add(e.row.Otherwise.Says)
	v := Verdict{Grade: e.row.Otherwise.Grade, Source: e.sourceOr(f), Evidence: says.upTo(EvidenceLimit)}
	if v.Grade.Encrypted() {
		if f.flaw != sound {
			v.Why = e.why(f)
		}
		return v
	}
	var why sentence
	why.add("no parameter decides; ")
	why.value(e.name)
	why.add(" ")
	why.add(e.row.Otherwise.Says)
	v.Why, v.Remedy = why.upTo(WhyLimit), e.remedy(v.Grade, sound)
	return v
}

// sourceOr is the source of a finding whose place was read and counts, else the object that is there at all.
func (e *evidence) sourceOr(f *finding) Source {
	if f.source != FromNothing && (f.flawed != "" || f.flaw == sound) {
		return f.source
	}
	return e.source()
}

// remedy says what to do: about the flaw, else about the driver's parameters, which on a volume that exists means
// copying it, because encryption is not switched on in place.
func (e *evidence) remedy(g Grade, f flaw) string {
	if r := f.remedy(); r != "" {
		return r
	}
	switch {
	case e.volume == nil || len(e.row.Rules) == 0:
		return e.row.Remedy
	case g == NotEncrypted:
		return remedyCopy
	default:
		return remedyAttest
	}
}
