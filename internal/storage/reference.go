package storage

import "strings"

// Parameter is one line of the reference page.
type Parameter struct {
	// Name of the parameter or annotation.
	Name string
	// Meaning says in words what its values mean.
	Meaning string
}

// Parameters lists what a driver reads or seems to read, in the order of the row.
func (d Driver) Parameters() []Parameter {
	var list []Parameter
	for _, r := range d.Rules {
		if r.Switch.Param != "" {
			list = append(list, Parameter{r.Switch.Param, r.Switch.meaning()})
		}
		for _, k := range r.Keys {
			for _, name := range k.Params {
				list = append(list, Parameter{name, k.meaning()})
			}
			if k.Annotation != "" {
				list = append(list, Parameter{"annotation " + k.Annotation, "of an unbound claim: takes the place of the parameter"})
			}
		}
		for _, p := range r.Permits {
			list = append(list, Parameter{p.Param, "may be absent or " + strings.Join(p.Values, ", ") + "; otherwise " + Unknown.String()})
		}
	}
	return append(list, d.Notes...)
}

func (s Switch) meaning() string {
	fold := ""
	if s.Values.FoldCase {
		fold = " in any case"
	}
	return strings.Join(s.Values.On, ", ") + fold + ": encrypted; " + strings.Join(s.Values.Off, ", ") + fold + ": " +
		s.Off.String() + "; anything else: " + Unknown.String()
}

func (k Key) meaning() string {
	text := "a key id (" + joinForms(k.Forms) + "): " + CustomerKey.String()
	if len(k.ProvidersOwn) > 0 {
		text += "; " + joinForms(k.ProvidersOwn) + ": " + ProviderKey.String()
	}
	if len(k.Needs) > 0 {
		needs := make([]string, len(k.Needs))
		for i, c := range k.Needs {
			needs[i] = c.Param + " " + strings.Join(c.Values, ", ")
		}
		text += "; only with " + strings.Join(needs, " or ")
	}
	if len(k.Unless) > 0 {
		text += "; not counted beside " + strings.Join(k.Unless, ", ")
	}
	return text + [...]string{
		Refines:  "; needs the switch",
		Enables:  "; turns encryption on",
		Prevails: "; turns encryption on whatever the switch says",
	}[k.Role]
}

func joinForms(forms []Form) string {
	words := make([]string, len(forms))
	for i, f := range forms {
		words[i] = string(f)
	}
	return strings.Join(words, ", ")
}
