package storage

// keyFinding is what a rule's keys were found to be.
type keyFinding struct {
	key *Key
	// grade is CustomerKey, or ProviderKey for an id of the provider's default key, or Unknown where no key counts.
	grade        Grade
	source       Source
	param, value string
	flaw         flaw
}

// keyOf returns the first key that is present, whether or not it counts.
func (e *evidence) keyOf(r *Rule, p *place) keyFinding {
	for i := range r.Keys {
		k := &r.Keys[i]
		if f, found := k.read(e, p); found {
			return f
		}
	}
	return keyFinding{}
}

// read looks for one key. An annotation of an unbound claim comes first and, even when empty, hides the parameters.
func (k *Key) read(e *evidence, p *place) (keyFinding, bool) {
	if k.Annotation != "" && e.unboundClaim != nil {
		if v, ok := e.unboundClaim.Annotations[k.Annotation]; ok {
			return k.weigh(p, keyFinding{key: k, source: FromClaimAnnotation, param: k.Annotation, value: v})
		}
	}
	for _, name := range k.Params {
		v, found := p.lookup(name)
		switch found {
		case disputed:
			return keyFinding{key: k, source: p.source, param: name, flaw: disputedParameter}, true
		case present:
			return k.weigh(p, keyFinding{key: k, source: p.source, param: name, value: v})
		}
	}
	return keyFinding{}, false
}

// weigh says whether a value names a key, and whose.
func (k *Key) weigh(p *place, f keyFinding) (keyFinding, bool) {
	if f.value == "" {
		return keyFinding{}, false
	}
	own := anyMatches(k.ProvidersOwn, f.value)
	switch {
	case !own && !anyMatches(k.Forms, f.value):
		f.value, f.flaw = "", keyWithoutForm
	case !k.needed(p):
		f.flaw = keyUnused
	case k.replaceable(p):
		f.flaw = keyReplaceable
	case own:
		f.grade = ProviderKey
	default:
		f.grade = CustomerKey
	}
	return f, true
}

func (k *Key) needed(p *place) bool {
	for i := range k.Needs {
		if p.holds(&k.Needs[i]) {
			return true
		}
	}
	return len(k.Needs) == 0
}

func (k *Key) replaceable(p *place) bool {
	for _, name := range k.Unless {
		if _, found := p.lookup(name); found != absent {
			return true
		}
	}
	return false
}

// beside is the finding where the switch is on: the key says whose key it is, and takes no encryption away.
func (f *keyFinding) beside(on finding) finding {
	if f.key == nil {
		return on
	}
	if f.grade == Unknown {
		on.flaw, on.flawed = f.flaw, f.param
		return on
	}
	return f.encrypts()
}

// against is the finding where the switch is off.
func (f *keyFinding) against(r *Rule, off finding) finding {
	switch {
	case f.key != nil && f.key.Role == Prevails && f.grade != Unknown:
		return f.encrypts()
	case r.Switch.Off == Unknown:
		off.standing, off.flaw, off.flawed = unclear, backendDecides, r.Switch.Param
	case f.key != nil && f.key.Role != Refines && !r.Switch.Off.Encrypted():
		off.standing, off.grade, off.flaw, off.flawed = unclear, Unknown, contradiction, r.Switch.Param
	}
	return off
}

// alone is the finding where the switch is silent.
func (f *keyFinding) alone(source Source) finding {
	if f.key == nil || f.key.Role == Refines {
		return finding{source: source}
	}
	if f.grade == Unknown {
		return finding{standing: unclear, source: f.source, param: f.param, value: f.value, flaw: f.flaw, flawed: f.param}
	}
	return f.encrypts()
}

func (f *keyFinding) encrypts() finding {
	return finding{standing: encrypted, grade: f.grade, source: f.source, param: f.param, value: f.value}
}
