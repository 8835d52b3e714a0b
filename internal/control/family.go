package control

import (
	"slices"
	"strings"
)

// Family is all API groups whose names end alike, such as those of AWS Controllers for
// Kubernetes: one for each service, and which there will be nobody knows.
type Family struct {
	// Suffix is how the names end, with the dot that stands before: ".services.k8s.aws".
	Suffix string
	// Except are ends of groups that end like those of the family and are none of it,
	// with the dot that stands before; one that is nothing more than such an end as well.
	Except []string
	// Groups are those that admission has to be asked about by name, because their
	// versions are called as nobody else's are.
	Groups []string
	// Read are what groups begin with of whose objects live judgement has to know. Of
	// others it knows that the cluster serves them.
	Read []string
}

// Member is what the name of a group of the family begins with: the service.
func (f *Family) Member(group string) (string, bool) {
	member, is := strings.CutSuffix(group, f.Suffix)
	if !is || member == "" || slices.ContainsFunc(f.Except, func(end string) bool { return strings.HasSuffix("."+group, end) }) {
		return "", false
	}
	return member, true
}

// Reads reports whether the metadata of the objects of a group are read.
func (f *Family) Reads(group string) bool {
	member, is := f.Member(group)
	return is && slices.Contains(f.Read, member)
}

// FamilyOf finds the family of a group; nil is none.
func FamilyOf(families []Family, group string) *Family {
	for i := range families {
		if _, is := families[i].Member(group); is {
			return &families[i]
		}
	}
	return nil
}

// ServedType is a type of a family that the cluster serves.
type ServedType struct {
	ResourceType
	// Read says that its objects stand in World.Resources, with their metadata at
	// least.
	Read bool
}

// UniqueFamilies sorts families and leaves each once, with what any of them asks for. It
// changes nothing that it is given. What one of them asks for is no exception of another.
func UniqueFamilies(families []Family) []Family {
	var unique []Family
	for _, f := range families {
		i := slices.IndexFunc(unique, func(u Family) bool { return u.Suffix == f.Suffix })
		if i < 0 {
			unique = append(unique, Family{Suffix: f.Suffix, Except: joined(f.Except, nil)})
			i = len(unique) - 1
		}
		unique[i].Except = slices.DeleteFunc(unique[i].Except, func(end string) bool { return !slices.Contains(f.Except, end) })
		unique[i].Groups = joined(unique[i].Groups, f.Groups)
		unique[i].Read = joined(unique[i].Read, f.Read)
	}
	slices.SortFunc(unique, func(a, b Family) int { return strings.Compare(a.Suffix, b.Suffix) })
	return unique
}

func joined(a, b []string) []string {
	list := slices.Concat(a, b)
	slices.Sort(list)
	return slices.Compact(list)
}
