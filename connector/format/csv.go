package format

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// csvReader reads rows.
type csvReader struct {
	o    *CSV
	kind indicator.Kind
}

func newCSVReader(o *CSV, kind indicator.Kind) *csvReader { return &csvReader{o, kind} }

func (c *csvReader) wholeLines() bool { return true }

// csvLayout is the columns of one body, by their place from 0.
type csvLayout struct {
	columns []csvColumn
	fields  []csvField
}

type csvColumn struct {
	at, kindFrom int // kindFrom -1 = none
	kind         indicator.Kind
}

type csvField struct {
	name string
	at   int
}

func (c *csvReader) parse(ctx context.Context, r io.Reader, mk func(sdk.Sink) *values, out sdk.Sink) error {
	v := mk(out)
	bound := &rowBound{r: swapQuote(r, c.o.Quote)}
	rows := c.dialect(bound)
	layout, err := c.layout(rows)
	if err == nil {
		err = c.rows(ctx, rows, bound, layout, v)
	}
	if ferr := v.flush(); err == nil {
		err = ferr
	}
	return err
}

func (c *csvReader) dialect(r io.Reader) *csv.Reader {
	rows := csv.NewReader(r)
	rows.ReuseRecord = true
	rows.FieldsPerRecord = -1
	rows.LazyQuotes = c.o.Lazy
	rows.Comma = c.o.comma()
	rows.TrimLeadingSpace = !unicode.IsSpace(rows.Comma) // would swallow empty fields
	rows.Comment, _ = oneRune(c.o.Comment, '#')          // Validate has seen it
	return rows
}

// byName reports whether any column is called by a name.
func (c *csvReader) byName() bool {
	for _, ref := range c.o.Fields {
		if _, err := strconv.Atoi(ref); err != nil {
			return true
		}
	}
	return slices.ContainsFunc(c.o.Columns, func(col Column) bool {
		_, err := strconv.Atoi(col.KindFrom)
		return col.Name != "" || col.KindFrom != "" && err != nil
	})
}

// layout reads the header, if there is one, and finds the columns in it.
func (c *csvReader) layout(rows *csv.Reader) (csvLayout, error) {
	var header []string
	if c.o.Header || c.byName() {
		row, err := rows.Read()
		if err == io.EOF {
			return csvLayout{}, nil // no header, no rows: an empty body
		}
		if err != nil {
			return csvLayout{}, csvError(err)
		}
		for _, h := range row {
			header = append(header, strings.TrimSpace(unswap(h, c.o.Quote)))
		}
	}
	var l csvLayout
	for _, col := range c.o.Columns {
		at, err := place(header, col.Name, col.Index)
		if err != nil {
			return l, err
		}
		kindFrom := -1
		if col.KindFrom != "" {
			if kindFrom, err = place(header, col.KindFrom, 0); err != nil {
				return l, err
			}
		}
		l.columns = append(l.columns, csvColumn{at, kindFrom, kindOf(col.Kind, c.kind)})
	}
	for name, ref := range c.o.Fields {
		at, err := place(header, ref, 0)
		if err != nil {
			return l, err
		}
		l.fields = append(l.fields, csvField{name, at})
	}
	slices.SortFunc(l.fields, func(a, b csvField) int { return strings.Compare(a.name, b.name) })
	return l, nil
}

// place finds a column by its name, exactly or without regard to case, or by
// number from 1.
func place(header []string, name string, number int) (int, error) {
	if number > 0 {
		return number - 1, nil
	}
	for _, same := range []func(string) bool{
		func(h string) bool { return h == name },
		func(h string) bool { return strings.EqualFold(h, name) },
	} {
		i := slices.IndexFunc(header, same)
		if i < 0 {
			continue
		}
		if again := slices.IndexFunc(header[i+1:], same); again >= 0 {
			return 0, &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
				"the CSV has two columns %q, number %d and number %d: say which by number in csv.columns and csv.fields", name, i+1, i+again+2)}
		}
		return i, nil
	}
	if n, err := strconv.Atoi(name); err == nil && n > 0 {
		return n - 1, nil
	}
	return 0, &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
		"the CSV has no column %q; its header is %q: correct csv.columns and csv.fields, or the delimiter", name, clip(strings.Join(header, ", ")))}
}

// rows reads to the end of the body. A quote that is not closed where it should be
// takes lines with it: what they list is not known, so the read is incomplete.
func (c *csvReader) rows(ctx context.Context, rows *csv.Reader, bound *rowBound, l csvLayout, v *values) error {
	var lost error
	open := 0 // line of the last row, if its last field goes over the line's end
	for n := 1; ; n++ {
		bound.mark = rows.InputOffset()
		row, err := rows.Read()
		if err == io.EOF {
			if open > 0 && bound.last != '"' {
				lost = unclosed(open)
			}
			return lost
		}
		open = 0
		var bad *csv.ParseError
		switch {
		case errors.As(err, &bad):
			if bad.Line > bad.StartLine && lost == nil {
				lost = unclosed(bad.StartLine)
			}
			v.refuse(bad.Line, &indicator.Refusal{Kind: v.kind, Reason: ReasonBadRow, Detail: bad.Err.Error()})
		case err != nil:
			return csvError(err)
		default:
			line, _ := rows.FieldPos(0)
			if c.o.Lazy && strings.Contains(row[len(row)-1], "\n") {
				open = line
			}
			if err := c.row(v, l, line, row); err != nil {
				return err
			}
		}
		if n%1024 == 0 {
			if err := errors.Join(v.flush(), ctx.Err()); err != nil {
				return err
			}
		}
	}
}

func unclosed(line int) error {
	return &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf(
		"the row at line %d has a quote that is not closed, and the lines it takes with it are lost: the read is incomplete; have the feed corrected, or set csv.quote to none", line)}
}

func (c *csvReader) row(v *values, l csvLayout, line int, row []string) error {
	var attrs indicator.Attributes
	said := false
	for _, f := range l.fields {
		if f.at < len(row) {
			if text := strings.TrimSpace(unswap(row[f.at], c.o.Quote)); text != "" {
				v.attribute(line, &attrs, f.name, text)
				said = true
			}
		}
	}
	about := &attrs
	if !said {
		about = nil
	}
	found := false
	for _, col := range l.columns {
		if col.at >= len(row) {
			continue
		}
		text := strings.TrimSpace(unswap(row[col.at], c.o.Quote))
		if text == "" {
			continue
		}
		found = true
		kind := col.kind
		if col.kindFrom >= 0 && col.kindFrom < len(row) {
			kind = kindOf(strings.TrimSpace(row[col.kindFrom]), kind)
		}
		if err := v.add(line, kind, []byte(text), about); err != nil {
			return err
		}
	}
	if !found {
		v.refuseText(line, []byte(strings.Join(row, ",")), ReasonNoValue, "the columns with indicators are empty or missing")
	}
	return nil
}

// csvError explains an error that ends the read.
func csvError(err error) error {
	if errors.Is(err, errRowTooLong) {
		return &sdk.Error{Failure: sdk.Permanent, Message: errRowTooLong.Error() +
			": a quote that is never closed, perhaps; set csv.quote to none, or lazy_quotes"}
	}
	return err
}
