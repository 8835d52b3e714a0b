package engine

// Replaces reports whether a control is worth the interruption of a running pod
// that lacks it.
func (e *Engine) Replaces(id string) bool {
	i, known := e.byID[id]
	return known && e.controls[i].Replaces
}
