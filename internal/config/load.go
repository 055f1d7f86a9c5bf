package config

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remeld/remeld/internal/diag"
	"github.com/remeld/remeld/sdk"
)

// maxFile bounds one configuration file, in bytes.
const maxFile = 16 << 20

// Options are what Load needs to know besides the files. The zero Options read
// the process environment, know the registered classes and no prototypes.
type Options struct {
	// Prototypes is the library of ready-made nodes: NAME.yaml holds the prototype
	// NAME, a partial node.
	Prototypes fs.FS
	// Warninglists are the names of the built-in warninglists; without them the
	// names and paths under protect: are not checked.
	Warninglists []string
	// SecretDir holds the files that ${secret:NAME} reads, each of mode 0600.
	SecretDir string
	// Env looks up an environment variable, nil for os.LookupEnv.
	Env func(name string) (string, bool)
	// Classes, ConnectionTypes and Forms are nil for the registered ones.
	Classes         []sdk.Class
	ConnectionTypes []sdk.ConnectionType
	Forms           []sdk.Form
	// Key is the store's secret key for hashes over secrets. Without one a random
	// key is taken: fingerprints are then comparable within the result alone.
	Key []byte
}

// Load reads files and folders (their *.yaml and *.yml, sorted by name), each
// with one or several documents, into one configuration. All findings are
// returned at once, sorted; the Config is nil if one of them is an error.
func Load(paths []string, opts Options) (*Config, diag.List) {
	l := newLoader(opts)
	files := l.expand(paths)
	var docs []*value
	for _, f := range files {
		data, err := readFile(f)
		if err != nil {
			l.report.add(diag.Error, Pos{File: f}, "", "cannot read the configuration: %v", plainPath(err))
			continue
		}
		docs = append(docs, l.read(f, data)...)
	}
	if len(paths) > 0 {
		l.cfg.BaseDir = absolute(baseDir(paths[0]))
	}
	return l.finish(docs)
}

// LoadBytes reads one file's content under the name that is shown in findings.
// Relative paths start in name's folder.
func LoadBytes(name string, data []byte, opts Options) (*Config, diag.List) {
	l := newLoader(opts)
	l.cfg.BaseDir = filepath.Dir(name)
	return l.finish(l.read(name, data))
}

// loader is the state of one Load.
type loader struct {
	opts    Options
	report  *report
	cfg     *Config
	classes map[string]sdk.Class
	types   map[string]sdk.ConnectionType
	budget  int // tree nodes that may still be made
	decode  decoder
}

func newLoader(opts Options) *loader {
	if opts.Env == nil {
		opts.Env = os.LookupEnv
	}
	if opts.Classes == nil {
		opts.Classes = sdk.Classes()
	}
	if opts.ConnectionTypes == nil {
		opts.ConnectionTypes = sdk.ConnectionTypes()
	}
	if opts.Forms == nil {
		opts.Forms = sdk.Forms()
	}
	if len(opts.Key) == 0 {
		opts.Key = make([]byte, 32)
		_, _ = rand.Read(opts.Key) // never fails (crypto/rand)
	}
	masks := &masker{}
	l := &loader{
		opts: opts, report: newReport(masks), budget: maxNodes,
		classes: map[string]sdk.Class{}, types: map[string]sdk.ConnectionType{},
		cfg: &Config{
			Instance: "remeld", Protect: defaultProtect(), Web: defaultWeb(),
			Connections: map[string]*Connection{}, Nodes: map[string]*Node{}, Jobs: map[string]*Job{}, masks: masks,
		},
	}
	l.decode = decoder{report: l.report, masks: masks, confidential: &l.cfg.confidential}
	for _, c := range opts.Classes {
		l.classes[c.Name] = c
	}
	for _, t := range opts.ConnectionTypes {
		l.types[t.Name] = t
	}
	return l
}

// finish builds the configuration from documents.
func (l *loader) finish(docs []*value) (*Config, diag.List) {
	root := l.merge(docs)
	if root != nil {
		l.build(root)
	}
	list := l.report.list()
	if list.HasErrors() {
		return nil, list
	}
	l.fingerprints()
	return l.cfg, list
}

// expand lists the files of paths, each once.
func (l *loader) expand(paths []string) []string {
	var out []string
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err != nil:
			l.report.add(diag.Error, Pos{File: p}, "", "cannot read the configuration: %v", plainPath(err))
		case info.IsDir():
			out = append(out, l.folder(p)...)
		default:
			out = append(out, p)
		}
	}
	if len(paths) == 0 {
		l.report.add(diag.Error, Pos{}, "name a file or a folder", "no configuration is given")
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(out, func(p string) bool {
		again := seen[filepath.Clean(p)]
		seen[filepath.Clean(p)] = true
		return again
	})
}

func (l *loader) folder(dir string) []string {
	entries, err := os.ReadDir(dir) // sorted by name
	if err != nil {
		l.report.add(diag.Error, Pos{File: dir}, "", "cannot read the folder: %v", plainPath(err))
		return nil
	}
	var out []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if (ext == ".yaml" || ext == ".yml") && !strings.HasPrefix(e.Name(), ".") && !e.IsDir() {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	if len(out) == 0 {
		l.report.add(diag.Error, Pos{File: dir}, "put *.yaml files into it", "the folder holds no configuration")
	}
	return out
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.IsDir() {
		return nil, errors.Join(errors.New("not a file"), err)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = fmt.Errorf("larger than %d MB", maxFile>>20)
	}
	return data, err
}

func baseDir(path string) string {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return path
	}
	return filepath.Dir(path)
}

// plainPath drops the path from a file error: the place names it already.
func plainPath(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
