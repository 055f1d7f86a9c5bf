package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/tql"
)

// queryFile matches the indicators of a file of ThreatConnect's v3 API.
func (c *cli) queryFile(args app.QueryArgs, name string) error {
	filter, err := tql.Compile(args.TQL, tql.Options{Schema: tql.V3Indicators})
	if err != nil {
		return queryError(args.TQL, err)
	}
	in, err := c.open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	q := fileQuery{args: args, filter: filter, env: args.Env(app.SystemClock{}), out: bufio.NewWriterSize(c.out, 1<<16), json: c.json}
	if args.Explain {
		return c.explainFile(in, name, &q)
	}
	for _, text := range filter.Warnings() {
		fmt.Fprintf(c.err, "remeld: warning: %s\n", text)
	}
	q.head()
	err = errors.Join(inFile(name, tql.ReadObjects(in, q.object)), q.out.Flush())
	if !c.json {
		fmt.Fprintf(c.err, "%s of %s match\n", count(q.matches), count(q.read))
	}
	return err
}

func (c *cli) explainFile(in io.Reader, name string, q *fileQuery) error {
	explain, err := app.Explain(q.filter, true)
	if err != nil {
		return err
	}
	err = tql.ReadObjects(in, func(_ []byte, o *tql.Object) error {
		q.read++
		explain.Add(fileCells(o)[0]+" "+fileCells(o)[5], o, q.env)
		if q.filter.MatchAny(o, q.env) == tql.True {
			q.matches++
		}
		return nil
	})
	if err != nil {
		return inFile(name, err)
	}
	return c.show(explain.Explanation, func(w io.Writer) {
		printExplanation(w, &explain.Explanation)
		fmt.Fprintf(w, "%s of %s match\n", count(q.matches), count(q.read))
	})
}

// inFile names the file in an error that says where in it.
func inFile(name string, err error) error {
	var at *tql.InputError
	if errors.As(err, &at) {
		return fmt.Errorf("%s:%d: %w (what is read is one JSON object a line, a JSON array, or pages of the v3 API)", name, at.Line, at.Err)
	}
	return err
}

// fileQuery prints what matches as it is read.
type fileQuery struct {
	args          app.QueryArgs
	filter        *tql.Filter
	env           *tql.Env
	out           *bufio.Writer
	json          bool
	read, matches int
}

// fileRow is one line; the last column is free.
const fileRow = "%-10s  %-13s  %-6s  %-4s  %-20s  %s\n"

func (q *fileQuery) head() {
	if !q.json {
		fmt.Fprintf(q.out, fileRow, "ID", "TYPE", "RATING", "CONF", "OWNER", "SUMMARY")
	}
}

func (q *fileQuery) object(raw []byte, o *tql.Object) error {
	q.read++
	if q.filter.MatchAny(o, q.env) != tql.True {
		return nil
	}
	q.matches++
	if q.args.Most >= 0 && q.matches > q.args.Most {
		return nil
	}
	if !q.json {
		cells := fileCells(o)
		_, err := fmt.Fprintf(q.out, fileRow, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5])
		return err
	}
	return writeLine(q.out, raw)
}

// writeLine writes an object as it came, on one line.
func writeLine(out *bufio.Writer, raw []byte) error {
	if bytes.IndexByte(raw, '\n') >= 0 {
		var line bytes.Buffer
		if err := json.Compact(&line, raw); err != nil {
			return err
		}
		raw = line.Bytes()
	}
	_, err := out.Write(raw)
	return errors.Join(err, out.WriteByte('\n'))
}

// fileCells are the cells of an object's line.
func fileCells(o *tql.Object) (cells [6]string) {
	for i, key := range []string{"id", "type", "rating", "confidence", "ownerName"} {
		text, _ := o.Text(key)
		cells[i] = orDash(printable(text))
	}
	text, _ := o.Summary()
	cells[5] = orDash(printable(text))
	return cells
}

// printable keeps what a stranger wrote from moving the cursor of a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsPrint(r):
			return '?'
		}
		return r
	}, text)
}
