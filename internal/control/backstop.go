package control

import "cmp"

// Backstop is what the API server can hold of a control by itself, without the
// operator: the faults of an object that CEL can tell. It never says more than Check
// says of the same object, so that it refuses nothing which the operator admits.
type Backstop struct {
	// Faults are asked one by one, and all that hold are told.
	Faults []Fault
	// Settings is what Faults know of a workload and of the profile in force for it:
	// they read it as settings, a list of strings. Where nothing but pods has faults,
	// there is always a workload. Optional.
	Settings func(Subject) []string
	// Less says what Check finds and Faults do not; empty where they find the same.
	Less string
}

// Fault is one way to violate a control.
type Fault struct {
	// Of is the kind of object that has the fault: Pods, which is the zero value,
	// Services, Roles, Bindings or Secrets.
	Of Kinds
	// When is a CEL expression that holds where the object has the fault. It reads
	// object, and of pods what [BackstopVariables] lists.
	When string
	// Says is path and finding, such as "spec.hostNetwork is true".
	Says string
	// But is what to do about it, where the control's remedy is about something else.
	But string
}

// Kind is the kind of object that has the fault.
func (f Fault) Kind() Kinds { return cmp.Or(f.Of, Pods) }

// Variable is a part of an object that faults of several controls look at.
type Variable struct{ Name, Expression string }

// TagsVariable are the labels that variables.labels holds, as key=value: looking for
// one in a list is what CEL does fastest.
var TagsVariable = Variable{"tags", "variables.labels.map(k, k + '=' + variables.labels[k])"}

// BackstopVariables are what faults may name beside object, as variables.NAME. A
// request that adds ephemeral containers is about these alone: whatever else the pod
// has was judged when it was made. A fault reads the instant of the request as
// variables.created; where it reads settings, workload is the name of theirs.
var BackstopVariables = []Variable{
	{"whole", "request.?subResource.orValue('') != 'ephemeralcontainers'"},
	{"labels", "object.metadata.?labels.orValue({})"},
	TagsVariable,
	{"created", "timestamp(object.metadata.creationTimestamp)"},
	{"containers", "variables.whole ? " +
		"object.spec.containers + object.spec.?initContainers.orValue([]) + object.spec.?ephemeralContainers.orValue([]) : " +
		"object.spec.?ephemeralContainers.orValue([]).filter(c, !oldObject.spec.?ephemeralContainers.orValue([]).exists(o, o.name == c.name))"},
	{"volumes", "variables.whole ? object.spec.?volumes.orValue([]) : []"},
	{"secured", "object.spec.?securityContext.orValue({})"},
	{"windows", "object.spec.?os.?name.orValue('') == 'windows'"},
	{"hostUsers", "object.spec.?hostUsers.orValue(true)"},
}
