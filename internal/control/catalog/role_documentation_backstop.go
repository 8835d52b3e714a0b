package catalog

import (
	"fmt"
	"strings"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

// documentationFaults are those that documented finds of a Role.
func documentationFaults() []control.Fault {
	classes := make([]string, len(hipaav1.AllDataClasses))
	for i, class := range hipaav1.AllDataClasses {
		classes[i] = "'" + string(class) + "'"
	}
	faults := []control.Fault{
		{
			When: fmt.Sprintf("bytes(%s.trim()).size() < %d", annotated(hipaav1.AnnotationRolePurpose), purposeLength),
			Says: lacking(hipaav1.AnnotationRolePurpose, "does not say what the rights are for"),
		},
		{
			When: fmt.Sprintf("%[1]s.size() == 0 || %[1]s != ['%[2]s'] && !%[1]s.all(i, i in [%[3]s])",
				itemsOf(hipaav1.AnnotationRoleDataClasses), hipaav1.RoleDataClassesNone, strings.Join(classes, ", ")),
			Says: lacking(hipaav1.AnnotationRoleDataClasses, "does not list the data classes that holders may come to see, or None"),
		},
	}
	for _, of := range []struct{ field, key string }{
		{"resources", hipaav1.AnnotationRoleResources}, {"verbs", hipaav1.AnnotationRoleOperations},
	} {
		faults = append(faults, control.Fault{
			When: fmt.Sprintf("!object.rules.all(r, r.?%s.orValue([]).all(x, x in %[2]s)) || %[2]s.size() == 0", of.field, itemsOf(of.key)),
			Says: lacking(of.key, "does not list all that the rules grant"),
		})
	}
	for i := range faults {
		faults[i].Of = control.Roles
		faults[i].When = fmt.Sprintf(ruled+".size() > 0 && (%s)", faults[i].When)
	}
	return faults
}

func lacking(key, what string) string { return fmt.Sprintf("metadata.annotations[%s] %s", key, what) }

func annotated(key string) string {
	return fmt.Sprintf("object.metadata.?annotations[?'%s'].orValue('')", key)
}

// itemsOf reads a list as items does.
func itemsOf(key string) string {
	return annotated(key) + ".split(',').map(i, i.trim()).filter(i, i != '')"
}
