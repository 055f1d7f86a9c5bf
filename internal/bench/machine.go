package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"time"
)

// machine says when and on what kind of machine was measured, as a list.
func machine() string {
	return fmt.Sprintf("* date: %s\n* processor: %s, %d cores\n* memory: %s\n* kernel: %s\n* Go: %s %s/%s, %s\n* rivals: %s; %s\n",
		time.Now().UTC().Format("2006-01-02"), procField("/proc/cpuinfo", "model name"), runtime.NumCPU(),
		procField("/proc/meminfo", "MemTotal"), kernel(), runtime.Version(), runtime.GOOS, runtime.GOARCH, cgo(),
		orMissing("sort"), orMissing("iprange"))
}

func orMissing(name string) string {
	if v := version(context.Background(), name); v != "" {
		return v
	}
	return name + " is missing"
}

// procField is the value of the first line "field : value" of a file.
func procField(path, field string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(data)) {
		if name, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == field {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// kernel is the running kernel's name and release.
func kernel() string {
	data, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(data))
}

// cgo says how this program was built; the product is built without cgo, which
// decides where the store's cache lives.
func cgo() string {
	info, _ := debug.ReadBuildInfo()
	for _, x := range info.Settings {
		if x.Key == "CGO_ENABLED" {
			return "CGO_ENABLED=" + x.Value
		}
	}
	return "CGO_ENABLED unknown"
}
