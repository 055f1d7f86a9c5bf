package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/remeld/remeld/internal/diag"
)

// maxReferenced bounds a file behind ${file:…} or ${secret:…}, in bytes.
const maxReferenced = 1 << 20

// reference is ${kind:name}; $${ is a literal ${. What else stands in ${…} belongs
// to expressions and is left alone, but for what looks like a shell variable.
var reference = regexp.MustCompile(`\$\$\{|\$\{([a-zA-Z_]*):([^}]*)\}|\$\{([A-Z][A-Z0-9_]*)\}|\$\{(?:env|file|secret)\b[^}]*$`)

// resolve replaces the references in a scalar.
func (l *loader) resolve(v *value) {
	if !strings.Contains(v.raw, "${") {
		return
	}
	v.text = reference.ReplaceAllStringFunc(v.raw, func(found string) string {
		if found == "$${" {
			return "${"
		}
		m := reference.FindStringSubmatch(found)
		text, help, err := l.referenced(v.pos.File, m)
		if err != nil {
			l.report.fail(v.pos, help, "%v", err)
			v.broken = true
			return found
		}
		v.refs = true
		l.cfg.masks.add(text)
		return text
	})
}

// referenced returns the text behind one reference.
func (l *loader) referenced(file string, m []string) (text, help string, err error) {
	kind, name, bare := m[1], strings.TrimSpace(m[2]), m[3]
	switch {
	case bare != "":
		return "", "write ${env:" + bare + "}, or $${ for a plain ${", fmt.Errorf("%s is no reference", m[0])
	case kind == "":
		return "", "as ${env:NAME}", fmt.Errorf("the reference %s is not closed or says nothing", m[0])
	case kind == "env":
		if text, ok := l.opts.Env(name); ok {
			return text, "", nil
		}
		return "", "set the environment variable " + name, fmt.Errorf("${env:%s}: the variable is not set", name)
	case kind == "file":
		text, err = l.referencedFile(file, name)
		return text, "give the path from the folder of this file, or an absolute one", err
	case kind == "secret":
		return l.secret(name)
	}
	help = "references are ${env:NAME}, ${file:PATH} and ${secret:NAME}; $${ is a plain ${"
	if s := diag.DidYouMean(kind, []string{"env", "file", "secret"}); s != "" {
		help = s
	}
	return "", help, fmt.Errorf("unknown reference ${%s:…}", kind)
}

func (l *loader) referencedFile(file, name string) (string, error) {
	path := name
	if !filepath.IsAbs(path) {
		dir := l.cfg.BaseDir
		if !strings.HasPrefix(file, prototypePrefix) {
			dir = filepath.Dir(file)
		}
		path = filepath.Join(dir, path)
	}
	text, _, err := readReferenced(path)
	if err != nil {
		return "", fmt.Errorf("${file:%s}: %w", name, err)
	}
	return text, nil
}

var secretName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

func (l *loader) secret(name string) (text, help string, err error) {
	if !secretName.MatchString(name) {
		return "", "use letters, digits, _ - and .", fmt.Errorf("${secret:%s}: not a name of a secret", name)
	}
	if l.opts.SecretDir == "" {
		return "", "use ${env:NAME} or ${file:PATH}", fmt.Errorf("${secret:%s}: there is no secret store here", name)
	}
	path := filepath.Join(l.opts.SecretDir, name)
	text, mode, err := readReferenced(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return "", "put it into " + path + " with mode 0600", fmt.Errorf("${secret:%s}: there is no such secret", name)
	case err != nil:
		return "", "", fmt.Errorf("${secret:%s}: %w", name, err)
	case mode.Perm()&0o077 != 0:
		return "", "chmod 0600 " + path, fmt.Errorf("${secret:%s}: others may read it (mode %04o)", name, mode.Perm())
	}
	return text, "", nil
}

// readReferenced returns a file's text without the line end at its end.
func readReferenced(path string) (string, os.FileMode, error) {
	info, err := os.Stat(path) // before opening: a pipe would wait for a writer
	if err != nil {
		return "", 0, plainPath(err)
	}
	if !info.Mode().IsRegular() {
		return "", 0, errors.New("not a file")
	}
	f, err := os.Open(path)
	if err != nil {
		return "", 0, plainPath(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxReferenced+1))
	if err != nil {
		return "", 0, plainPath(err)
	}
	if len(data) > maxReferenced {
		return "", 0, errors.New("larger than 1 MB")
	}
	return strings.TrimRight(string(data), "\r\n"), info.Mode(), nil
}
