package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/remeld/remeld/stix/pattern"
)

// stixPattern is one pattern of the input.
type stixPattern struct {
	line    int
	text    string
	version pattern.Version
	// unreadable says why there is no pattern where one is expected.
	unreadable string
}

// readPatterns reads a list of patterns, in any of the forms `remeld stix --help`
// tells of. version is that of patterns which do not say.
func (c *cli) readPatterns(name string, version pattern.Version) ([]stixPattern, error) {
	r, err := c.open(name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if list, ok := jsonPatterns(data, version); ok {
		return list, nil
	}
	var out []stixPattern
	line := 0
	for text := range bytes.SplitSeq(data, []byte("\n")) {
		line++
		text = bytes.TrimSuffix(text, []byte("\r"))
		trimmed := bytes.TrimSpace(text)
		if len(trimmed) == 0 || trimmed[0] == '#' {
			continue
		}
		p := stixPattern{line: line, text: string(text), version: version}
		if trimmed[0] == '{' || trimmed[0] == '"' {
			p = jsonPattern(trimmed, version)
			p.line = line
		}
		out = append(out, p)
	}
	return out, nil
}

// jsonPatterns reads a whole document of JSON: an array, a bundle or one object. No
// pattern is one, nor is a list of patterns.
func jsonPatterns(data []byte, version pattern.Version) ([]stixPattern, bool) {
	data = bytes.TrimSpace(data)
	if len(data) == 0 || data[0] != '{' && data[0] != '[' {
		return nil, false
	}
	list, ok := jsonItems(data)
	if !ok {
		return nil, false
	}
	out := make([]stixPattern, len(list))
	for i, item := range list {
		out[i] = jsonPattern(item, version)
		out[i].line = i + 1
	}
	return out, true
}

// jsonItems are the items of an array, the indicators of a bundle, or the one object.
func jsonItems(data []byte) (list []json.RawMessage, ok bool) {
	if data[0] == '[' {
		return list, json.Unmarshal(data, &list) == nil
	}
	var bundle struct {
		Type    string            `json:"type"`
		Objects []json.RawMessage `json:"objects"`
	}
	if json.Unmarshal(data, &bundle) != nil {
		return nil, false // many objects, one a line
	}
	if bundle.Type != "bundle" {
		return []json.RawMessage{data}, true
	}
	for _, object := range bundle.Objects {
		var head struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(object, &head) == nil && head.Type == "indicator" {
			list = append(list, object)
		}
	}
	return list, true
}

// jsonPattern reads an object with a pattern, or a string.
func jsonPattern(data []byte, version pattern.Version) stixPattern {
	p := stixPattern{version: version}
	if data[0] == '"' {
		if err := json.Unmarshal(data, &p.text); err != nil {
			p.unreadable = "not a JSON string: " + err.Error()
		}
		return p
	}
	var o struct {
		Pattern     *string `json:"pattern"`
		PatternType string  `json:"pattern_type"`
		SpecVersion string  `json:"spec_version"`
	}
	err := json.Unmarshal(data, &o)
	switch {
	case err != nil:
		p.unreadable = "not a JSON object with a pattern: " + err.Error()
		return p
	case o.Pattern == nil:
		p.unreadable = "a JSON object without a pattern"
		return p
	}
	p.text = *o.Pattern
	if o.PatternType != "" && o.PatternType != "stix" {
		p.unreadable = "a pattern of " + o.PatternType + ", not of STIX"
	}
	if o.SpecVersion == "2.0" {
		p.version = pattern.V20
	}
	return p
}
