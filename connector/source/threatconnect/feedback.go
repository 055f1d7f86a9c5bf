package threatconnect

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/threatconnect"
	"github.com/remeld/remeld/sdk"
)

// Feedback is what is told to ThreatConnect; nothing by default.
type Feedback struct {
	SentTag string `yaml:"sent_tag" doc:"Tag to put on an indicator once an object made of it stands at a destination, and to take off again when the last one was withdrawn. Absent sets none."`
	Reports bool   `yaml:"reports" doc:"Pass on what a person says with remeld report: false positives and observations."`
}

// circular is the part of the configuration that asks for the tag that feedback sets, ""
// for none: what was delivered would be withdrawn, lose its tag, and be sent again.
func (c *Config) circular() string {
	tag := strings.ToLower(c.Feedback.SentTag)
	if tag == "" {
		return ""
	}
	if c.TQL == "" && slices.ContainsFunc(c.Tags, func(t string) bool { return strings.EqualFold(t, tag) }) {
		return "tags_filter"
	}
	query := strings.ToLower(c.TQL)
	if slices.ContainsFunc([]string{`"`, `'`, "`"}, func(mark string) bool { return strings.Contains(query, mark+tag+mark) }) {
		return "tql"
	}
	return ""
}

var (
	_ sdk.Marker   = (*source)(nil)
	_ sdk.Reporter = (*source)(nil)
)

// Mark is the tag of what was delivered.
func (s *source) Mark() string { return s.c.Feedback.SentTag }

// Reports tells whether reports are passed on.
func (s *source) Reports() bool { return s.c.Feedback.Reports }

// told is what is kept of a tag that was put on: the objects that have it.
type told struct {
	IDs []int64 `json:"ids"`
}

// SetMark tags the objects that the items came from, in every owner that the user may
// write to. What is not there any more has no tag either.
func (s *source) SetMark(ctx context.Context, tag string, on bool, items []sdk.Marked) error {
	defer s.http.CloseIdle()
	if !on {
		return s.untag(ctx, tag, items)
	}
	found, err := s.objects(ctx, items)
	if err != nil {
		return err
	}
	barred, err := s.barred(ctx)
	if err != nil {
		return err
	}
	for i := range items {
		if err := s.tag(ctx, tag, &items[i], found[i], barred); err != nil {
			return err
		}
	}
	return nil
}

// tag puts the tag on the objects of one item. barred grows by the owners that turn out
// to refuse it. What was tagged before a call failed is told all the same, so that it can
// be taken off again if the item is not asked about once more.
func (s *source) tag(ctx context.Context, tag string, item *sdk.Marked, objects []threatconnect.Indicator, barred map[string]string) error {
	done := told{IDs: []int64{}}
	var failed error
	for i := range objects {
		o := &objects[i]
		why := barred[o.OwnerName]
		if why == "" && !tagged(o, tag) {
			err := s.client.SetTag(ctx, o.ID, tag, true)
			if sdk.FailureOf(err) == sdk.Missing {
				continue // deleted a moment ago
			}
			if why, failed = unmarkable(err); failed != nil {
				break
			}
			if sdk.FailureOf(err) == sdk.Forbidden {
				why = "the API user may not change indicators of " + o.OwnerName
				barred[o.OwnerName] = why
			}
		}
		if why != "" {
			item.Barred = why
			continue
		}
		done.IDs = append(done.IDs, o.ID)
	}
	if len(done.IDs) > 0 {
		item.Barred = "" // one owner is enough
	} else if failed != nil {
		return failed
	}
	var err error
	if item.Told, err = json.Marshal(done); failed != nil {
		return failed
	}
	return err
}

// unmarkable says why one object cannot be changed where that is no fault of the moment:
// it must not keep the others from being told. Every other error is failed.
func unmarkable(err error) (why string, failed error) {
	if err == nil {
		return "", nil
	}
	switch sdk.FailureOf(err) {
	case sdk.Forbidden:
		return "the API user may not change the indicator any more", nil
	case sdk.Refused, sdk.Permanent:
		return "the instance does not take the tag: " + err.Error(), nil
	}
	return "", err
}

