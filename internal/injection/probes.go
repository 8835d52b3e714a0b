package injection

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/hipaa-operator/hipaa-operator/internal/proxy/config"
)

// A question of the kubelet goes to the probe port, at a path that says all of it:
// /http/8080/readyz. So it is the same wherever it stands, pods of two revisions ask by
// the same configuration, and what a pod asks can be read from the pod.

// kinds are how paths spell what is asked.
var kinds = map[string]config.Probe{
	"http":  {Kind: config.ProbeHTTP, Scheme: config.SchemeHTTP},
	"https": {Kind: config.ProbeHTTP, Scheme: config.SchemeHTTPS},
	"tcp":   {Kind: config.ProbeTCP},
	"grpc":  {Kind: config.ProbeGRPC},
}

// fieldsMark begins the part of a path that has the fields of a question; no text is
// escaped so.
const fieldsMark = "~h"

// pathOf is where the proxy asks this: the target behind its first slash, or the service.
func pathOf(kind string, port int32, rest string, fields []config.ProbeField) string {
	path := "/" + kind + "/" + strconv.Itoa(int(port))
	if len(fields) > 0 {
		var text strings.Builder
		for _, f := range fields {
			text.WriteString(f.Name + ":" + f.Value + "\n")
		}
		path += "/" + fieldsMark + strings.ReplaceAll(escaped(text.String()), "/", "~2F")
	}
	if rest != "" {
		path += "/" + escaped(rest)
	}
	return path
}

// cutFields reads the fields off the front of what follows a port.
func cutFields(text string) (fields []config.ProbeField, rest string, readable bool) {
	marked, has := strings.CutPrefix(text, fieldsMark)
	if !has {
		return nil, text, true
	}
	marked, rest, _ = strings.Cut(marked, "/")
	marked, readable = unescaped(marked)
	for line := range strings.Lines(marked) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		field := config.ProbeField{Name: name, Value: value}
		fields, readable = append(fields, field), readable && field.IsSound()
	}
	return fields, rest, readable
}

// probeAt reads what pathOf wrote; false where something else stands there, or more than
// a configuration may hold.
func probeAt(path string) (config.Probe, bool) {
	kind, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	probe, known := kinds[kind]
	digits, rest, _ := strings.Cut(rest, "/")
	port, err := strconv.ParseUint(digits, 10, 16)
	if !known || err != nil || port == 0 || !config.IsPath(path) {
		return config.Probe{}, false
	}
	fields, rest, sound := cutFields(rest)
	rest, readable := unescaped(rest)
	if !sound || !readable || pathOf(kind, int32(port), rest, fields) != path {
		return config.Probe{}, false
	}
	probe.Path, probe.Port, probe.Fields = path, int(port), fields
	switch probe.Kind {
	case config.ProbeHTTP:
		probe.Target = "/" + rest
		return probe, config.IsPath(probe.Target) && len(fields) <= config.MaxProbeFields
	case config.ProbeGRPC:
		probe.Service = rest
		return probe, fields == nil
	default: // TCP
		return probe, rest == "" && fields == nil
	}
}

// isLiteral reports whether a byte stands for itself in a path: it means the same to
// whoever escapes and to whoever does not.
func isLiteral(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("/.-_", c) >= 0
}

func escaped(text string) string {
	var b strings.Builder
	for i := range len(text) {
		if c := text[i]; isLiteral(c) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "~%02X", c)
		}
	}
	return b.String()
}

func unescaped(text string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '~' {
			b.WriteByte(text[i])
			continue
		}
		if i+3 > len(text) {
			return "", false
		}
		c, err := strconv.ParseUint(text[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(c))
		i += 2
	}
	return b.String(), true
}

// question is one that the kubelet asks a container, or tells it by.
type question struct {
	handler *corev1.ProbeHandler
	path    string
	// ports are those of its container, which alone it may name.
	ports []corev1.ContainerPort
}

