// Command bench measures what Remeld promises about speed and memory, each rival
// in the same run side by side, and writes docs/performance.md. Use it through
// `make bench`; with -only NAME it measures one thing and prints the table, with
// -profile DIR it leaves a CPU profile of each of our own measurements there.
//
// Every measurement runs in a process of its own, so that peaks of memory do not
// mix, and what other programs take of the machine meanwhile is measured too: a
// round they disturbed is repeated, and said so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/remeld/remeld/internal/app"
)

// options are what the command line says.
type options struct {
	runs    int
	only    []string
	quick   bool
	dir     string // parent of the scratch directory
	profile string
	out     string
	root    string // of the module
}

func main() {
	app.SaveMemory() // as the product does
	if job, ok := childJob(); ok {
		os.Exit(runChild(job))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

func parse(args []string) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.IntVar(&o.runs, "runs", 5, "rounds of each measurement; the median counts")
	only := fs.String("only", "", "measure only these, separated by commas: "+strings.Join(suiteNames(), ", ")+"; doors/CLASS is one door")
	fs.BoolVar(&o.quick, "quick", false, "small inputs, to see that everything works; the numbers mean nothing")
	fs.StringVar(&o.dir, "dir", os.TempDir(), "where the scratch directory is made (some 3 GB)")
	fs.StringVar(&o.profile, "profile", "", "leave CPU profiles in this directory")
	fs.StringVar(&o.out, "out", "", "report to write; docs/performance.md when everything is measured at full size, else none")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	for _, name := range o.only {
		if !slices.Contains(suiteNames(), name) && !slices.Contains(doorNames(), name) {
			return o, fmt.Errorf("nothing is called %q: -only takes %s", name, strings.Join(append(suiteNames(), doorNames()...), ", "))
		}
	}
	if o.runs < 1 {
		return o, errors.New("-runs must be at least 1")
	}
	var err error
	if o.root, err = moduleRoot(); err != nil {
		return o, err
	}
	if o.out == "" && !o.quick && o.only == nil {
		o.out = filepath.Join(o.root, "docs", "performance.md")
	}
	return o, nil
}

// wants reports whether -only leaves a part of a suite in.
func (o *options) wants(suite, part string) bool {
	return o.only == nil || slices.Contains(o.only, suite) || slices.Contains(o.only, suite+"/"+part)
}

// moduleRoot is the folder of go.mod, from the working directory upwards.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the repository: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if filepath.Dir(dir) == dir {
			return "", errors.New("find the repository: no go.mod above the working directory")
		}
		dir = filepath.Dir(dir)
	}
}

// run measures and reports.
func run(ctx context.Context, o options) (err error) {
	dir, err := os.MkdirTemp(o.dir, "remeld-bench-")
	if err != nil {
		return fmt.Errorf("make the scratch directory: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if o.profile != "" {
		if err := os.MkdirAll(o.profile, 0o750); err != nil {
			return fmt.Errorf("make the directory of profiles: %w", err)
		}
	}
	s := &session{options: o, dir: dir, size: full}
	if o.quick {
		s.size = small
	}
	r := newReport(s)
	for _, b := range suite {
		if o.only != nil && !slices.ContainsFunc(o.only, func(name string) bool { suite, _, _ := strings.Cut(name, "/"); return suite == b.name }) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %s\n", b.name, b.about)
		rows, err := b.measure(ctx, s)
		if err != nil {
			return fmt.Errorf("%s: %w", b.name, err)
		}
		r.rows = append(r.rows, rows...)
	}
	if err := r.table(os.Stdout); err != nil || o.out == "" {
		return err
	}
	return r.write(o.out)
}
