package controltest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"runtime/debug"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/randfill"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/phitest"
)

// seeds is how many random subjects law 5 tries on each control.
const seeds = 300

// pure is law 5 on subjects that are the same in every run.
func pure(c *control.Control) (broken complaints) {
	for seed := range int64(seeds) {
		complaint := disturbed([]control.Control{*c}, func() control.Subject { return fill(randfill.NewWithSeed(seed)) })
		if complaint != "" {
			broken.add("with the subject of seed %d %s", seed, complaint)
			return broken
		}
	}
	return broken
}

// FuzzCheck looks for subjects on which a control of the catalogue panics, or
// which it changes.
func FuzzCheck(f *testing.F, catalog []control.Control) {
	f.Add([]byte{})
	for seed := range byte(16) {
		data := make([]byte, 512)
		if _, err := rand.NewChaCha8([32]byte{seed}).Read(data); err != nil {
			f.Fatalf("making an input: %v", err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		complaint := disturbed(catalog, func() control.Subject { return fill(randfill.NewFromGoFuzz(data)) })
		if complaint != "" {
			t.Fatal(complaint)
		}
	})
}

// disturbed asks everything of controls and says which of them panics, or leaves
// the subject other than one that was built in the same way.
func disturbed(controls []control.Control, build func() control.Subject) (complaint string) {
	asked := ""
	defer func() {
		if reason := recover(); reason != nil {
			complaint = fmt.Sprintf("%s panics: %v\n%s", asked, reason, debug.Stack())
		}
	}()
	s, want := build(), build()
	for i := range controls {
		asked = controls[i].ID
		ask(&controls[i], s)
		if !reflect.DeepEqual(s, want) {
			return asked + " changes the subject"
		}
	}
	return ""
}

// ask asks everything of a control: about the subject, about its workload as a
// whole, and about its namespace.
func ask(c *control.Control, s control.Subject) {
	whole := s.Of(nil)
	namespace := whole
	namespace.Workload = nil
	for _, subject := range []control.Subject{s, whole, namespace} {
		c.Check(subject)
		if c.Owns != nil {
			c.Owns(subject)
		}
	}
	if c.Mutate != nil && s.Pod != nil {
		c.Mutate(s, s.Pod.DeepCopy())
	}
	if c.Default != nil && s.Claim != nil {
		c.Default(s, s.Claim.DeepCopy())
	}
}

// fill makes a subject of random content. Its pointers that are never nil are
// not; a workload and an object are there more often than not.
func fill(f *randfill.Filler) control.Subject {
	f.NilChance(0.4).NumElements(0, 3).MaxDepth(18).Funcs(
		fillString, fillQuantity, fillTime, fillInstant, fillManaged, fillRaw, fillPort, fillPrefix, fillAddress, fillRequirement, fillResource,
	)
	s := control.Subject{Profile: &control.Profile{}, Namespace: &corev1.Namespace{}, World: &control.World{}}
	var kind uint8
	f.Fill(&kind)
	f.Fill(s.Profile)
	f.Fill(&s.Namespace.ObjectMeta)
	f.Fill(s.World)
	s.World.Missing = nil
	s.World.Pods = withoutNil(s.World.Pods)
	s.World.Policies = withoutNil(s.World.Policies)
	s.World.Exposing = withoutNil(s.World.Exposing)
	s.World.Slices = withoutNil(s.World.Slices)
	s.World.Ingresses = withoutNil(s.World.Ingresses)
	s.World.Roles = withoutNil(s.World.Roles)
	s.World.Bindings = withoutNil(s.World.Bindings)
	s.World.ClusterBindings = withoutNil(s.World.ClusterBindings)
	s.World.Resources = withoutNil(s.World.Resources)
	if kind%8 != 0 {
		s.Workload = &hipaav1.PHIWorkload{}
		f.Fill(s.Workload)
	}
	return s.Of(fillObject(f, kind/8))
}

func fillObject(f *randfill.Filler, kind uint8) metav1.Object {
	var object metav1.Object
	switch kind % 13 {
	case 0:
		object = &corev1.Pod{}
	case 1:
		object = &corev1.PersistentVolumeClaim{}
	case 2:
		object = &corev1.Service{}
	case 3:
		object = &networkingv1.NetworkPolicy{}
	case 4:
		object = &discoveryv1.EndpointSlice{}
	case 5:
		object = &control.Connection{}
	case 6:
		object = &networkingv1.Ingress{}
	case 7:
		object = &rbacv1.Role{}
	case 8:
		object = &rbacv1.RoleBinding{}
	case 9:
		object = &corev1.ConfigMap{}
	case 10:
		object = &unstructured.Unstructured{}
	case 11:
		object = &control.Secret{}
	default:
		return nil
	}
	f.Fill(object)
	return object
}

// withoutNil drops what no loader ever hands over.
func withoutNil[T any](list []*T) []*T {
	var kept []*T
	for _, one := range list {
		if one != nil {
			kept = append(kept, one)
		}
	}
	return kept
}

// words are values that mean something somewhere, so that random objects refer
// to each other now and then.
var words = []string{
	"", "ehr", "data", "app", "patient-api", "true", "false", "ebs.csi.aws.com", "encrypted", phitest.EncryptedClass,
	"hipaa-default-deny", "hipaa-patient-api", "default-deny", "10.0.0.0/8", "10.1.2.3", "::/0", "2001:db8::1", "0.0.0.0/0", "bad/prefix/",
	"TCP", "UDP", "Ingress", "Egress", "Clinical", "HIV", hipaav1.DefaultOwnerKey, hipaav1.DefaultDataClassPrefix,
	"data-class.hipaa-operator.io/HIV", hipaav1.LabelWorkload, "kubernetes.io/metadata.name",
	"kubernetes.io/no-provisioner", "kubernetes.io/service-account-token", "EncryptedCustomerKey", "http", "\x00", "\xff\xfe", "a very long word that is no name, no key and no value",
}

func fillString(s *string, c randfill.Continue) {
	if c.Intn(8) == 0 {
		*s = c.String(12)
		return
	}
	*s = words[c.Intn(len(words))]
}

func fillQuantity(q *resource.Quantity, c randfill.Continue) {
	*q = *resource.NewQuantity(c.Int63n(1<<30), resource.BinarySI)
}

func fillTime(at *metav1.Time, c randfill.Continue) {
	*at = phitest.After(time.Duration(c.Int63n(int64(100 * time.Hour))))
}

func fillInstant(at *time.Time, c randfill.Continue) {
	*at = phitest.Epoch.Add(time.Duration(c.Int63n(int64(100 * time.Hour))))
}

func fillManaged(fields *metav1.FieldsV1, c randfill.Continue) {
	texts := []string{`{"f:spec":{"f:storageClassName":{}}}`, `{"f:spec":{}}`, `{"f:spec":3}`, `{`, ``, `null`}
	fields.SetRawString(texts[c.Intn(len(texts))])
}

func fillRaw(*runtime.RawExtension, randfill.Continue) {}

func fillPort(p *intstr.IntOrString, c randfill.Continue) {
	if c.Bool() {
		*p = intstr.FromInt32(c.Int31n(70000) - 10)
		return
	}
	*p = intstr.FromString(words[c.Intn(len(words))])
}

func fillPrefix(p *netip.Prefix, c randfill.Continue) {
	prefixes := []netip.Prefix{
		{}, netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::/0"), netip.MustParsePrefix("::ffff:10.0.0.0/104"), netip.MustParsePrefix("10.1.2.3/32"),
	}
	*p = prefixes[c.Intn(len(prefixes))]
}

func fillAddress(a *netip.AddrPort, c randfill.Continue) {
	addresses := []netip.AddrPort{
		{}, netip.MustParseAddrPort("10.1.2.3:443"), netip.MustParseAddrPort("[2001:db8::1]:6443"), netip.MustParseAddrPort("[fe80::1%eth0]:6443"), netip.MustParseAddrPort("[::ffff:10.0.0.1]:0"),
	}
	*a = addresses[c.Intn(len(addresses))]
}

func fillRequirement(r *metav1.LabelSelectorRequirement, c randfill.Continue) {
	operators := []metav1.LabelSelectorOperator{
		metav1.LabelSelectorOpIn, metav1.LabelSelectorOpNotIn, metav1.LabelSelectorOpExists, metav1.LabelSelectorOpDoesNotExist, "Near",
	}
	c.FillNoCustom(r)
	r.Operator = operators[c.Intn(len(operators))]
}

// judgedTypes are of those that controls judge, for random resources to be of.
var judgedTypes = [][2]string{
	{"s3.services.k8s.aws/v1alpha1", "Bucket"}, {"rds.aws.upbound.io/v1beta3", "Instance"}, {"ec2.services.k8s.aws/v1alpha1", "SecurityGroup"},
	{"k8s.keycloak.org/v2alpha1", "KeycloakRealmImport"}, {"example.org/v1", "Widget"},
}

// judgedFields mean something in one of them.
var judgedFields = []string{
	"encryption", "rules", "applyServerSideEncryptionByDefault", "sseAlgorithm", "kmsMasterKeyID", "forProvider", "storageEncrypted", "kmsKeyId",
	"ingressRules", "ipRanges", "cidrIP", "fromPort", "realm", "passwordPolicy", "enabled", "ssoSessionIdleTimeout", "rememberMe", "ssoSessionMaxLifespanRememberMe",
}

func fillResource(r *unstructured.Unstructured, c randfill.Continue) {
	typ := judgedTypes[c.Intn(len(judgedTypes))]
	labels, metadata := map[string]any{}, map[string]any{"name": words[c.Intn(len(words))]}
	if c.Bool() {
		metadata["namespace"] = words[c.Intn(len(words))]
	}
	labels[control.LabelClaimNamespace] = words[c.Intn(len(words))]
	metadata["labels"] = labels
	r.Object = map[string]any{"apiVersion": typ[0], "kind": typ[1], "metadata": metadata, "spec": fillValue(c, 5)}
	if c.Intn(8) == 0 {
		r.Object = nil
	}
}

// fillValue makes what a decoder of JSON could.
func fillValue(c randfill.Continue, depth int) any {
	switch choice := c.Intn(8); {
	case depth > 0 && choice < 4:
		object := map[string]any{}
		for range c.Intn(4) {
			object[judgedFields[c.Intn(len(judgedFields))]] = fillValue(c, depth-1)
		}
		return object
	case depth > 0 && choice < 5:
		list := make([]any, c.Intn(3))
		for i := range list {
			list[i] = fillValue(c, depth-1)
		}
		return list
	default:
		return []any{nil, c.Bool(), c.Int63n(70000), 1.5, words[c.Intn(len(words))]}[c.Intn(5)]
	}
}
