package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"regexp"

	"go.yaml.in/yaml/v4"

	"github.com/remeld/remeld/internal/diag"
)

// Text is a configuration as it was written, to be kept and loaded again: without
// comments, and with references instead of what they bring in.
type Text struct {
	Base  string `json:"base"` // where relative paths of class configs start, absolute
	Files []File `json:"files"`
}

// File is one file of a Text.
type File struct {
	Name string `json:"name"` // absolute
	YAML string `json:"yaml"`
}

// ErrConfidential says that a configuration is not given out as text, because a
// secret stands in it and not behind a reference.
var ErrConfidential = errors.New("a secret stands in the configuration itself")

// Text returns what the configuration was loaded from. It is ErrConfidential where a
// secret stands in it, password hashes excepted.
func (c *Config) Text() (Text, error) {
	t := Text{Base: c.BaseDir}
	if c.confidential {
		return t, ErrConfidential
	}
	for _, f := range c.files {
		plain, err := withoutComments([]byte(f.YAML))
		if err != nil {
			return t, fmt.Errorf("write %s as text: %w", f.Name, err)
		}
		if loginInURL.MatchString(plain) {
			return t, ErrConfidential
		}
		t.Files = append(t.Files, File{f.Name, plain})
	}
	return t, nil
}

// loginInURL finds a password inside a URL, wherever it stands.
var loginInURL = regexp.MustCompile(`://[^/\s@"':]*:[^/\s@"']+@`)

// LoadText is Load of what Config.Text returned.
func LoadText(t Text, opts Options) (*Config, diag.List) {
	l := newLoader(opts)
	l.cfg.BaseDir = t.Base
	var docs []*value
	for _, f := range t.Files {
		docs = append(docs, l.read(f.Name, []byte(f.YAML))...)
	}
	return l.finish(docs)
}

// read parses one file and remembers its text.
func (l *loader) read(name string, data []byte) []*value {
	docs := l.parse(name, data)
	l.cfg.files = append(l.cfg.files, File{absolute(name), string(data)})
	return docs
}

// absolute makes a path independent of where the process stands.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// withoutComments writes every document of a file anew, values as they stand.
func withoutComments(data []byte) (string, error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return "", nil
	}
	dec, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	enc, err := yaml.NewDumper(&out)
	if err != nil {
		return "", err
	}
	for {
		var doc yaml.Node
		err := loadGuarded(dec, &doc)
		if errors.Is(err, io.EOF) {
			err = enc.Close()
			return out.String(), err
		}
		if err == nil {
			tidy(&doc)
			err = enc.Dump(&doc)
		}
		if err != nil {
			return "", err
		}
	}
}

// tidy takes the comments of a document away, and gives a null its name: nothing at all
// would be written as an empty text. Anchors are not followed: what they name stands in
// the document as well.
func tidy(n *yaml.Node) {
	n.HeadComment, n.LineComment, n.FootComment = "", "", ""
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		n.Value, n.Style = "null", 0
	}
	for _, c := range n.Content {
		tidy(c)
	}
}
