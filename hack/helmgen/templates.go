package main

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// templates is the chart. A kind that config/default gains and no row takes
// fails the test that compares the two.
var templates = []template{
	{file: "namespace.yaml", from: "config/default", takes: kinds("Namespace"), when: ".Values.createNamespace"},
	{file: "crds.yaml", from: "config/default", takes: kinds("CustomResourceDefinition"), edit: keep},
	{file: "rbac.yaml", from: "config/default", takes: kinds("ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")},
	{file: "manager.yaml", from: "config/default", takes: kinds("Deployment", "PodDisruptionBudget", "NetworkPolicy", "ResourceQuota", "ConfigMap"), edit: parametrise},
	{file: "services.yaml", from: "config/default", takes: kinds("Service")},
	{file: "webhook_certificate.yaml", from: "config/default", takes: named("Secret", "hipaa-operator-webhook-cert"), when: "not .Values.certManager.enabled"},
	{file: "encryption_canary.yaml", from: "config/default", takes: named("Secret", "hipaa-operator-encryption-canary")},
	{file: "webhooks.yaml", from: "config/default", takes: kinds("MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"), edit: injectCA},
	{file: "admission.yaml", from: "config/default", takes: kinds("ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding", "MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding")},
	{file: "cert_manager.yaml", from: "config/certmanager", takes: kinds("Certificate", "Issuer"), when: ".Values.certManager.enabled"},
	{file: "prometheus.yaml", from: "config/prometheus", when: ".Values.prometheus.enabled"},
	{file: "issuer.yaml", from: "config/issuer", when: "or .Values.issuer.enabled .Values.proxy.enabled", edit: issuer},
	{file: "egress.yaml", from: "config/egress", when: ".Values.proxy.enabled", edit: egress},
	profile("hipaa-security-rule"),
	profile("hipaa-audit-only"),
}

// profile is a shipped profile. It comes once the release stands, because the
// API server must know its kind first, and only where there is none: from then
// on it is the security team's.
func profile(name string) template {
	const unlessThere = `and (eq .Values.profiles.install %q) (not (and (.Capabilities.APIVersions.Has "hipaa-operator.io/v1alpha1/ComplianceProfile") (lookup "hipaa-operator.io/v1alpha1" "ComplianceProfile" "" %q)))`
	return template{
		file: "profile_" + name + ".yaml",
		from: "config/profiles/" + name + ".yaml",
		when: fmt.Sprintf(unlessThere, name, name),
		edit: func(object *unstructured.Unstructured) error {
			return annotate(object, map[string]string{
				"helm.sh/hook":               "post-install,post-upgrade",
				"helm.sh/hook-delete-policy": "hook-failed",
			})
		},
	}
}

// fills are the lines that marks stand for.
var fills = map[string]string{
	"replicas": "replicas: {{ .Values.replicas }}",
	"image": `image: "{{ .Values.image.repository }}` +
		`{{ with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}"`,
	"issuerImage": `image: "{{ .Values.issuer.image.repository }}` +
		`{{ with .Values.issuer.image.digest }}@{{ . }}{{ else }}:{{ .Values.issuer.image.tag | default .Chart.AppVersion }}{{ end }}"`,
	"trustDomain":  "{{- with .Values.issuer.trustDomain }}\n- --trust-domain={{ . }}\n{{- end }}",
	"pullPolicy":   "imagePullPolicy: {{ .Values.image.pullPolicy }}",
	"resources":    "resources: {{- toYaml .Values.resources | nindent %d }}",
	"certificates": "{{- if .Values.certManager.enabled }}\n- --certificates=external\n{{- end }}",
	"egressImage": `image: "{{ .Values.proxy.image.repository }}` +
		`{{ with .Values.proxy.image.digest }}@{{ . }}{{ else }}:{{ .Values.proxy.image.tag | default .Chart.AppVersion }}{{ end }}"`,
	"proxyImage": `{{- if .Values.proxy.enabled }}
- --proxy-image={{ .Values.proxy.image.repository }}` +
		`{{ with .Values.proxy.image.digest }}@{{ . }}{{ else }}:{{ .Values.proxy.image.tag | default .Chart.AppVersion }}{{ end }}
{{- with .Values.issuer.trustDomain }}
- --trust-domain={{ . }}
{{- end }}
{{- end }}`,
	"tokenMount": `{{- if .Values.proxy.enabled }}
- mountPath: /var/run/secrets/issuer.hipaa-operator.io
  name: issuer-token
  readOnly: true
{{- end }}`,
	"tokenVolume": `{{- if .Values.proxy.enabled }}
- name: issuer-token
  projected:
    defaultMode: 292
    sources:
    - serviceAccountToken:
        audience: issuer.hipaa-operator.io
        expirationSeconds: 3600
        path: token
{{- end }}`,
	"optional":     "optional: {{ not .Values.certManager.enabled }}",
	"nodeSelector": "{{- with .Values.nodeSelector }}\nnodeSelector: {{- toYaml . | nindent %d }}\n{{- end }}",
	"tolerations":  "{{- with .Values.tolerations }}\ntolerations: {{- toYaml . | nindent %d }}\n{{- end }}",
	"injectCA":     "{{- if .Values.certManager.enabled }}\nannotations:\n  cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/hipaa-operator-webhook\n{{- end }}",
}

