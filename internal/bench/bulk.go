package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/remeld/remeld/internal/app/cli"
	"github.com/remeld/remeld/internal/sandbox"
	"github.com/remeld/remeld/internal/schedule"
)

const (
	bulkMemory = 300e6
	// bulkRatio is how much more CPU an indicator may cost us than decoding its page
	// with encoding/json.
	bulkRatio = 1.5
)

// benchBulk reads ThreatConnect's twin to fill a Defender, as a job run by hand does:
// the twin and the job are processes of their own.
func benchBulk(ctx context.Context, s *session) (rows []row, err error) {
	dir := filepath.Join(s.dir, "bulk")
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o750); err != nil {
		return nil, err
	}
	t, err := s.startTwin(ctx, dir, s.size.bulk)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, t.stop(), os.RemoveAll(dir)) }()
	if err := os.WriteFile(filepath.Join(dir, "etc", "remeld.yaml"), []byte(bulkConfig(t)), 0o600); err != nil {
		return nil, err
	}
	// What the twin does meanwhile belongs to the measurement, so nobody watches for
	// other programs.
	s.noise.quiet(ctx)
	j := job{Measure: "bulk", Dir: dir}
	run, err := s.child(ctx, j)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "  bulk: %s\n", run)
	pages, err := s.child(ctx, job{Measure: "pages", Dir: dir, Body: t.CA, Other: t.URL})
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "  bulk, pages: %s\n", pages)
	// One value may stand in two owners: the twin makes one in twenty so.
	if values, all := run.Values["read"], pages.Values["read"]; values > all || values < 0.9*all {
		return nil, fmt.Errorf("the job read %.0f values, a plain client %.0f indicators", values, all)
	}
	rows = bulkRows(s, run, pages)
	return rows, s.explain(ctx, rows[:1], j)
}

func bulkRows(s *session, run, pages sample) []row {
	n := pages.Values["read"]
	memory := row{
		line: "i", what: fmt.Sprintf("job of %d indicators in ThreatConnect to a full Defender, peak memory", s.size.bulk),
		ours: megabytes(run.Peak), limit: megabytes(bulkMemory), ratio: ratio(run.Peak / bulkMemory), verdict: verdict(run.Peak <= bulkMemory),
		notes: fmt.Sprintf("%.0f read, %.0f values, %.0f created, %.0f pages; the whole process took %.1f µs of CPU an indicator (user %s, system %s)",
			n, run.Values["read"], run.Values["created"], pages.Values["pages"], 1e6*cpu(run)/n, seconds(run.User), seconds(run.System)),
	}
	bare := pages.Values["bare"]
	wall := row{
		line: "i", what: "the same job, wall; base: a client that asks for the same pages and throws them away",
		ours: seconds(run.Wall), rival: seconds(bare), ratio: ratio(run.Wall / bare),
		notes: fmt.Sprintf("the pages alone are %.0f %% of it", 100*bare/run.Wall),
	}
	mine, theirs := pages.Values["source"], pages.Values["plain"]
	read := row{
		line: "i", what: "an indicator from its page to key and attributes, CPU; base: its page decoded by encoding/json",
		ours: micros(mine / n), rival: micros(theirs / n), ratio: ratio(mine / theirs), limit: ratio(bulkRatio), verdict: verdict(mine <= bulkRatio*theirs),
	}
	return []row{memory, wall, read}
}

func micros(v float64) string { return fmt.Sprintf("%.1f µs", 1e6*v) }

// bulkConfig is the job of ThreatConnect's guide with its own example.
func bulkConfig(t *twin) string {
	return fmt.Sprintf(`instance: bench
connections:
  tenant: {type: entra, tenant_id: %s, client_id: %s, client_secret: %q, authority: %[4]q, defender: %[4]q, ca: %[5]q}
  tc: {type: threatconnect, url: "%[4]s/api", access_id: %[6]q, secret_key: %[7]q, ca: %[5]q}
web: {listen: "127.0.0.1:0"}
protect: {special_purpose: false}
jobs:
  bulk:
    form: threatconnect_job
    config:
      connection: tc
      to: [tenant]
      action_to_take: Alert
      owners: %[8]s
      indicator_types: [Address, Host, URL, MD5, SHA1, SHA256]
      last_run: 3650
      only_modified_since_last_run: true
      indicator_reserve_count: 3000
`, sandbox.DemoTenant, sandbox.DemoApp, sandbox.DemoSecret, t.URL, t.CA, sandbox.DemoAccessID, sandbox.DemoSecretKey, quoted(bulkOwners))
}

func quoted(list []string) string {
	data, _ := json.Marshal(list) // of strings, which are YAML as well
	return string(data)
}

// childBulk is "remeld job run bulk --json".
func childBulk(_ context.Context, j job, m *watch) error {
	var out, said bytes.Buffer
	args := []string{"job", "run", "bulk", "--json", "-c", filepath.Join(j.Dir, "etc"), "--state", filepath.Join(j.Dir, "state")}
	_, err := m.time(func() error {
		if code := cli.Main(args, os.Stdin, &out, &said); code != 0 {
			return fmt.Errorf("remeld ended with %d: %s", code, said.Bytes())
		}
		return nil
	})
	if err != nil {
		return err
	}
	var rec schedule.Record
	if err := json.Unmarshal(out.Bytes(), &rec); err != nil {
		return fmt.Errorf("read the record of the run: %w", err)
	}
	m.sample.Values["read"], m.sample.Values["created"] = float64(rec.Counts["read"]), float64(rec.Counts["create"])
	if rec.Status != schedule.Done || rec.Counts["create"] == 0 {
		return fmt.Errorf("the run is %s with %v", rec.Status, rec.Counts)
	}
	return nil
}
