package storage

import (
	"slices"
	"strings"
)

// Values says how a driver reads a parameter that turns encryption on or off. A value in neither list is not guessed
// at: drivers differ in what they make of it (refuse it, or read it as no), so the grade is Unknown.
type Values struct {
	// On lists the values that turn encryption on.
	On []string
	// Off lists the values that turn it off.
	Off []string
	// FoldCase is true where the driver ignores the case of the value.
	FoldCase bool
}

// What drivers accept, as read in their code.
var (
	// exactTrue: the driver compares with "true" and takes everything else for no.
	exactTrue = Values{On: []string{"true"}, Off: []string{"false"}}
	// parsedBool: the driver calls strconv.ParseBool.
	parsedBool = Values{
		On:  []string{"true", "1", "t", "T", "TRUE", "True"},
		Off: []string{"false", "0", "f", "F", "FALSE", "False"},
	}
	// yesTrueOne: the driver lower-cases the value and takes these for yes.
	yesTrueOne = Values{On: []string{"true", "yes", "1"}, Off: []string{"false", "no", "0"}, FoldCase: true}
	// zfsEncryption: the values of the ZFS property of that name, zfsprops(7).
	zfsEncryption = Values{
		On: []string{
			"on", "aes-128-ccm", "aes-192-ccm", "aes-256-ccm", "aes-128-gcm", "aes-192-gcm", "aes-256-gcm",
		},
		Off: []string{"off"},
	}
)

// reading is what a switch was found to say.
type reading uint8

const (
	readsAbsent reading = iota
	readsOn
	readsOff
	readsNeither
)

func (v *Values) read(value string) reading {
	switch {
	case v.holds(v.On, value):
		return readsOn
	case v.holds(v.Off, value):
		return readsOff
	default:
		return readsNeither
	}
}

func (v *Values) holds(list []string, value string) bool {
	if !v.FoldCase {
		return slices.Contains(list, value)
	}
	for _, have := range list {
		if strings.EqualFold(have, value) {
			return true
		}
	}
	return false
}
