package catalog

import (
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/injection"
)

// bound are the containers that may have no privilege: all but the one that sets the rules
// by which traffic is redirected, if it runs before the others and ends, its image and
// arguments are those of admission, and nothing else in it could make them mean something
// else. Settings are these. No two containers of a pod, of whatever kind, have one name.
const bound = "variables.containers.filter(c, !(c.name == '" + injection.RulesName + "' && " +
	"object.spec.?initContainers.orValue([]).exists(i, i.name == c.name) && !has(c.restartPolicy) && " +
	"c.?image.orValue('') + ' ' + c.?args.orValue([]).join(' ') in settings && !has(c.command) && !has(c.env) && !has(c.envFrom) && " +
	"!has(c.lifecycle) && !has(c.workingDir) && c.?volumeDevices.orValue([]).size() == 0 && " +
	"c.?volumeMounts.orValue([]).all(m, m.mountPath == '" + injection.TrustDirectory + "' && !has(m.subPath) && !has(m.subPathExpr)) && " +
	"c.?securityContext.?capabilities.?add.orValue([]) == ['NET_ADMIN']))"

// redirectRules are what Settings hold.
func redirectRules(s control.Subject) []string { return injection.RulesOf(&s).Words() }

// hardeningBackstop is Pod Security restricted in CEL, in the newest version that
// this release knows, and processes shared between containers. Of the pod itself
// nothing is asked where only ephemeral containers are added.
var hardeningBackstop = &control.Backstop{Less: "where the container phi-proxy-rules stands, and what does not change what it does", Settings: redirectRules, Faults: []control.Fault{
	{When: "variables.whole && object.spec.?hostNetwork.orValue(false)", Says: "spec.hostNetwork is true"},
	{When: "variables.whole && object.spec.?hostPID.orValue(false)", Says: "spec.hostPID is true"},
	{When: "variables.whole && object.spec.?hostIPC.orValue(false)", Says: "spec.hostIPC is true"},
	{When: "variables.whole && object.spec.?shareProcessNamespace.orValue(false)", Says: "spec.shareProcessNamespace is true"},
	{
		When: "variables.volumes.exists(v, !(has(v.configMap) || has(v.csi) || has(v.downwardAPI) || has(v.emptyDir) || has(v.ephemeral) || " +
			"has(v.image) || has(v.persistentVolumeClaim) || has(v.projected) || has(v.secret)))",
		Says: "spec.volumes has a type that Pod Security restricted forbids, such as hostPath",
	},
	{
		When: "variables.containers.exists(c, c.?ports.orValue([]).exists(p, p.?hostPort.orValue(0) != 0))",
		Says: "a container has a hostPort",
	},
	{
		When: "variables.containers.exists(c, c.?securityContext.?privileged.orValue(false))",
		Says: "a container's securityContext.privileged is true",
	},
	{
		When: "variables.containers.exists(c, c.?livenessProbe.?httpGet.?host.orValue('') + c.?livenessProbe.?tcpSocket.?host.orValue('') + " +
			"c.?readinessProbe.?httpGet.?host.orValue('') + c.?readinessProbe.?tcpSocket.?host.orValue('') + " +
			"c.?startupProbe.?httpGet.?host.orValue('') + c.?startupProbe.?tcpSocket.?host.orValue('') + " +
			"c.?lifecycle.?postStart.?httpGet.?host.orValue('') + c.?lifecycle.?postStart.?tcpSocket.?host.orValue('') + " +
			"c.?lifecycle.?preStop.?httpGet.?host.orValue('') + c.?lifecycle.?preStop.?tcpSocket.?host.orValue('') != '')",
		Says: "a container's probe or lifecycle handler names a host",
	},
	{
		When: "variables.whole && variables.secured.?windowsOptions.?hostProcess.orValue(false) || " +
			"variables.containers.exists(c, c.?securityContext.?windowsOptions.?hostProcess.orValue(false))",
		Says: "securityContext.windowsOptions.hostProcess is true",
	},
	{
		When: "variables.containers.exists(c, c.?securityContext.?procMount.orValue('Default') != 'Default')",
		Says: "a container's securityContext.procMount is not Default",
	},
	{
		When: "((variables.whole ? [variables.secured.?seLinuxOptions.orValue({})] : []) + " +
			"variables.containers.map(c, c.?securityContext.?seLinuxOptions.orValue({}))).exists(o, " +
			"o.?user.orValue('') != '' || o.?role.orValue('') != '' || " +
			"!(o.?type.orValue('') in ['', 'container_t', 'container_init_t', 'container_kvm_t', 'container_engine_t']))",
		Says: "securityContext.seLinuxOptions sets a user, a role or a type that Pod Security forbids",
	},
	{
		When: "variables.whole && variables.secured.?sysctls.orValue([]).exists(s, !(s.name in ['kernel.shm_rmid_forced', " +
			"'net.ipv4.ip_local_port_range', 'net.ipv4.tcp_syncookies', 'net.ipv4.ping_group_range', 'net.ipv4.ip_unprivileged_port_start', " +
			"'net.ipv4.ip_local_reserved_ports', 'net.ipv4.tcp_keepalive_time', 'net.ipv4.tcp_fin_timeout', 'net.ipv4.tcp_keepalive_intvl', " +
			"'net.ipv4.tcp_keepalive_probes', 'net.ipv4.tcp_rmem', 'net.ipv4.tcp_wmem', 'net.ipv4.tcp_slow_start_after_idle', " +
			"'net.ipv4.tcp_notsent_lowat']))",
		Says: "spec.securityContext.sysctls has one that is not safe",
	},
	{
		When: "((variables.whole && has(object.spec.securityContext) && has(object.spec.securityContext.appArmorProfile) ? " +
			"[object.spec.securityContext.appArmorProfile] : []) + " +
			"variables.containers.filter(c, c.?securityContext.?appArmorProfile.hasValue()).map(c, c.securityContext.appArmorProfile))" +
			".exists(p, !(p.type in ['RuntimeDefault', 'Localhost'])) || " +
			"variables.whole && object.metadata.?annotations.orValue({}).exists(k, k.startsWith('container.apparmor.security.beta.kubernetes.io/') && " +
			"!(object.metadata.annotations[k] in ['', 'runtime/default']) && !object.metadata.annotations[k].startsWith('localhost/'))",
		Says: "an AppArmor profile is neither RuntimeDefault nor Localhost",
	},
	{
		When: "!variables.windows && variables.containers.exists(c, c.?securityContext.?allowPrivilegeEscalation.orValue(true))",
		Says: "a container does not set securityContext.allowPrivilegeEscalation to false",
	},
	{
		When: "!variables.windows && variables.containers.exists(c, !('ALL' in c.?securityContext.?capabilities.?drop.orValue([])))",
		Says: "a container does not drop ALL capabilities",
	},
	{
		When: "!variables.windows && " + bound + ".exists(c, c.?securityContext.?capabilities.?add.orValue([]).exists(a, a != 'NET_BIND_SERVICE'))",
		Says: "a container adds a capability other than NET_BIND_SERVICE",
	},
	{
		When: "variables.hostUsers && (variables.whole && !variables.secured.?runAsNonRoot.orValue(true) || " +
			bound + ".exists(c, !c.?securityContext.?runAsNonRoot.orValue(variables.secured.?runAsNonRoot.hasValue())))",
		Says: "securityContext.runAsNonRoot is not true for every container",
	},
	{
		When: "variables.hostUsers && (variables.whole && variables.secured.?runAsUser.orValue(1) == 0 || " +
			bound + ".exists(c, c.?securityContext.?runAsUser.orValue(1) == 0))",
		Says: "securityContext.runAsUser is 0",
	},
	{
		When: "!variables.windows && (variables.whole && !(variables.secured.?seccompProfile.?type.orValue('Localhost') in ['RuntimeDefault', 'Localhost']) || " +
			"variables.containers.exists(c, !(c.?securityContext.?seccompProfile.?type.orValue(variables.secured.?seccompProfile.hasValue() ? 'Localhost' : '') " +
			"in ['RuntimeDefault', 'Localhost'])))",
		Says: "securityContext.seccompProfile is not RuntimeDefault or Localhost for every container",
	},
}}
