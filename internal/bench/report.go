package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

// row is one line of the table. Empty fields are shown as a dash.
type row struct {
	line, what                         string // of the list (a to i)
	ours, rival, ratio, limit, verdict string
	notes                              string
	profile                            string // of what was missed
}

// against compares a reading with the rival's; met when the median ratio is at
// most limit.
func against(line, what string, us, them []sample, read func(sample) float64, unit string, limit float64) row {
	got := ratioOf(us, them, read)
	return row{
		line: line, what: what, limit: ratio(limit), verdict: verdict(got <= limit),
		ours: seconds(medianOf(us, read)), rival: seconds(medianOf(them, read)), ratio: ratio(got),
		notes: fmt.Sprintf("%s; ours: wall %s, user %s, system %s, peak %s; rival: wall %s, user %s, system %s, peak %s", unit,
			seconds(medianOf(us, wall)), seconds(medianOf(us, user)), seconds(medianOf(us, cpu)-medianOf(us, user)), megabytes(medianOf(us, peak)),
			seconds(medianOf(them, wall)), seconds(medianOf(them, user)), seconds(medianOf(them, cpu)-medianOf(them, user)), megabytes(medianOf(them, peak))),
	}
}

// memory judges the largest peak of all rounds, not the median.
func memory(line, what string, us, them []sample) row {
	got := most(us, peak)
	return row{
		line: line, what: what, ours: megabytes(got), rival: megabytes(most(them, peak)),
		limit: megabytes(memoryLimit), verdict: verdict(got <= memoryLimit),
	}
}

// under judges seconds.
func under(line, what string, got, limit float64) row {
	return row{line: line, what: what, ours: seconds(got), limit: seconds(limit), ratio: ratio(got / limit), verdict: verdict(got <= limit)}
}

// over judges bytes a second.
func over(line, what string, got, limit float64) row {
	return row{line: line, what: what, ours: rate(got), limit: rate(limit), ratio: ratio(got / limit), verdict: verdict(got >= limit)}
}

const missed = "missed"

func verdict(met bool) string {
	if met {
		return "met"
	}
	return missed
}

func seconds(v float64) string   { return fmt.Sprintf("%.2f s", v) }
func ratio(v float64) string     { return fmt.Sprintf("%.2f", v) }
func megabytes(v float64) string { return fmt.Sprintf("%.0f MB", v/1e6) }
func rate(v float64) string      { return fmt.Sprintf("%.0f MB/s", v/1e6) }

// report is what is printed and written.
type report struct {
	s    *session
	rows []row
}

func newReport(s *session) *report { return &report{s: s} }

// table prints the rows as Markdown.
func (r *report) table(w io.Writer) error {
	var b strings.Builder
	b.WriteString("| | measured | result | rival or limit's base | ratio | limit | verdict |\n|---|---|---|---|---|---|---|\n")
	for _, x := range r.rows {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s |\n", x.line, x.what, dash(x.ours), dash(x.rival), dash(x.ratio), dash(x.limit), dash(x.verdict))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

// write writes the whole document.
func (r *report) write(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = fmt.Fprintf(f, intro, machine(), r.s.command())
	err = errors.Join(err, r.table(f))
	_, e := fmt.Fprintf(f, "\n%s\n%s", r.details(), fmt.Sprintf(method, r.s.runs, 100*tooMuch, r.s.noise.repeated, 100*r.s.noise.worst, r.inputs()))
	return errors.Join(err, e, f.Close())
}

func (r *report) details() string {
	var b strings.Builder
	for _, x := range r.rows {
		if x.notes != "" {
			fmt.Fprintf(&b, "* (%s) %s: %s\n", x.line, x.what, x.notes)
		}
	}
	for _, x := range r.rows {
		if x.profile != "" {
			fmt.Fprintf(&b, "\n## Profile of what was missed: (%s) %s\n\n```\n%s\n```\n", x.line, x.what, x.profile)
		}
	}
	return b.String()
}

func (s *session) command() string {
	return fmt.Sprintf("make bench (go run ./internal/bench -runs %d)", s.runs)
}
