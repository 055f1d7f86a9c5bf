package sdk

import "context"

// Progress is how far a source is with a read.
type Progress struct {
	Pages int // answers read
	Read  int // items read
	Kept  int // of those, handed to the sink
	Total int // items there will be; 0 is not known
}

type progressKey struct{}

// WithProgress returns a context under which a source's reports go to fn, which is
// called in the source's goroutine and must be quick.
func WithProgress(ctx context.Context, fn func(Progress)) context.Context {
	return context.WithValue(ctx, progressKey{}, fn)
}

// Watched tells whether somebody takes the reports of a read under ctx: what only they
// need may then be asked for.
func Watched(ctx context.Context) bool { return ctx.Value(progressKey{}) != nil }

// ReportProgress tells whoever watches the read under ctx how far it is. A source that reads
// many answers calls it after each.
func ReportProgress(ctx context.Context, p Progress) {
	if fn, ok := ctx.Value(progressKey{}).(func(Progress)); ok {
		fn(p)
	}
}
