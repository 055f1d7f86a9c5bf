package warninglist

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/sdk"
)

// ReasonPattern refuses entries that are no value but a way to match one.
const ReasonPattern indicator.Reason = "pattern_entry"

// add hands on the entries of one list, each with how it is meant to match in
// Extra["match"]. The list must be one that package warninglist can read whole.
func add(body []byte, out sdk.Sink) error {
	list, err := warninglist.Parse(bytes.NewReader(body))
	if err != nil {
		return &sdk.Error{Failure: sdk.Permanent, Message: err.Error() + ": correct the file, or check the URL"}
	}
	var doc struct {
		List []string `json:"list"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return &sdk.Error{Failure: sdk.Permanent, Message: "more than one JSON document: a warninglist is one", Err: err}
	}
	var key []byte
	for n, entry := range doc.List {
		match, i, why := read(list.Type, strings.TrimSpace(entry))
		if why != nil {
			out.Refuse(n+1, why)
			continue
		}
		key = i.AppendKey(key[:0])
		attrs := indicator.Attributes{Description: list.Name, Extra: map[string]any{"match": string(match)}}
		if err := out.Add(key, &attrs); err != nil {
			return err
		}
	}
	return nil
}

// read makes an indicator of an entry, by the type of its list. An entry of a
// string list that begins with a dot means the domain and what is below it.
func read(t warninglist.Type, entry string) (warninglist.Type, indicator.Indicator, *indicator.Refusal) {
	kind := indicator.Unknown
	switch t {
	case warninglist.Substring, warninglist.Regex:
		return t, indicator.Indicator{}, &indicator.Refusal{Text: entry, Reason: ReasonPattern,
			Detail: "an entry of a " + string(t) + " list is no value; use the processor class warninglist"}
	case warninglist.CIDR:
		kind = indicator.IP
	case warninglist.Hostname:
		kind = indicator.Domain
		entry = strings.Trim(entry, ".")
	case warninglist.String:
		if name, dotted := strings.CutPrefix(entry, "."); dotted {
			t, kind, entry = warninglist.Hostname, indicator.Domain, name
		}
	}
	i, err := indicator.Parse(kind, entry)
	if err == nil {
		return t, i, nil
	}
	var why *indicator.Refusal
	if r, ok := err.(*indicator.Refusal); ok { //nolint:errorlint // Parse promises the bare type
		why = r
	}
	return t, indicator.Indicator{}, why
}
