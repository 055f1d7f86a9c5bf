package feed

import (
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/stix"
)

// stixPayload keeps all that is known of an indicator.
func stixPayload(*query) payloadFunc {
	return func(dst []byte, _ indicator.Kind, a *indicator.Attributes) []byte { return a.AppendBinary(dst) }
}

// stixSince is when the identity of a feed was created: an object has such a time,
// and it must be the same in every body.
var stixSince = stix.At(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// writeSTIX writes a bundle of STIX 2.1: who made it, an object for each indicator
// (for each CIDR of a range), and the markings that these name. An object has the
// same identifier in every body, and modified is when it last changed.
func writeSTIX(r *render, entries []entry) error {
	identity := &stix.Identity{
		Common: stix.Common{
			Type: "identity", SpecVersion: stix.V21.String(), ID: stix.ObjectID("identity", r.name), Created: stixSince, Modified: stixSince,
		},
		Name: r.name, IdentityClass: "system",
	}
	_, _ = r.w.WriteString(`{"type":"bundle","id":"` + stix.ObjectID("bundle", r.name, r.q.key()) + `","objects":[` + "\n")
	if err := r.stixObject(identity); err != nil {
		return err
	}
	var marked [indicator.Red + 1]bool
	for i := range entries {
		label, err := r.stixIndicators(&entries[i], identity.ID)
		if err != nil {
			return err
		}
		marked[label] = true
	}
	if r.q.tlp == stix.TLP1 && marked[indicator.AmberStrict] {
		marked[indicator.Amber], marked[indicator.AmberStrict] = true, false // it is marked amber
	}
	for label := indicator.Clear; label <= indicator.Red; label++ {
		if !marked[label] {
			continue
		}
		_, _ = r.w.WriteString(",\n")
		if err := r.stixObject(stix.TLPMarking(label, r.q.tlp)); err != nil {
			return err
		}
	}
	_, _ = r.w.WriteString("\n]}\n")
	return nil
}

// stixIndicators writes the objects of one entry and returns its label.
func (r *render) stixIndicators(e *entry, by string) (indicator.TLP, error) {
	text, payload := r.l.bytes(e)
	record := indicator.Record{Indicator: indicator.Indicator{Kind: e.kind}}
	if err := record.Attrs.UnmarshalBinary(payload); err != nil {
		return 0, fmt.Errorf("reading what is known of %s: %w", text, err)
	}
	options := stix.Options{SourceSystem: r.name, CreatedByRef: by, Modified: time.UnixMilli(e.changed), TLP: r.q.tlp}
	part := partOf(text)
	var err error
	r.translate(text, func(t []byte) {
		if err != nil {
			return
		}
		record.Value = string(t)
		if part != "" {
			options.ID = stix.IndicatorID(r.name, e.kind, record.Value+part, 0)
		}
		var object *stix.Indicator
		if object, err = stix.FromRecord(record, options); err == nil {
			_, _ = r.w.WriteString(",\n")
			err = r.stixObject(object)
		}
	})
	return record.Attrs.TLP, err
}

// partOf is what the identifiers of a range's CIDRs have behind the CIDR; "" where
// there is one CIDR alone. Ranges of one table may overlap, and a CIDR of one may be
// an indicator itself: each is an object of its own.
func partOf(text []byte) string {
	from, to, ok := addressRange(text)
	if !ok {
		return ""
	}
	if whole := indicator.FromAddrs(from, to).Value; strings.Contains(whole, "-") {
		return " of " + whole
	}
	return ""
}

func (r *render) stixObject(o stix.Object) error {
	raw, err := stix.Encode(o)
	_, _ = r.w.Write(raw)
	return err
}
