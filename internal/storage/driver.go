package storage

import (
	"slices"
	"strings"
)

// Driver is one row of the table: what a CSI driver makes of its parameters, as far as encryption at rest goes.
type Driver struct {
	// Name is the CSI driver's name: PersistentVolume spec.csi.driver and StorageClass provisioner.
	Name string
	// Prefixed is true where operators install the driver as "<something>.<Name>", as Rook and OpenShift do with Ceph.
	Prefixed bool
	// InTree lists provisioners of the time before CSI that Kubernetes redirects to this driver.
	InTree []string
	// Memory is true where the driver's volumes live in the node's memory.
	Memory bool
	// FoldNames is true where the driver ignores the case of parameter names.
	FoldNames bool
	// Rules say how the driver is told to encrypt. The strongest one that applies decides.
	Rules []Rule
	// Otherwise is what holds when no rule says anything.
	Otherwise Default
	// Notes explain parameters that look like encryption at rest and are not, or that cannot be read from here.
	Notes []Parameter
	// Remedy says what to write so that new volumes are encrypted.
	Remedy string
	// Basis and Reference say how and where Rules and Notes were learnt.
	Basis     Basis
	Reference string
}

// Rule is one way to tell a driver to encrypt: a switch, keys that go with it, or a key alone.
type Rule struct {
	// Switch is the parameter that turns encryption on and off. Empty Param: there is none, a key is all it takes.
	Switch Switch
	// Keys are the parameters that name the key, strongest first: the first one present is used.
	Keys []Key
	// Permits lists parameters that may be absent or have one of the values. Anything else and the driver refuses the
	// class, so what stands beside it says nothing about a volume that exists.
	Permits []Condition
	// Carried says whether a volume bears the parameters of this rule itself.
	Carried Carriage
}

// Switch is a parameter that turns encryption on and off.
type Switch struct {
	Param  string
	Values Values
	// Off is the grade of an explicit no: NotEncrypted, or ProviderKey where the platform encrypts all the same, or
	// Unknown where something below the driver decides.
	Off Grade
}

// Key is a parameter that names an encryption key of the customer's.
type Key struct {
	// Params are names of the parameter; the first one present counts.
	Params []string
	// Annotation of an unbound claim that takes the place of Params, even when empty.
	Annotation string
	// Forms are the forms of an id. A value with none of them does not count and is not repeated anywhere.
	Forms []Form
	// ProvidersOwn are the forms of ids that name the provider's default key.
	ProvidersOwn []Form
	// Role says what the key does without the switch.
	Role Role
	// Needs: one of these must hold, or the driver has no use for the key. Empty: it always has.
	Needs []Condition
	// Unless lists parameters whose presence means that something out of sight may replace the key.
	Unless []string
}

// Condition holds when a parameter has one of the values, compared exactly.
type Condition struct {
	Param  string
	Values []string
}

// Role says what naming a key means.
type Role uint8

const (
	// Refines: the key is used only while the switch is on.
	Refines Role = iota
	// Enables: naming a key turns encryption on where the switch is silent; beside an explicit no it is a contradiction.
	Enables
	// Prevails: naming a key turns encryption on, whatever the switch says.
	Prevails
)

// Carriage says whether parameters of a class are found again on the volumes made by it.
type Carriage uint8

const (
	// Nowhere: the volume does not show them; only the class it was made by does.
	Nowhere Carriage = iota
	// Copied: the driver copies them to the volume's attributes when it makes the volume. A volume that it did not make
	// has attributes that somebody typed, which encrypt nothing.
	Copied
	// Applied: the node plugin obeys the volume's attributes or Secret reference at each mount, whoever wrote them.
	Applied
)

var carriageNames = [...]string{"the class only", "copied to the volume", "applied at each mount"}

// String returns a phrase for documentation, for example "copied to the volume".
func (c Carriage) String() string {
	if int(c) < len(carriageNames) {
		return carriageNames[c]
	}
	return carriageNames[Nowhere]
}

// Default is what a driver does when no parameter tells it.
type Default struct {
	// Grade that follows. An encrypted grade is a promise of the provider for every volume, however it was made.
	Grade Grade
	// Says is the rest of a sentence that begins with the driver's name.
	Says string
	// Basis and Reference say how and where this was learnt.
	Basis     Basis
	Reference string
}

// Basis says how a fact about a driver was learnt.
type Basis uint8

const (
	// Knowledge: generally known, not verified. Never enough for an encrypted grade.
	Knowledge Basis = iota
	// Documented: the provider's documentation says so.
	Documented
	// Code: read in the driver's source.
	Code
)

var basisNames = [...]string{"Knowledge", "Documented", "Code"}

// String returns the name that the reference page uses, for example Code.
func (b Basis) String() string {
	if int(b) < len(basisNames) {
		return basisNames[b]
	}
	return basisNames[Knowledge]
}

// Drivers returns a copy of the table, sorted by name, from which the reference page is generated.
func Drivers() []Driver {
	rows := make([]Driver, len(drivers))
	for i := range drivers {
		rows[i] = drivers[i].clone()
	}
	slices.SortFunc(rows, func(a, b Driver) int { return strings.Compare(a.Name, b.Name) })
	return rows
}

func (d *Driver) clone() Driver {
	c := *d
	c.InTree = slices.Clone(d.InTree)
	c.Notes = slices.Clone(d.Notes)
	c.Rules = slices.Clone(d.Rules)
	for i := range c.Rules {
		c.Rules[i] = c.Rules[i].clone()
	}
	return c
}

func (r *Rule) clone() Rule {
	c := *r
	c.Switch.Values.On = slices.Clone(r.Switch.Values.On)
	c.Switch.Values.Off = slices.Clone(r.Switch.Values.Off)
	c.Permits = cloneConditions(r.Permits)
	c.Keys = slices.Clone(r.Keys)
	for i, k := range c.Keys {
		k.Params = slices.Clone(k.Params)
		k.Forms = slices.Clone(k.Forms)
		k.ProvidersOwn = slices.Clone(k.ProvidersOwn)
		k.Needs = cloneConditions(k.Needs)
		k.Unless = slices.Clone(k.Unless)
		c.Keys[i] = k
	}
	return c
}

func cloneConditions(list []Condition) []Condition {
	c := slices.Clone(list)
	for i := range c {
		c[i].Values = slices.Clone(c[i].Values)
	}
	return c
}

// serves reports whether a provisioner makes volumes for the driver of this name. Both are names of this row; where the
// name has a prefix there may be two installations, each with its own volumes.
func (d *Driver) serves(provisioner, driver string) bool {
	return find(provisioner) == d && (!d.Prefixed || provisioner == driver)
}

// byName indexes the table by every name a row answers to.
var byName = indexDrivers()

func indexDrivers() map[string]*Driver {
	index := make(map[string]*Driver, 2*len(drivers))
	for i := range drivers {
		d := &drivers[i]
		index[d.Name] = d
		for _, name := range d.InTree {
			index[name] = d
		}
	}
	return index
}

// find returns the row that answers to a driver's or provisioner's name, nil if there is none.
func find(name string) *Driver {
	if d := byName[name]; d != nil {
		return d
	}
	_, rest, cut := strings.Cut(name, ".")
	if d := byName[rest]; cut && d != nil && d.Prefixed {
		return d
	}
	return nil
}
