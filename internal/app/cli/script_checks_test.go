package cli_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/app/control"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/sdk"
)

// checked makes a check of the tenant a command.
func checked(name string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) { ts.Check(check(ts, name, args)) }
}

// check compares what the sandbox has with what is wanted.
func check(ts *testscript.TestScript, name string, args []string) error {
	sb := roomOf(ts).sb
	var got, want int
	var err error
	switch name {
	case "calls", "effects":
		if len(args) != 2 {
			ts.Fatalf("usage: %s NAME N", name)
		}
		want = number(ts, args[1])
		got = counted(sb, name, args[0])
	case "struck":
		want = number(ts, args[0])
		for _, f := range sb.Faults() {
			got += f.Hits
		}
	case "rows", "foreign":
		if len(args) == 0 {
			ts.Fatalf("usage: %s N [PATTERN]", name)
		}
		want = number(ts, args[0])
		got, err = rowsLike(sb, name == "foreign", args[1:])
	default:
		ts.Fatalf("there is no check %q", name)
	}
	if err == nil && got != want {
		err = fmt.Errorf("%s %v: there are %d", name, args, got)
	}
	return err
}

func number(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

// writing are the operations that change a tenant, of every service.
var writing = map[string]bool{
	"import": true, "create": true, "delete": true, "batch_delete": true,
	"upload": true, "upload-indicators": true, "sentinel-delete": true, "sentinel-create": true,
	"ti-create": true, "ti-update": true, "ti-delete": true, "ti-submit": true, "ti-update-many": true, "ti-delete-many": true, "ti-delete-external": true,
}

func counted(sb *sandbox.Sandbox, what, name string) int {
	var n int64
	for _, c := range sb.Counters() {
		if what == "effects" {
			n += c.Effects[name]
			continue
		}
		if c.Op == name || name == "write" && writing[c.Op] {
			n += c.Calls
		}
	}
	return int(n)
}

// rowsLike counts the rows of our app, or of others.
func rowsLike(sb *sandbox.Sandbox, foreign bool, patterns []string) (int, error) {
	rows, err := sb.Rows(sandbox.DemoTenant)
	if err != nil {
		return 0, err
	}
	var like *regexp.Regexp
	if len(patterns) > 0 {
		if like, err = regexp.Compile(patterns[0]); err != nil {
			return 0, err
		}
	}
	n := 0
	for _, r := range rows {
		if (r.CreatedBy != sandbox.DemoApp) != foreign {
			continue
		}
		if like == nil || like.MatchString(r.Value+" "+r.Action) {
			n++
		}
	}
	return n, nil
}

// ask calls the running process over its socket. A command would open the store where
// none runs yet, and keep the one that starts from it.
func ask(ts *testscript.TestScript, method string, args, out any) error {
	client, err := control.Dial(context.Background(), ts.Getenv("REMELD_STATE"))
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Call(context.Background(), method, args, out)
}

// settled asks the running process whether everything was read and handed on.
func settled(ts *testscript.TestScript) error {
	var v app.StatusView
	if err := ask(ts, "status", app.None{}, &v); err != nil {
		return err
	}
	if v.Feeds == "" {
		return errors.New("no process serves yet")
	}
	for _, n := range v.Nodes {
		unread := n.Role == sdk.RoleSource && n.Seen.IsZero() && !n.OnDemand // a job's is read by its runs
		if unread || n.Lag != 0 || n.State == "polling" {
			return fmt.Errorf("node %s is %s %s, lag %d", n.Name, n.State, n.Detail, n.Lag)
		}
	}
	return nil
}

func tenantValues(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: tenant-values FILE")
	}
	rows, err := roomOf(ts).sb.Rows(sandbox.DemoTenant)
	ts.Check(err)
	var values []string
	for _, r := range rows {
		if r.CreatedBy == sandbox.DemoApp {
			values = append(values, r.Value)
		}
	}
	writeLines(ts, args[0], values)
}

// linesOf writes what a JMESPath expression finds in the last stdout.
func linesOf(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: lines-of EXPRESSION FILE")
	}
	text, err := query(ts.ReadFile("stdout"), args[0])
	ts.Check(err)
	var values []string
	ts.Check(json.Unmarshal([]byte(text), &values))
	writeLines(ts, args[1], values)
}

func writeLines(ts *testscript.TestScript, file string, values []string) {
	slices.Sort(values)
	ts.Check(os.WriteFile(ts.MkAbs(file), []byte(strings.Join(append(values, ""), "\n")), 0o600))
}
