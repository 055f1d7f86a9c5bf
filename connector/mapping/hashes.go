package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// Hashes are the hashes of a file that a node sends: md5, sha1, sha256. None are the
// one that the indicator is about.
type Hashes []string

// hashKinds are the hashes of a file, the strongest first: where not all find a slot,
// it is the one that does.
var hashKinds = []indicator.Kind{indicator.SHA256, indicator.SHA1, indicator.MD5}

// Check returns what is wrong with the choice.
func (h Hashes) Check() []error {
	var errs []error
	for i, name := range h {
		path := fmt.Sprintf("hashes.%d", i)
		switch {
		case !slices.ContainsFunc(hashKinds, func(k indicator.Kind) bool { return k.String() == name }):
			errs = append(errs, &sdk.FieldError{Path: path, Msg: fmt.Sprintf("%q is no hash of a file", name), Help: "use md5, sha1, sha256"})
		case slices.Contains(h[:i], name):
			errs = append(errs, &sdk.FieldError{Path: path, Msg: name + " is named twice", Help: "remove one of them"})
		}
	}
	return errs
}

// chooses: the choice says something about the record.
func (h Hashes) chooses(rec *indicator.Record) bool {
	return len(h) > 0 && slices.Contains(hashKinds, rec.Kind)
}

// Fit says why none of the record's hashes is sent; nil where one is.
func (h Hashes) Fit(rec *indicator.Record) *sdk.Unfit {
	if h.chooses(rec) && len(h.Of(rec)) == 0 {
		return &sdk.Unfit{Code: "no_selected_hash", Detail: "the file has none of " + strings.Join(h, ", ")}
	}
	return nil
}

// Of returns the indicators that an object each is made of: of a file its chosen
// hashes that are known, the strongest first, else the record's own. A file's other
// hashes stand in the free attributes md5, sha1 and sha256.
func (h Hashes) Of(rec *indicator.Record) []indicator.Indicator {
	if !h.chooses(rec) {
		return []indicator.Indicator{rec.Indicator}
	}
	var out []indicator.Indicator
	for _, k := range hashKinds {
		if !slices.Contains(h, k.String()) {
			continue
		}
		if k == rec.Kind {
			out = append(out, rec.Indicator)
			continue
		}
		text, _ := rec.Attrs.Extra[k.String()].(string)
		if i, err := indicator.Parse(k, text); err == nil {
			out = append(out, i)
		}
	}
	return out
}
