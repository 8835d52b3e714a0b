package controltest

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	hipaav1 "github.com/hipaa-operator/hipaa-operator/api/v1alpha1"
	"github.com/hipaa-operator/hipaa-operator/internal/control"
	"github.com/hipaa-operator/hipaa-operator/internal/hipaa"
)

var (
	idPattern  = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	severities = []control.Severity{control.Low, control.Medium, control.High, control.Critical}
	bases      = []control.Basis{
		control.BasisRegulation, control.BasisGuidance, control.BasisProposed, control.BasisState, control.BasisProfile,
	}
)

// complete is the first half of law 1.
func complete(c *control.Control) (broken complaints) {
	demand := broken.unless
	demand(idPattern.MatchString(c.ID) && len(c.ID) <= 63, "ID is not words in lower case, joined by dashes")
	demand(isSentence(c.Title) && !strings.HasSuffix(c.Title, "."), "Title does not begin with a capital, or ends in a stop")
	demand(isSentence(c.Why) && strings.HasSuffix(c.Why, "."), "Why is not a sentence")
	demand(isSentence(c.Decides) && strings.HasSuffix(c.Decides, "."), "Decides is not a sentence")
	demand(c.Remedy != "" && !isSentence(c.Remedy) && !strings.HasSuffix(c.Remedy, "."), "Remedy does not continue a sentence")
	demand(slices.Contains(severities, c.Severity), "Severity is not known")
	demand(c.Since >= 1 && c.Since <= control.LatestRuleset(), "Since is not a published ruleset")
	demand(c.Judges != 0 && control.AllKinds.Has(c.Judges), "Judges no kind, or one that does not exist")
	demand(c.Judges.Has(control.Resources) == (len(c.Resources) > 0), "Judges resources and names no types, or names types and does not judge them")
	demand(len(c.Families) == 0 || c.Judges.Has(control.Resources), "Judges no resources, and names families of them")
	demand(!slices.ContainsFunc(c.Families, endsNoGroup), "names a family that is no end of a group")
	demand(c.Check != nil, "Check is missing")
	demand(c.Needs&c.NeedsLive == 0, "NeedsLive repeats Needs")
	demand(len(c.Breaks) >= 3, "has fewer than three Breaks")
	demand(len(c.Cites) > 0, "cites nothing")
	demand(!c.Replaces || refusesPods(c), "Replaces pods, and has no Break of a pod that admission refuses")
	demand(!c.Replaces || c.Severity == control.High || c.Severity == control.Critical, "Replaces pods, and is not severe enough to interrupt them")
	for _, cite := range c.Cites {
		demand(hipaa.Known(cite), "cites a paragraph that internal/hipaa does not have: "+cite.String())
	}
	demand(len(c.Parameters) > 0, "names no parameter; if the mode is the only one, name controls")
	for _, p := range c.Parameters {
		demand(isField(reflect.TypeFor[hipaav1.ComplianceProfileSpec](), p.Path), "names a parameter that no profile has: "+p.Path)
		demand(slices.Contains(bases, p.Basis), "gives a basis that is not known to "+p.Path)
		demand(isSentence(p.Meaning), "gives no meaning to "+p.Path)
	}
	return broken
}

func endsNoGroup(f control.Family) bool { return !strings.HasPrefix(f.Suffix, ".") }

// refusesPods reports whether a pod that lacks the safeguard comes back with it:
// what admission does not refuse would be evicted again and again.
func refusesPods(c *control.Control) bool {
	for _, b := range c.Breaks {
		if b.Kind == control.Pods && !b.Reported {
			return true
		}
	}
	return false
}

func isSentence(text string) bool {
	return text != "" && strings.ToUpper(text[:1]) == text[:1]
}

// isField reports whether a type has a field by the names of its JSON.
func isField(typ reflect.Type, path string) bool {
	name, rest, more := strings.Cut(path, ".")
	for typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	if typ.Kind() != reflect.Struct {
		return false
	}
	for field := range typ.Fields() {
		tag, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if tag == name {
			return !more || isField(field.Type, rest)
		}
	}
	return false
}

// exemplary is the second half of law 1.
func exemplary(catalog []control.Control, c *control.Control) (broken complaints) {
	objects, err := decode(c.Example)
	if err != nil || len(objects) == 0 {
		broken.add("the example holds no objects that can be read: %v", err)
	}
	j := enforcing(catalog)
	for _, object := range objects {
		s := Baseline(control.Workloads)
		if p, is := object.(*hipaav1.ComplianceProfile); is {
			s.Profile = parameters(p, s.Namespace)
			if verdict := verdictOf(j.live(s), c.ID); verdict != hipaav1.VerdictPass {
				broken.add("under %T %s the verdict is %s", object, object.GetName(), verdict)
			}
			continue
		}
		if object.GetNamespace() != s.Namespace.Name {
			broken.add("%T %s is not in namespace %q", object, object.GetName(), s.Namespace.Name)
		}
		if w, is := object.(*hipaav1.PHIWorkload); is {
			s.Workload = w
		} else {
			s = s.Of(object)
		}
		Protect(catalog, &s)
		if denied := deniedBy(j.admit(s)); len(denied) > 0 {
			broken.add("%T %s is refused: %q", object, object.GetName(), denied)
		}
	}
	return broken
}

// decode reads manifests and refuses fields that do not exist.
func decode(manifests string) ([]client.Object, error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, hipaav1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, fmt.Errorf("building the scheme: %w", err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []client.Object
	for document := range strings.SplitSeq(manifests, "\n---\n") {
		object, kind, err := decoder.Decode([]byte(document), nil, nil)
		if runtime.IsNotRegisteredError(err) {
			// Of a type that another project defines.
			object = &unstructured.Unstructured{}
			err = yaml.UnmarshalStrict([]byte(document), object)
		}
		if err != nil {
			return nil, fmt.Errorf("decoding a manifest: %w", err)
		}
		is, ok := object.(client.Object)
		if !ok {
			return nil, fmt.Errorf("decoding a manifest: %s is no object", kind)
		}
		objects = append(objects, is)
	}
	return objects, nil
}
