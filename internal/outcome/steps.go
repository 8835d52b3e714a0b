package outcome

import "context"

// Steps are the parts of a pass, in order. Each fills in the scope S; none
// touches the status, none emits events.
type Steps[S any] []func(context.Context, *S) error

// Run stops at the first error.
func (s Steps[S]) Run(ctx context.Context, scope *S) error {
	for _, step := range s {
		if err := step(ctx, scope); err != nil {
			return err
		}
	}
	return nil
}
