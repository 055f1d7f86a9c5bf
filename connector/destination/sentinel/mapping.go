package sentinel

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/stix"

	api "github.com/remeld/remeld/internal/microsoft/sentinel"
)

// Map turns a record into STIX indicators: one for each CIDR of a range, and one for
// everything else.
func (t *target) Map(rec *indicator.Record) ([]sdk.Object, *sdk.Unfit) {
	if why := t.fits(rec); why != nil {
		return nil, why
	}
	ruled, rule := t.rules.Apply(rec)
	parts := t.config.Hashes.Of(rec)
	if from, to, ok := rec.Addrs(); ok {
		parts = parts[:0]
		for p := range ipset.CIDRs(from, to) {
			parts = append(parts, indicator.FromAddrs(p.Addr(), lastOf(p)))
		}
	}
	objects := make([]sdk.Object, 0, len(parts))
	for _, part := range parts {
		one := *ruled
		one.Indicator = part
		o, err := t.object(&one)
		if err != nil {
			return nil, &sdk.Unfit{Code: "not_expressible", Detail: err.Error()}
		}
		if rule != nil {
			o.Life = rule.Expiration
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// Fit says what Map would refuse, without building objects: a plan over a million
// records asks it of each.
func (t *target) Fit(rec *indicator.Record) string {
	if why := t.fits(rec); why != nil {
		return why.Code
	}
	return ""
}

// fits is what the service takes of the hashes that are chosen.
func (t *target) fits(rec *indicator.Record) *sdk.Unfit {
	if why := t.config.Hashes.Fit(rec); why != nil {
		return why
	}
	return fits(rec)
}

// fits names what no rule of Sentinel would ever match, and what its tables would cut
// to another value.
func fits(rec *indicator.Record) *sdk.Unfit {
	if !mapping.SentinelKinds[rec.Kind] {
		return &sdk.Unfit{Code: "unsupported_kind", Detail: "Sentinel reads no observable from a pattern of kind " + rec.Kind.String()}
	}
	if rec.Kind.In(indicator.IP) {
		return nil // an address is never too long
	}
	text, err := stix.PatternOf(rec.Indicator, stix.AsValue)
	if err != nil {
		return &sdk.Unfit{Code: "not_expressible", Detail: err.Error()}
	}
	if n := mapping.Length(text); n > api.MaxText {
		return &sdk.Unfit{Code: "too_long", Detail: fmt.Sprintf("a pattern of %d characters; Sentinel's tables cut at %d", n, api.MaxText)}
	}
	return nil
}

func (t *target) object(rec *indicator.Record) (sdk.Object, error) {
	s := mapping.Sentinel.Fill(&mapping.In{Rec: rec, Value: rec.Value, Say: &t.say})
	body, err := stix.Encode(&s)
	if err != nil {
		return sdk.Object{}, err
	}
	id := identity(rec.Indicator)
	return sdk.Object{
		Identity: id, Slot: id, Indicator: rec.Indicator, Body: body, Hash: hashOf(&s), Score: rec.Attrs.Confidence,
	}, nil
}

// identity is what makes an object the one it is in the domain, which has the source
// system. The generation is not in it: of all generations one at most is live.
func identity(i indicator.Indicator) string { return i.Kind.String() + "|" + i.Value }

// hashOf is over what makes a change worth a write (SEMANTICS D10, D15): each one
// appends a row to the workspace's tables, which is paid for. Times, the id, the mark
// and the confidence are not in it, nor what the service itself adds.
func hashOf(s *stix.Indicator) string {
	c := *s
	c.Common = stix.Common{Labels: s.Labels, ObjectMarkingRefs: s.ObjectMarkingRefs, ExternalReferences: withoutMark(s.ExternalReferences)}
	c.ValidFrom, c.ValidUntil = stix.Time{}, stix.Time{}
	body, err := stix.Encode(&c)
	if err != nil { // it was encoded before, or read from JSON
		return ""
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:16])
}
