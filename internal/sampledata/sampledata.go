// Package sampledata finds what tests read that is not in the repository: real feeds,
// recordings and recorded requests in the folder shared/data beside it. Use it in a
// test that is worth more with real data; where there is none, the test is skipped.
package sampledata

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Path is a file or folder below shared/data, given by its elements. Without it the
// test is skipped.
func Path(tb testing.TB, elem ...string) string {
	tb.Helper()
	path := Beside(tb, elem...)
	if _, err := os.Stat(path); err != nil {
		tb.Skipf("sample data is not here: %v", err)
	}
	return path
}

// Beside is Path whether or not it is there.
func Beside(tb testing.TB, elem ...string) string {
	tb.Helper()
	return filepath.Join(append([]string{filepath.Dir(Root(tb)), "shared", "data"}, elem...)...)
}

// Given is the path that an environment variable names, relative to the module's root,
// and Path where it names none.
func Given(tb testing.TB, env string, elem ...string) string {
	tb.Helper()
	switch given := os.Getenv(env); {
	case filepath.IsAbs(given):
		return given
	case given != "":
		return filepath.Join(Root(tb), given)
	}
	return Path(tb, elem...)
}

// Root is the folder of the module that is tested.
func Root(tb testing.TB) string {
	tb.Helper()
	root, err := FindRoot()
	if err != nil {
		tb.Fatal(err)
	}
	return root
}

// FindRoot is Root where there is no test at hand.
func FindRoot() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			err = errors.New("no go.mod above the test")
		}
		dir = up
	}
	return "", err
}
