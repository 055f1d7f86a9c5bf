package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/remeld/remeld/sdk"
)

// stamp is what tells a file apart from its earlier self without reading it.
type stamp struct {
	Path     string `json:"path"`
	Size     int64  `json:"size"`
	Modified int64  `json:"modified"` // ns since 1970
}

func stampOf(path string) (stamp, error) {
	info, err := os.Stat(path)
	if err != nil {
		return stamp{}, err
	}
	if info.IsDir() {
		return stamp{}, errFolder
	}
	return stamp{path, info.Size(), info.ModTime().UnixNano()}, nil
}

var errFolder = errors.New("it is a folder")

// stamps lists the files of the node by name. None is an error: a mount that is
// missing must not look like an empty list.
func (s *source) stamps() ([]stamp, error) {
	paths := []string{s.c.Path}
	if strings.ContainsAny(s.c.Path, "*?[{") {
		var err error
		paths, err = doublestar.FilepathGlob(s.c.Path, doublestar.WithFilesOnly(), doublestar.WithFailOnIOErrors())
		if err != nil {
			return nil, explain(s.c.Path, err)
		}
		if len(paths) == 0 {
			return nil, &sdk.Error{Failure: sdk.Missing, Message: fmt.Sprintf("no file matches %s: check the pattern, and whether the folder is mounted", s.c.Path)}
		}
		slices.Sort(paths)
	}
	out := make([]stamp, 0, len(paths))
	for _, p := range paths {
		st, err := stampOf(p)
		if err != nil {
			return nil, explain(p, err)
		}
		out = append(out, st)
	}
	return out, nil
}

func sameSizes(a, b []stamp) bool {
	return slices.EqualFunc(a, b, func(x, y stamp) bool { return x.Path == y.Path && x.Size == y.Size })
}

// explain says what to do about a file that cannot be read.
func explain(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &sdk.Error{Failure: sdk.Missing, Message: fmt.Sprintf("%s does not exist: check the path; the old rows stay until it can be read", path)}
	case errors.Is(err, fs.ErrPermission):
		return &sdk.Error{Failure: sdk.Forbidden, Message: fmt.Sprintf("%s may not be read: give the user that runs this process the right to", path)}
	case errors.Is(err, errFolder):
		return &sdk.Error{Failure: sdk.Permanent, Message: fmt.Sprintf("%s is a folder: name its files by a pattern, such as %s/*", path, path)}
	}
	return fmt.Errorf("read %s: %w", path, err)
}
