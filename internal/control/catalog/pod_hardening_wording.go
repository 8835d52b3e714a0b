package catalog

import (
	"cmp"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/policy"

	"github.com/hipaa-operator/hipaa-operator/internal/control"
)

type podMeta = metav1.ObjectMeta

// wording says a check of Pod Security as people read it: the field below the
// part, what is wrong there, and what to write. Pod Security's own detail stands
// where says is empty, and for checks that this table does not know yet.
type wording struct {
	field, says, remedy string
}

var wordings = map[policy.CheckID]wording{
	"allowPrivilegeEscalation":   {"securityContext.allowPrivilegeEscalation", "is not false", "set it to false"},
	"appArmorProfile":            {"securityContext.appArmorProfile", "", "remove it"},
	"capabilities_baseline":      {"securityContext.capabilities", "", "add nothing but NET_BIND_SERVICE"},
	"capabilities_restricted":    {"securityContext.capabilities", "do not drop ALL, or add more than NET_BIND_SERVICE", `drop ["ALL"] and add nothing but NET_BIND_SERVICE`},
	"hostNamespaces":             {"", "is true", "remove it"},
	"hostPathVolumes":            {"", "is a hostPath", "use a claim, or emptyDir"},
	"hostPorts":                  {"ports", "take a port of the node", "remove hostPort and declare the port on a Service"},
	"hostProbesAndHostLifecycle": {"", "has a probe or a lifecycle hook that names a host", "remove host"},
	"privileged":                 {"securityContext.privileged", "is true", "remove it"},
	"procMount":                  {"securityContext.procMount", "is not Default", "remove it"},
	"procMount_restricted":       {"securityContext.procMount", "is not Default", "remove it"},
	"restrictedVolumes": {
		"", "", "use a claim, emptyDir, configMap, secret, projected, downwardAPI, or csi",
	},
	"runAsNonRoot":            {"securityContext.runAsNonRoot", "is not true", "set it to true, and build the image for a user other than root"},
	"runAsUser":               {"securityContext.runAsUser", "is 0", "name a user other than root, or remove it"},
	"seLinuxOptions":          {"securityContext.seLinuxOptions", "", "remove it"},
	"seccompProfile_baseline": {"securityContext.seccompProfile.type", "is Unconfined", "set it to RuntimeDefault"},
	"seccompProfile_restricted": {
		"securityContext.seccompProfile.type", "is neither RuntimeDefault nor Localhost", "set it to RuntimeDefault",
	},
	"sysctls":            {"securityContext.sysctls", "", "remove it"},
	"windowsHostProcess": {"securityContext.windowsOptions.hostProcess", "is true", "remove it"},
}

// explain turns what a check says about a part into a finding. Its detail names
// containers, volumes and values: that is what tells one fault from another, also
// where a template moves them.
func explain(id policy.CheckID, part, detail string) control.Finding {
	w := wordings[id]
	path := part
	if w.field != "" {
		path += "." + w.field
	}
	says := cmp.Or(w.says, detail, string(id))
	return control.Failed(path, "%s", says).But("%s", w.remedy).As(string(id) + ": " + detail)
}

func sortedKeys[V any](m map[policy.CheckID]V) []policy.CheckID {
	return slices.Sorted(maps.Keys(m))
}
