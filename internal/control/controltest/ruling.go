package controltest

import (
	"fmt"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/engine"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// judge is an engine under a ruling that enforces every control.
type judge struct {
	engine *engine.Engine
	ruling engine.Ruling
}

// enforcing panics only where a catalogue has one ID twice.
func enforcing(catalog []control.Control) judge {
	e, err := engine.New(catalog)
	if err != nil {
		panic(err)
	}
	profiles := []*hipaav1.ComplianceProfile{phitest.Profile("enforcing").Obj()}
	effective, err := e.Resolve(profiles, phitest.Namespace(phitest.DefaultNamespace).Obj(), nil, phitest.Epoch)
	if err != nil {
		panic(err)
	}
	return judge{engine: e, ruling: engine.Ruling{Effective: effective, Now: phitest.Epoch}}
}

func (j judge) admit(s control.Subject) engine.Decision { return j.engine.Admit(s, j.ruling) }

func (j judge) live(s control.Subject) []engine.Result { return j.engine.Judge(s, j.ruling) }

// deniedBy lists the sentences of a decision by control.
func deniedBy(d engine.Decision) map[string][]string {
	denied := map[string][]string{}
	for _, v := range d.Denied {
		denied[v.ControlID] = append(denied[v.ControlID], v.Object+": "+v.Sentence())
	}
	return denied
}

// complaints are what a control does against a law, as sentences.
type complaints []string

func (c *complaints) add(format string, args ...any) {
	*c = append(*c, fmt.Sprintf(format, args...))
}

// unless complains where a demand does not hold.
func (c *complaints) unless(holds bool, complaint string) {
	if !holds {
		c.add("%s", complaint)
	}
}
