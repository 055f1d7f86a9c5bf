package app

import (
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/deliver"
	"github.com/remeld/remeld/sdk"
)

// reading tells how far a source is.
func (r *jobRun) reading(source string) func(sdk.Progress) {
	begun := r.app.clock.Now()
	return func(p sdk.Progress) {
		pages, of := "", ""
		if p.Pages > 0 {
			pages = fmt.Sprintf("%d pages, ", p.Pages)
		}
		if p.Total >= p.Read && p.Total > 0 {
			of = fmt.Sprintf(" of %d", p.Total)
		}
		r.run.Progress("%s: %s%d%s indicators read, %d kept%s", source, pages, p.Read, of, p.Kept, eta(r.app.clock.Now().Sub(begun), p.Read, p.Total))
	}
}

// writing tells how far an apply is.
func (r *jobRun) writing(target string) func(deliver.Progress) {
	begun := r.app.clock.Now()
	return func(p deliver.Progress) {
		r.log("debug", "%s: %d of %d", target, p.Done, p.Total)
		r.run.Progress("%s: %d planned, %d written%s", target, p.Total, p.Done, eta(r.app.clock.Now().Sub(begun), p.Done, p.Total))
	}
}

// eta says in words how long the rest takes if it goes on as it went so far, "" where
// that is not known.
func eta(took time.Duration, done, total int) string {
	if done <= 0 || total <= done || took <= 0 {
		return ""
	}
	left := time.Duration(float64(took) / float64(done) * float64(total-done))
	return ", about " + left.Round(time.Second).String() + " left"
}