func tagged(o *threatconnect.Indicator, tag string) bool {
	return slices.ContainsFunc(o.Tags.Data, func(t threatconnect.Tag) bool { return strings.EqualFold(t.Name, tag) })
}

func (s *source) untag(ctx context.Context, tag string, items []sdk.Marked) error {
	for i := range items {
		var done told
		if err := json.Unmarshal(items[i].Told, &done); err != nil {
			return fmt.Errorf("read where the tag was set: %w", err)
		}
		for _, id := range done.IDs {
			err := s.client.SetTag(ctx, id, tag, false)
			if err == nil || sdk.FailureOf(err) == sdk.Missing {
				continue
			}
			why, failed := unmarkable(err)
			if failed != nil {
				return failed
			}
			items[i].Barred = why
		}
	}
	return nil
}

// barred are the owners that the API user may read and not write to, with words.
func (s *source) barred(ctx context.Context) (map[string]string, error) {
	owners, err := s.client.Owners(ctx)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, o := range owners {
		if o.Indicators == "READ" || o.Indicators == "NONE" {
			out[o.Name] = fmt.Sprintf("the API user may only read the indicators of %s", o.Name)
		}
	}
	return out, nil
}

// objects finds the objects of each item, in all owners the node reads: the id that the
// record carries is of one of them, and the others have its type and text.
func (s *source) objects(ctx context.Context, items []sdk.Marked) ([][]threatconnect.Indicator, error) {
	place := map[int64]int{}
	var ids []string
	for i, item := range items {
		if id, ok := idOf(item.Attrs); ok {
			place[id] = i
			ids = append(ids, strconv.FormatInt(id, 10))
		}
	}
	out := make([][]threatconnect.Indicator, len(items))
	if len(ids) == 0 {
		return out, nil
	}
	at := map[value]int{}
	byType := map[string][]string{}
	err := s.list(ctx, "id IN ("+strings.Join(ids, ", ")+")", func(o *threatconnect.Indicator) {
		v := value{o.Type, o.Summary}
		at[v] = place[o.ID]
		byType[v.typ] = append(byType[v.typ], v.summary)
	})
	for typ, summaries := range byType {
		if err != nil {
			break
		}
		q := and(s.c.scope(), list("typeName", []string{typ}), list("summary", summaries))
		err = s.list(ctx, q, func(o *threatconnect.Indicator) {
			if i, known := at[value{o.Type, o.Summary}]; known {
				out[i] = append(out[i], *o)
			}
		})
	}
	return out, err
}

func (s *source) list(ctx context.Context, query string, fn func(*threatconnect.Indicator)) error {
	q := threatconnect.Query{TQL: query, Fields: []string{"tags"}}
	return s.client.Indicators(ctx, q, nil, func(o *threatconnect.Indicator) error { fn(o); return nil })
}

// idOf is the id of the object that a record came from; what was stored and read back
// may be any kind of number.
func idOf(a *indicator.Attributes) (int64, bool) {
	if a == nil {
		return 0, false
	}
	switch id := a.Extra["tc_id"].(type) {
	case int64:
		return id, true
	case float64:
		return int64(id), true
	}
	return 0, false
}

// Report says it of every object of the value that the user may change.
func (s *source) Report(ctx context.Context, r sdk.Report, attrs *indicator.Attributes) (int, error) {
	defer s.http.CloseIdle()
	found, err := s.objects(ctx, []sdk.Marked{{Attrs: attrs}})
	if err != nil {
		return 0, err
	}
	said := 0
	var refused error
	for _, o := range found[0] {
		err := s.client.Report(ctx, o.ID, r.FalsePositive, r.Seen)
		switch {
		case err == nil:
			said++
		case sdk.FailureOf(err) == sdk.Forbidden:
			refused = &sdk.Error{Failure: sdk.Forbidden, Err: err, Message: "the API user may not report on indicators of " + o.OwnerName +
				": it needs a role above read only there, and Include in Observations and False Positives among its settings"}
		default:
			return said, err
		}
	}
	if said == 0 {
		return 0, refused
	}
	return said, nil
}
