package storage

// saw words what was read: driver, parameter, value. A value that may be a key was already taken away.
func (e *evidence) saw(f *finding) string {
	var s sentence
	s.value(e.name)
	if f.param != "" {
		s.add(" ")
		s.add(f.param)
	}
	switch {
	case f.flaw == unreadableValue || f.flaw == refusedValue:
		s.add(" ")
		s.word(f.value)
	case f.value != "":
		s.add(" ")
		s.value(f.value)
	}
	return s.upTo(EvidenceLimit)
}

// declinedWhy words what an explicit no means.
func declinedWhy(f *finding) string {
	var s sentence
	s.add(f.param)
	s.add(" ")
	s.quoted(f.value)
	s.add(" declines encryption")
	return s.upTo(WhyLimit)
}

// why words a flaw, with the name of the object or parameter it is about.
func (e *evidence) why(f *finding) string {
	var s sentence
	if f.flawed != "" {
		s.add(f.flawed)
		s.add(" ")
	} else {
		e.subjectOf(&s, f.flaw)
	}
	s.add(flawTexts[f.flaw])
	return s.upTo(WhyLimit)
}

// subjectOf words the object that a flaw is about, where its text begins with a verb.
func (e *evidence) subjectOf(s *sentence, f flaw) {
	switch f {
	case handMade, otherClaim:
		if e.volume != nil {
			s.add("PersistentVolume ")
			s.quoted(e.volume.Name)
			s.add(" ")
		}
	case classUnread:
		s.add("StorageClass ")
		if e.volume != nil {
			s.quoted(volumeClass(e.volume))
			s.add(" ")
		}
	case otherClass, classYounger, classAgeless:
		s.add("StorageClass ")
		s.quoted(e.class.Name)
		s.add(" ")
	case otherProvisioner:
		s.quoted(e.class.Provisioner)
		s.add(" ")
	}
}
