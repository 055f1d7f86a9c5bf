package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"github.com/remeld/remeld/internal/sandbox"
)

// twin is a sandbox in a process of its own, so that neither its memory nor its CPU time
// counts as ours.
type twin struct {
	URL string `json:"url"`
	CA  string `json:"ca"`

	cmd *exec.Cmd
	end io.Closer
}

// startTwin starts a sandbox whose ThreatConnect has size indicators.
func (s *session) startTwin(ctx context.Context, dir string, size int) (*twin, error) {
	text, err := json.Marshal(job{Measure: "twin", Dir: dir, Size: size})
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	t := &twin{cmd: exec.CommandContext(ctx, self)}
	t.cmd.Env = append(os.Environ(), jobVar+"="+string(text))
	t.cmd.Stderr = os.Stderr
	out, err := t.cmd.StdoutPipe()
	if err == nil {
		t.end, err = t.cmd.StdinPipe()
	}
	if err == nil {
		err = t.cmd.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start the twin: %w", err)
	}
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, t)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("the twin does not say where it is: %w", err), t.stop())
	}
	return t, nil
}

// stop ends the twin's process.
func (t *twin) stop() error {
	return errors.Join(t.end.Close(), t.cmd.Wait())
}

// childTwin serves until its standard input ends.
func childTwin(ctx context.Context, j job, _ *watch) (err error) {
	sb, err := sandbox.Start(ctx, sandbox.Options{Dir: j.Dir, TokenLifetime: 24 * time.Hour, ThreatConnect: sandbox.ThreatConnect{Size: j.Size}})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sb.Close()) }()
	if err := json.NewEncoder(os.Stdout).Encode(twin{URL: sb.URL(), CA: sb.CAFile()}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}
