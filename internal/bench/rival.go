package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// program runs another program and measures its process: output goes to out, to
// nowhere if nil.
func program(ctx context.Context, out io.Writer, env []string, name string, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout = out // nil is the null device, an *os.File is handed on as it is
	var said strings.Builder
	cmd.Stderr = &said
	begun := time.Now()
	if err := cmd.Run(); err != nil {
		return sample{}, fmt.Errorf("run %s: %w: %s", name, err, said.String())
	}
	got := sample{
		Wall: time.Since(begun).Seconds(),
		User: cmd.ProcessState.UserTime().Seconds(), System: cmd.ProcessState.SystemTime().Seconds(),
	}
	got.Total = cpu(got)
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		got.Peak = float64(r.Maxrss) * 1024
	}
	return got, nil
}

// sortUnique is the rival of a poll: it reads the list and makes each line unique
// in byte order, with two threads and its default memory, its temporary files in
// the scratch directory; output to a file, or to nowhere if target is "".
func (s *session) sortUnique(ctx context.Context, list, target string) (sample, error) {
	args := []string{"-u", "--parallel=2", "-T", s.dir, list}
	if target != "" {
		args = append([]string{"-o", target}, args...)
	}
	return program(ctx, nil, []string{"LC_ALL=C"}, "sort", args...)
}

// version is the first line a program says of itself, "" if it is missing.
func version(ctx context.Context, name string) string {
	out, err := exec.CommandContext(ctx, name, "--version").CombinedOutput()
	if err != nil && len(out) == 0 {
		return ""
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return strings.TrimSpace(line)
}

func installed(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}