// questions are what the kubelet asks the application. Hooks that are HTTP are asked
// like probes; the API server takes no TCP hooks that would run.
func questions(pod *corev1.Pod) []question {
	var list []question
	for _, c := range application(pod) {
		for name, probe := range map[string]*corev1.Probe{"livenessProbe": c.LivenessProbe, "readinessProbe": c.ReadinessProbe, "startupProbe": c.StartupProbe} {
			if probe != nil {
				list = append(list, question{&probe.ProbeHandler, c.path + "." + name, c.Ports})
			}
		}
		if c.Lifecycle == nil {
			continue
		}
		for name, hook := range map[string]*corev1.LifecycleHandler{"lifecycle.postStart": c.Lifecycle.PostStart, "lifecycle.preStop": c.Lifecycle.PreStop} {
			if hook != nil && hook.HTTPGet != nil {
				list = append(list, question{&corev1.ProbeHandler{HTTPGet: hook.HTTPGet}, c.path + "." + name, c.Ports})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b question) int { return cmp.Compare(a.path, b.path) })
	return list
}

// number is that of a port which a question names, 0 where there is none.
func (q *question) number(port intstr.IntOrString) int32 {
	if port.Type == intstr.Int {
		return port.IntVal
	}
	for i := range q.ports {
		if q.ports[i].Name == port.StrVal && port.StrVal != "" {
			return q.ports[i].ContainerPort
		}
	}
	n, _ := strconv.ParseUint(port.StrVal, 10, 16) // 0 where it is no number
	return int32(n)
}

// ask turns the question to the proxy. What it returns is why that is not possible;
// then the question stays, but for the name of its port, which may move.
func (q *question) ask() string {
	var kind, rest, why string
	var port int32
	var fields []config.ProbeField
	switch h := q.handler; {
	case h.HTTPGet != nil:
		if isAsked(h.HTTPGet) {
			return ""
		}
		for _, f := range h.HTTPGet.HTTPHeaders {
			fields = append(fields, config.ProbeField{Name: f.Name, Value: f.Value})
		}
		if port = q.number(h.HTTPGet.Port); port != 0 {
			h.HTTPGet.Port = intstr.FromInt32(port)
		}
		kind, rest, why = httpQuestion(h.HTTPGet)
	case h.TCPSocket != nil:
		if port = q.number(h.TCPSocket.Port); port != 0 {
			h.TCPSocket.Port = intstr.FromInt32(port)
		}
		if kind = "tcp"; h.TCPSocket.Host != "" {
			why = "asks another host"
		}
	case h.GRPC != nil:
		kind, port, rest = "grpc", h.GRPC.Port, ptr.Deref(h.GRPC.Service, "")
	default:
		return "" // exec
	}
	if why == "" && !isPort(port) {
		why = "names a port that its container does not have"
	}
	if why != "" {
		return why
	}
	path := pathOf(kind, port, rest, fields)
	if probe, ok := probeAt(path); !ok || !slices.Equal(probe.Fields, fields) {
		return "has a path or headers that cannot be passed on"
	}
	q.turn(path)
	return ""
}

// turn makes the question one to the proxy. Its path says all of it: the proxy passes
// nothing on that only whoever asks says.
func (q *question) turn(path string) {
	get := q.handler.HTTPGet
	if get == nil {
		get = &corev1.HTTPGetAction{}
	}
	*get = corev1.HTTPGetAction{Path: path, Port: intstr.FromInt32(probePort), Scheme: corev1.URISchemeHTTP}
	*q.handler = corev1.ProbeHandler{HTTPGet: get}
}

// isAsked reports whether a question goes to the proxy already.
func isAsked(get *corev1.HTTPGetAction) bool {
	_, reads := probeAt(get.Path)
	return reads && get.Host == "" && get.Port == intstr.FromInt32(probePort) && get.Scheme == corev1.URISchemeHTTP
}

// httpQuestion is what a probe asks, read as the kubelet reads it.
func httpQuestion(get *corev1.HTTPGetAction) (kind, rest, why string) {
	if get.Host != "" {
		return "", "", "asks another host"
	}
	to, err := url.Parse(get.Path)
	if err != nil || to.Host != "" || to.Opaque != "" || to.User != nil {
		return "", "", "has a path that cannot be passed on"
	}
	kind = "http"
	if get.Scheme == corev1.URISchemeHTTPS {
		kind = "https"
	}
	return kind, strings.TrimPrefix(to.RequestURI(), "/"), ""
}

// probesOf are what the proxies of these pods are to ask their applications, each once,
// sorted: pods that have the proxy already say it by their paths, and the others by
// what Apply would make of them.
func probesOf(pods []*corev1.Pod) []config.Probe {
	found := map[string]config.Probe{}
	for _, pod := range pods {
		pod = pod.DeepCopy()
		for _, q := range questions(pod) {
			if q.ask() != "" || q.handler.HTTPGet == nil || !isAsked(q.handler.HTTPGet) {
				continue
			}
			probe, _ := probeAt(q.handler.HTTPGet.Path)
			found[probe.Path] = probe
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b config.Probe) int { return cmp.Compare(a.Path, b.Path) })
}
