// Package warninglist reads MISP warninglists and tells which indicators they
// name: well-known values that are no sign of an attack and, sent to a blocker,
// would take legitimate services away.
//
// Use it for never-send lists and for the warninglist processor.
package warninglist

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/cover"
)

// Type says how the entries of a list match.
type Type string

// The types of the MISP schema.
const (
	CIDR      Type = "cidr"      // addresses and CIDRs, by containment
	Hostname  Type = "hostname"  // names, with their sub-domains and the URLs on them
	String    Type = "string"    // exactly the value
	Substring Type = "substring" // anywhere in the value
	Regex     Type = "regex"     // a pattern anywhere in the value, /pattern/flags
)

// List is one warninglist. It does not change and is safe for concurrent use.
type List struct {
	Name        string
	Description string
	Version     string
	Type        Type
	entries     int
	kinds       map[indicator.Kind]bool // nil: every kind
	cover       cover.Set               // cidr and hostname entries, and dotted string entries
	exact       map[string]string       // value or folded name to the entry
	substrings  []pair
	patterns    []pattern
}

type pair struct{ folded, entry string }

type pattern struct {
	re    *regexp.Regexp
	entry string
}

// document is the list as MISP writes it.
type document struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Version     json.RawMessage `json:"version"`
	Type        Type            `json:"type"`
	List        []string        `json:"list"`
	Attributes  []string        `json:"matching_attributes"`
}

// Parse reads one warninglist. Every entry that its type cannot use is named in
// the error.
func Parse(r io.Reader) (*List, error) {
	var d document
	if err := json.NewDecoder(r).Decode(&d); err != nil {
		return nil, fmt.Errorf("read warninglist: %w", err)
	}
	if d.Name == "" || d.List == nil {
		return nil, errors.New("read warninglist: no name or no list in it; is it a MISP warninglist?")
	}
	l := &List{
		Name: d.Name, Description: d.Description, Version: strings.Trim(string(d.Version), `"`),
		Type: d.Type, entries: len(d.List), kinds: kindsOf(d.Attributes), exact: map[string]string{},
	}
	add := map[Type]func(string) error{
		CIDR: l.addCIDR, Hostname: l.addHostname, String: l.addString,
		Substring: l.addSubstring, Regex: l.addRegex,
	}[d.Type]
	if add == nil {
		return nil, fmt.Errorf("warninglist %q: type %q is none of cidr, hostname, string, substring, regex", d.Name, d.Type)
	}
	var wrong []error
	for n, entry := range d.List {
		if err := add(strings.TrimSpace(entry)); err != nil {
			wrong = append(wrong, fmt.Errorf("warninglist %q: entry %d %q: %w", d.Name, n+1, entry, err))
		}
	}
	return l, errors.Join(wrong...)
}

// Len returns the number of entries.
func (l *List) Len() int { return l.entries }

func (l *List) addCIDR(entry string) error {
	i, err := indicator.Parse(indicator.IP, entry)
	if err != nil {
		return err
	}
	l.cover.Add(i, entry)
	return nil
}

// addHostname takes single labels too: they cover whole top-level domains.
func (l *List) addHostname(entry string) error {
	name := strings.Trim(entry, ".")
	if i, err := indicator.Parse(indicator.Domain, name); err == nil {
		l.cover.Add(i, entry)
		return nil
	}
	if name == "" {
		return errors.New("no name")
	}
	l.exact[strings.ToLower(name)] = entry
	return nil
}

// addString takes an entry with a dot in front as the domain and what is below
// it: so the lists of large providers mean it, and taken by the letter it would
// never match.
func (l *List) addString(entry string) error {
	if entry == "" {
		return errors.New("no value")
	}
	if name, dotted := strings.CutPrefix(entry, "."); dotted {
		if i, err := indicator.Parse(indicator.Domain, name); err == nil {
			l.cover.Add(i, entry)
			return nil
		}
	}
	l.exact[entry] = entry
	if i, err := indicator.Parse(indicator.Unknown, entry); err == nil {
		l.exact[i.Value] = entry
	}
	return nil
}

func (l *List) addSubstring(entry string) error {
	if entry == "" {
		return errors.New("an empty text is part of every value")
	}
	l.substrings = append(l.substrings, pair{strings.ToLower(entry), entry})
	return nil
}

// addRegex reads /pattern/flags, or a bare pattern. Patterns run in linear time
// (RE2); what only a backtracking engine can do is an error.
func (l *List) addRegex(entry string) error {
	expr := entry
	if end := strings.LastIndexByte(entry, '/'); strings.HasPrefix(entry, "/") && end > 0 {
		flags := entry[end+1:]
		if strings.Trim(flags, "imsu") != "" {
			return fmt.Errorf("flags %q: only i, m, s and u are known", flags)
		}
		expr = strings.ReplaceAll(entry[1:end], `\/`, "/")
		if flags = strings.ReplaceAll(flags, "u", ""); flags != "" {
			expr = "(?" + flags + ")" + expr
		}
	}
	re, err := regexp.Compile(expr)
	if err != nil {
		return fmt.Errorf("pattern: %w", err)
	}
	l.patterns = append(l.patterns, pattern{re, entry})
	return nil
}
