package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strings"
)

// child runs a job in a process of its own.
func (s *session) child(ctx context.Context, j job) (sample, error) {
	if s.profile != "" && j.Profile == "" {
		j.Profile = filepath.Join(s.profile, j.Measure+".pprof")
	}
	text, err := json.Marshal(j)
	if err != nil {
		return sample{}, err
	}
	self, err := os.Executable()
	if err != nil {
		return sample{}, fmt.Errorf("find this program: %w", err)
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), jobVar+"="+string(text))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("measure %s: %w: %s", j.Measure, err, errs.Bytes())
	}
	var got sample
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		return sample{}, fmt.Errorf("measure %s: read its answer: %w", j.Measure, err)
	}
	got.Total = cmd.ProcessState.UserTime().Seconds() + cmd.ProcessState.SystemTime().Seconds()
	return got, nil
}

// explain takes profiles of a job if one of the rows missed its limit, and puts
// what costs most into the rows.
func (s *session) explain(ctx context.Context, rows []row, j job) error {
	j.Profile = filepath.Join(s.dir, j.Measure+".pprof")
	taken := s.quick // its numbers mean nothing
	for i := range rows {
		if rows[i].verdict != missed || s.quick {
			continue
		}
		if !taken {
			if _, err := s.child(ctx, j); err != nil {
				return err
			}
			taken = true
		}
		args := []string{"tool", "pprof", "-top", "-nodecount=25", j.Profile}
		if rows[i].line == "c" {
			args = []string{"tool", "pprof", "-top", "-nodecount=25", "-sample_index=alloc_space", j.Profile + allocsSuffix}
		}
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = s.root
		out, err := cmd.Output()
		if err != nil {
			return fmt.Errorf("read the profile of %s: %w", j.Measure, err)
		}
		rows[i].profile = strings.TrimSpace(string(out))
	}
	return nil
}

// allocsSuffix names the profile of allocations beside that of the processor.
const allocsSuffix = ".allocs"

// allocations writes what the whole process allocated, where a profile is asked for.
func allocations(profile string) error {
	if profile == "" {
		return nil
	}
	f, err := os.Create(profile + allocsSuffix)
	if err != nil {
		return fmt.Errorf("write the profile: %w", err)
	}
	return errors.Join(pprof.Lookup("allocs").WriteTo(f, 0), f.Close())
}
