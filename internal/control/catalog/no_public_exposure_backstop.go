package catalog

import (
	"slices"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/flows"
)

// exposureBackstop knows whether the workload declares callers by address at all; its
// faults read it as a list of one word, or of none.
var exposureBackstop = &control.Backstop{
	Settings: func(s control.Subject) []string {
		if s.Workload == nil {
			return nil
		}
		for _, f := range flows.Of(&s, s.Workload).Ingress {
			if slices.ContainsFunc(f.Peers, isBlock) {
				return []string{"by-address"}
			}
		}
		return nil
	},
	Faults: []control.Fault{
		{
			Of: control.Services, When: leadsToPods + onEveryNode + " && settings.size() == 0",
			Says: "spec.type lets callers from outside the cluster in, where no PHIWorkload declares any by address",
		},
		{
			Of: control.Services, When: leadsToPods + onAddresses + " && settings.size() == 0",
			Says: "spec.externalIPs let callers from outside the cluster in, where no PHIWorkload declares any by address",
		},
		{
			Of: control.Services,
			When: leadsToPods + "(" + onEveryNode + " || " + onAddresses + ") && settings.size() > 0 && " +
				"object.spec.?externalTrafficPolicy.orValue('') != 'Local'",
			Says: "spec.externalTrafficPolicy is not Local, and nodes put their own address in place of the declared callers'",
		},
	},
	Less: "on which ports a workload declares callers, and Ingresses",
}

const (
	leadsToPods = "object.spec.?selector.orValue({}).size() > 0 && object.spec.?type.orValue('') != 'ExternalName' && "
	onEveryNode = "object.spec.?type.orValue('') in ['NodePort', 'LoadBalancer']"
	onAddresses = "object.spec.?externalIPs.orValue([]).size() > 0"
)
