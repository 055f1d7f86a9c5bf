package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"syscall"
	"time"
)

// job is what a child process is to measure.
type job struct {
	Measure string `json:"measure"`
	Dir     string `json:"dir"`
	Body    string `json:"body,omitempty"` // a list
	Other   string `json:"other,omitempty"`
	Size    int    `json:"size,omitempty"`
	Listed  int    `json:"listed,omitempty"`
	Runs    int    `json:"runs,omitempty"`
	Profile string `json:"profile,omitempty"` // file
}

// jobVar is the environment variable that makes a process a child.
const jobVar = "REMELD_BENCH_JOB"

// measures are what a child can do, by name.
var measures = map[string]func(ctx context.Context, j job, w *watch) error{
	"lists": childLists, "poll": childPoll, "polls": childPolls, "load": childLoad, "toggle": childToggle, "plan": childPlan, "edl": childEDL, "doors": childDoors, "patterns": childPatterns,
	"twin": childTwin, "bulk": childBulk, "pages": childPages,
}

func childJob() (job, bool) {
	text, ok := os.LookupEnv(jobVar)
	if !ok {
		return job{}, false
	}
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	return j, true
}

// runChild measures in this process and prints the sample.
func runChild(j job) int {
	w := &watch{profile: j.Profile, sample: sample{Values: map[string]float64{}, Series: map[string][]float64{}}}
	err := measures[j.Measure](context.Background(), j, w)
	if err == nil {
		w.sample.Peak = peakMemory()
		err = allocations(j.Profile)
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(w.sample)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench: %s: %v\n", j.Measure, err)
		return 1
	}
	return 0
}

// watch times one section of a child.
type watch struct {
	sample  sample
	profile string
}

// time measures fn: wall and the process's CPU time in it. A profile is taken of
// the first section only.
func (w *watch) time(fn func() error) (seconds float64, err error) {
	if w.profile != "" {
		f, err := os.Create(w.profile)
		if err != nil {
			return 0, fmt.Errorf("write the profile: %w", err)
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return 0, fmt.Errorf("write the profile: %w", err)
		}
		defer pprof.StopCPUProfile()
		w.profile = ""
	}
	u, s := cpuTime()
	begun := time.Now()
	err = fn()
	seconds = time.Since(begun).Seconds()
	u2, s2 := cpuTime()
	w.sample.Wall, w.sample.User, w.sample.System = seconds, u2-u, s2-s
	return seconds, err
}

// cpuTime is this process's user and system time in seconds.
func cpuTime() (user, system float64) {
	var r syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &r) != nil {
		return 0, 0
	}
	return time.Duration(r.Utime.Nano()).Seconds(), time.Duration(r.Stime.Nano()).Seconds()
}

// peakMemory is VmHWM: the most memory this process ever had resident, in bytes.
func peakMemory() float64 {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(data)) {
		var kb float64
		if _, err := fmt.Sscanf(line, "VmHWM: %f kB", &kb); err == nil {
			return kb * 1024
		}
	}
	return 0
}
