package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jmespath-community/go-jmespath"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/remeld/remeld/internal/app"
	"github.com/remeld/remeld/internal/app/cli"
	"github.com/remeld/remeld/internal/sandbox"
)

// commands are what a script can say:
//
//	sandbox [SWITCH=VALUE…]     start a sandbox tenant; sets SANDBOX_* and FEEDS_URL;
//	                            groups=NAME,NAME are its device groups, threatconnect=N
//	                            is how many indicators ThreatConnect has, else none; TC_*
//	control METHOD PATH [BODY]  call its control API; the answer is stdout
//	feed NAME FILE              set a feed to what the file holds
//	certificate FILE END        write a certificate with its key that ends at the date
//	mailserver CA-FILE USER PW  start a mail server with STARTTLS and a login; sets MAIL_PORT
//	mail-verbs                  print the SMTP verbs it was told
//	lines FILE FORMAT FROM TO   write numbered lines
//	journal-reset               forget the calls so far
//	calls OP N                  so many calls of OP ("write": all that write)
//	effects EFFECT N            so many rows created, updated, deleted, refused
//	rows N [PATTERN]            so many rows at the tenant (whose value matches)
//	foreign N                   so many rows of others
//	tenant-values FILE          write the values of our rows, sorted, one a line
//	lines-of EXPRESSION FILE    write what a JMESPath expression over stdout finds, sorted, one a line
//	serving                     a process answers on the socket
//	settled                     every source but those of jobs read, every node caught up
//	exits CODE COMMAND…         the exit code, exactly
//	wait-exits CODE COMMAND…    poll a command until it ends so
//	json EXPRESSION WANT        a JMESPath expression over stdout
//	setfrom NAME PATTERN        an environment variable from stdout
//	wait-for CHECK…             poll rows, calls, effects, foreign, or struck N: faults that happened
//	[!] wait-output PATTERN CMD… poll a command until its output matches (or does not)
//	memory NAME MB              the background command's peak memory is at most so much
//	help-of-all                 every command has help with a text and, where it acts, an example
//	nosecret FOLDER PATTERN     no file below the folder has the pattern
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"tenant-values": tenantValues, "sandbox": startSandbox, "control": callControl, "feed": setFeed, "lines": lines,
	"journal-reset": func(ts *testscript.TestScript, _ bool, _ []string) { roomOf(ts).sb.ResetJournal() },
	"calls":         checked("calls"), "effects": checked("effects"), "rows": checked("rows"), "foreign": checked("foreign"),
	"serving": func(ts *testscript.TestScript, _ bool, _ []string) {
		poll(ts, func() error { return ask(ts, "status", app.None{}, &app.StatusView{}) })
	},
	"settled": func(ts *testscript.TestScript, _ bool, _ []string) { poll(ts, func() error { return settled(ts) }) },
	"exits":   exits, "json": jsonCheck, "setfrom": setFrom, "wait-for": waitFor, "wait-output": waitOutput,
	"wait-exits": waitExits, "nosecret": noSecret, "certificate": certificate, "mailserver": startMail, "mail-verbs": mailVerbs, "memory": memory, "lines-of": linesOf, "help-of-all": helpOfAll,
}

type roomKey struct{}

// room is what a script has beside its folder.
type room struct {
	sb   *sandbox.Sandbox
	mail *mailServer
}

func roomOf(ts *testscript.TestScript) *room {
	r := ts.Value(roomKey{}).(*room)
	if r.sb == nil {
		ts.Fatalf("start a sandbox first")
	}
	return r
}

func startSandbox(ts *testscript.TestScript, _ bool, args []string) {
	opts := sandbox.Options{Dir: ts.MkAbs("."), PlainAddr: "127.0.0.1:0", ThreatConnect: sandbox.ThreatConnect{Size: -1}}
	args = slices.DeleteFunc(args, func(a string) bool {
		names, is := strings.CutPrefix(a, "groups=")
		if is {
			opts.Groups = strings.Split(names, ",")
		}
		size, isSize := strings.CutPrefix(a, "threatconnect=")
		if isSize {
			var err error
			opts.ThreatConnect.Size, err = strconv.Atoi(size)
			ts.Check(err)
		}
		return is || isSize
	})
	sb, err := sandbox.Start(context.Background(), opts)
	ts.Check(err)
	ts.Defer(func() { _ = sb.Close() })
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		ts.Check(sb.SetSwitch(name, value))
	}
	ts.Value(roomKey{}).(*room).sb = sb
	for name, value := range map[string]string{
		"SANDBOX_URL": sb.URL(), "SANDBOX_CA": sb.CAFile(), "SANDBOX_TENANT": sandbox.DemoTenant,
		"SANDBOX_APP": sandbox.DemoApp, "SANDBOX_SECRET": sandbox.DemoSecret, "FEEDS_URL": sb.PlainURL() + "/feeds-src", "SANDBOX_PLAIN": sb.PlainURL(),
		"TC_URL": sb.ThreatConnectURL(), "TC_ID": sandbox.DemoAccessID, "TC_KEY": sandbox.DemoSecretKey,
	} {
		ts.Setenv(name, value)
	}
}