func kinds(names ...string) func(*unstructured.Unstructured) bool {
	return func(object *unstructured.Unstructured) bool { return slices.Contains(names, object.GetKind()) }
}

// named takes one object of a kind.
func named(kind, name string) func(*unstructured.Unstructured) bool {
	return func(object *unstructured.Unstructured) bool {
		return object.GetKind() == kind && object.GetName() == name
	}
}

// keep has Helm leave the kinds behind: deleting one deletes every object of it.
func keep(object *unstructured.Unstructured) error {
	return annotate(object, map[string]string{"helm.sh/resource-policy": "keep"})
}

func annotate(object *unstructured.Unstructured, add map[string]string) error {
	for key, value := range add {
		if err := unstructured.SetNestedField(object.Object, value, "metadata", "annotations", key); err != nil {
			return fmt.Errorf("annotating: %w", err)
		}
	}
	return nil
}

// injectCA has cert-manager write the bundle.
func injectCA(object *unstructured.Unstructured) error {
	if len(object.GetAnnotations()) > 0 {
		return errors.New("it has annotations, which this generator does not merge")
	}
	return set(object.Object, mark("injectCA"), "metadata", "annotations")
}

// issuer opens the issuer's Deployment to the values, and has Helm leave the roots
// behind: without them no workload believes another, whatever is installed again.
func issuer(object *unstructured.Unstructured) error {
	switch object.GetKind() {
	case "Secret":
		return keep(object)
	case "Deployment":
	default:
		return nil
	}
	pod := []string{"spec", "template", "spec"}
	container, args, err := containerOf(object, pod)
	if err != nil {
		return err
	}
	return errors.Join(
		set(container, mark("issuerImage"), "image"),
		set(container, mark("pullPolicy"), "imagePullPolicy"),
		set(container, append(args, mark("trustDomain")), "args"),
		set(object.Object, []any{container}, append(pod, "containers")...),
		set(object.Object, mark("nodeSelector"), append(pod, "nodeSelector")...),
		set(object.Object, mark("tolerations"), append(pod, "tolerations")...),
	)
}

// egress opens the Deployment of phi-egress to the values: it runs the image that pods get.
func egress(object *unstructured.Unstructured) error {
	if object.GetKind() != "Deployment" {
		return nil
	}
	pod := []string{"spec", "template", "spec"}
	container, _, err := containerOf(object, pod)
	if err != nil {
		return err
	}
	return errors.Join(
		set(container, mark("egressImage"), "image"),
		set(container, mark("pullPolicy"), "imagePullPolicy"),
		set(object.Object, []any{container}, append(pod, "containers")...),
		set(object.Object, mark("nodeSelector"), append(pod, "nodeSelector")...),
		set(object.Object, mark("tolerations"), append(pod, "tolerations")...),
	)
}

// containerOf is a copy of the one container of a Deployment, and its arguments.
func containerOf(object *unstructured.Unstructured, pod []string) (container map[string]any, args []any, err error) {
	container, err = only(object.Object, append(pod, "containers")...)
	if err != nil {
		return nil, nil, err
	}
	args, found, err := unstructured.NestedSlice(container, "args")
	if err != nil || !found {
		return nil, nil, errors.New("its container has no list of arguments")
	}
	return container, args, nil
}

// parametrise opens the Deployment to the values; the rest stays as it is.
func parametrise(object *unstructured.Unstructured) error {
	if object.GetKind() != "Deployment" {
		return nil
	}
	pod := []string{"spec", "template", "spec"}
	container, args, err := containerOf(object, pod)
	if err != nil {
		return err
	}
	volume, err := only(object.Object, append(pod, "volumes")...)
	if err != nil {
		return err
	}
	mount, err := only(container, "volumeMounts")
	if err != nil {
		return err
	}
	return errors.Join(
		set(container, mark("image"), "image"),
		set(container, mark("pullPolicy"), "imagePullPolicy"),
		set(container, mark("resources"), "resources"),
		set(container, append(args, mark("certificates"), mark("proxyImage")), "args"),
		set(container, []any{mount, mark("tokenMount")}, "volumeMounts"),
		set(volume, mark("optional"), "secret", "optional"),
		set(object.Object, []any{container}, append(pod, "containers")...),
		set(object.Object, []any{volume, mark("tokenVolume")}, append(pod, "volumes")...),
		set(object.Object, mark("replicas"), "spec", "replicas"),
		set(object.Object, mark("nodeSelector"), append(pod, "nodeSelector")...),
		set(object.Object, mark("tolerations"), append(pod, "tolerations")...),
	)
}

// only is a copy of the one item of a list. This generator does not tell several
// apart.
func only(object map[string]any, path ...string) (map[string]any, error) {
	items, _, err := unstructured.NestedSlice(object, path...)
	if err != nil {
		return nil, fmt.Errorf("reading %v: %w", path, err)
	}
	if len(items) != 1 {
		return nil, fmt.Errorf("reading %v: it has %d items, want one", path, len(items))
	}
	item, ok := items[0].(map[string]any)
	if !ok {
		return nil, fmt.Errorf("reading %v: its item is a %T", path, items[0])
	}
	return item, nil
}

func mark(name string) string { return markPrefix + name }

func set(object map[string]any, value any, path ...string) error {
	if err := unstructured.SetNestedField(object, value, path...); err != nil {
		return fmt.Errorf("marking %v: %w", path, err)
	}
	return nil
}
