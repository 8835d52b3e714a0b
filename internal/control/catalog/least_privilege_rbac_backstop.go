package catalog

import (
	"fmt"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/rights"
)

var rightsBackstop = &control.Backstop{
	Faults: append(excessiveRules(), control.Fault{
		Of:   control.Bindings,
		When: fmt.Sprintf("object.roleRef.kind == 'ClusterRole' && object.roleRef.name == '%s'", clusterAdmin),
		Says: "roleRef is ClusterRole " + clusterAdmin,
	}, control.Fault{
		Of: control.Bindings,
		When: "object.?subjects.orValue([]).exists(s, " +
			"s.kind == 'Group' && (s.name in ['system:authenticated', 'system:unauthenticated', 'system:serviceaccounts'] || s.name.startsWith('system:serviceaccounts:')) || " +
			"s.kind == 'User' && s.name == 'system:anonymous')",
		Says: "subjects have one that stands for everybody",
	}),
	Less: "what other roles grant that a RoleBinding names",
}

// ruled are the rules of a Role, which may be null.
const ruled = "(object.?rules.orValue(null) == null ? [] : object.rules)"

// clusterAdmin is the role of Kubernetes that grants everything.
const clusterAdmin = "cluster-admin"

// excessiveRules are a fault for each excess.
func excessiveRules() []control.Fault {
	faults := make([]control.Fault, len(rights.Excesses))
	for i, excess := range rights.Excesses {
		field, value := excess.Field()
		has := fmt.Sprintf("'%s' in r.?%s.orValue([])", value, field)
		if excess == rights.EveryResource {
			has = fmt.Sprintf("r.resources.exists(x, x == '%[1]s' || x.startsWith('%[1]s/'))", rbacv1.ResourceAll)
		}
		faults[i] = control.Fault{
			Of:   control.Roles,
			When: fmt.Sprintf(ruled+".exists(r, r.?resources.orValue([]).size() > 0 && %s)", has),
			Says: fmt.Sprintf("rules.%s have %q", field, value),
		}
	}
	return faults
}