func callControl(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: control METHOD PATH [BODY]")
	}
	req, err := http.NewRequest(args[0], roomOf(ts).sb.PlainURL()+"/_sandbox/"+args[1], strings.NewReader(strings.Join(args[2:], " ")))
	ts.Check(err)
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s", body)
	if failed := resp.StatusCode >= 300; failed != neg {
		ts.Fatalf("HTTP %d: %s", resp.StatusCode, body)
	}
}

func setFeed(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: feed NAME FILE")
	}
	ts.Check(roomOf(ts).sb.SetFeed(sandbox.Feed{Name: args[0], Steps: []sandbox.Step{{Body: []byte(ts.ReadFile(args[1]))}}}))
}

func lines(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 4 {
		ts.Fatalf("usage: lines FILE FORMAT FROM TO")
	}
	from, err := strconv.Atoi(args[2])
	ts.Check(err)
	to, err := strconv.Atoi(args[3])
	ts.Check(err)
	var b strings.Builder
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, args[1]+"\n", i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

// exits runs a command and wants its very exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	ts.Check(exitsWith(ts, args))
}

func waitExits(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: wait-exits CODE COMMAND…")
	}
	poll(ts, func() error { return exitsWith(ts, args) })
}

func exitsWith(ts *testscript.TestScript, args []string) error {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var e *exec.ExitError
		if !errors.As(err, &e) {
			return err
		}
		got = e.ExitCode()
	}
	if got != want {
		return fmt.Errorf("exit code %d, want %d", got, want)
	}
	return nil
}

// jsonCheck evaluates JMESPath over the last stdout and compares the compact JSON.
func jsonCheck(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: json EXPRESSION WANT")
	}
	got, err := query(ts.ReadFile("stdout"), args[0])
	ts.Check(err)
	if got != args[1] {
		ts.Fatalf("%s is %s, want %s", args[0], got, args[1])
	}
}

func query(text, expression string) (string, error) {
	var doc any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return "", fmt.Errorf("stdout is no JSON: %w", err)
	}
	v, err := jmespath.Search(expression, doc)
	if err != nil {
		return "", fmt.Errorf("%s: %w", expression, err)
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return "", err
	}
	return strings.Trim(strings.TrimSpace(out.String()), `"`), nil
}

// setFrom sets a variable to what the pattern's first group matches in stdout or
// stderr of the last command.
func setFrom(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: setfrom NAME PATTERN")
	}
	text := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	found := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(text)
	if len(found) < 2 {
		ts.Fatalf("nothing matches %s", args[1])
	}
	ts.Setenv(args[0], found[1])
}

// patience bounds every wait; a script that needs it is stuck. A wait of the process
// after a failure is a minute.
const patience = 5 * time.Minute

// poll asks until check is content.
func poll(ts *testscript.TestScript, check func() error) {
	var err error
	wait := 20 * time.Millisecond
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(wait) {
		if err = check(); err == nil {
			return
		}
		wait = min(wait*3/2, 2*time.Second)
	}
	ts.Fatalf("still after %s: %v", patience, err)
}

func waitFor(ts *testscript.TestScript, _ bool, args []string) {
	poll(ts, func() error { return check(ts, args[0], args[1:]) })
}

func waitOutput(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: wait-output PATTERN COMMAND…")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	poll(ts, func() error {
		_ = ts.Exec(args[1], args[2:]...) // what it prints counts
		if text := ts.ReadFile("stdout") + ts.ReadFile("stderr"); pattern.MatchString(text) == neg {
			return fmt.Errorf("%s and %q: match is %v", args[0], text, neg)
		}
		return nil
	})
}

// noSecret looks through every file below a folder, binary ones included.
func noSecret(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: nosecret FOLDER PATTERN")
	}
	pattern, seen := regexp.MustCompile(args[1]), 0
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if found := pattern.Find(data); found != nil {
			ts.Fatalf("%s holds %q", path, found)
		}
		seen += len(data)
		return err
	}))
	if seen == 0 {
		ts.Fatalf("there is nothing in %s", args[0])
	}
}

// memory reads VmHWM of the background command that is named last in the script.
func memory(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: memory NAME MB")
	}
	limit, err := strconv.Atoi(args[1])
	ts.Check(err)
	running := ts.BackgroundCmds()
	if len(running) != 1 {
		ts.Fatalf("%d commands run, want 1", len(running))
	}
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", running[0].Process.Pid))
	if err != nil {
		ts.Logf("no peak memory on this system: %v", err)
		return
	}
	found := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		ts.Fatalf("no VmHWM in %s", text)
	}
	kb, err := strconv.Atoi(string(found[1]))
	ts.Check(err)
	if kb > limit<<10 {
		ts.Fatalf("%d MB at its peak, want at most %d", kb>>10, limit)
	}
	ts.Logf("%d MB at its peak", kb>>10)
}

func helpOfAll(ts *testscript.TestScript, _ bool, _ []string) {
	for _, c := range cli.Root().Commands() {
		ts.Check(ts.Exec("remeld", c.Name(), "--help"))
		if text := ts.ReadFile("stdout"); !strings.Contains(text, "Usage:") || c.Short == "" || !strings.Contains(text, firstWords(c)) {
			ts.Fatalf("the help of %s says too little: %s", c.Name(), text)
		}
	}
}

func firstWords(c *cobra.Command) string {
	if c.Long != "" {
		return strings.SplitN(c.Long, "\n", 2)[0]
	}
	return c.Short
}
