package warninglist

import (
	"fmt"
	"slices"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/sdk"
)

// The reasons of what is dropped.
const (
	ReasonListed = "warninglist"        // a list names the value
	ReasonHolds  = "warninglist_inside" // the value contains one that a list names
)

type named struct {
	name string
	list *warninglist.List
}

type processor struct {
	lists []named
	kinds []indicator.Kind
	tag   bool
}

var _ sdk.Processor = (*processor)(nil)

// Reduce merges the contributions by the default rules, as every node with several
// inputs does, and drops or tags what a list names. A CIDR around a listed address
// and the parent domain of a listed host count as named: acting on them would act
// on what the list protects (SEMANTICS D7).
func (p *processor) Reduce(i indicator.Indicator, in []sdk.Contribution) sdk.Verdict {
	parts := make([]indicator.Contribution, len(in))
	for n, c := range in {
		parts[n] = indicator.Contribution{Order: c.Order, Attrs: c.Attrs}
	}
	v := sdk.Verdict{Attrs: indicator.Merge(nil, parts)}
	if len(p.kinds) > 0 && !slices.ContainsFunc(p.kinds, i.Kind.In) {
		return v
	}
	for _, l := range p.lists {
		reason, detail := l.judge(i)
		if reason == "" {
			continue
		}
		if !p.tag {
			return sdk.Verdict{Drop: true, Reason: reason, Detail: detail}
		}
		v.Attrs.Tags = addTag(v.Attrs.Tags, "warninglist:"+l.name)
	}
	return v
}

func (l named) judge(i indicator.Indicator) (reason, detail string) {
	if entry, ok := l.list.Match(i); ok {
		return ReasonListed, fmt.Sprintf("%s lists %s", l.name, entry)
	}
	if entry, ok := l.list.Inside(i); ok {
		return ReasonHolds, fmt.Sprintf("%s lists %s, which lies inside", l.name, entry)
	}
	return "", ""
}

// addTag keeps the set sorted, as all sets of attributes are.
func addTag(tags []string, t string) []string {
	at, found := slices.BinarySearch(tags, t)
	if found {
		return tags
	}
	return slices.Insert(tags, at, t)
}
