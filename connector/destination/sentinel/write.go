package sentinel

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/stix"
)

// Encode writes the body of one upload. A withdrawal is an upload too: the object as
// it was last sent, revoked.
func (t *target) Encode(op sdk.OpName, items []sdk.SendItem) ([]byte, error) {
	objects := make([]json.RawMessage, len(items))
	for i := range items {
		s, err := t.written(&items[i])
		if err != nil {
			return nil, err
		}
		if op == sdk.OpDelete {
			revoke(s)
		}
		if objects[i], err = stix.Encode(s); err != nil {
			return nil, err
		}
	}
	return t.api.Body(t.config.SourceSystem, objects)
}

// written is the object with what belongs to this write.
func (t *target) written(item *sdk.SendItem) (*stix.Indicator, error) {
	var s stix.Indicator
	if err := json.Unmarshal(item.Object.Body, &s); err != nil {
		return nil, fmt.Errorf("read the mapped object of %s: %w", item.Object.Identity, err)
	}
	if item.Created.IsZero() || item.Modified.IsZero() {
		return nil, fmt.Errorf("%s: no time of its creation or of this write is known", item.Object.Identity)
	}
	if s.ID = item.RemoteID; s.ID == "" {
		i := item.Object.Indicator
		s.ID = stix.IndicatorID(t.config.SourceSystem, i.Kind, i.Value, item.Generation)
	}
	s.Created, s.Modified, s.Revoked, s.SpecVersion = stix.At(item.Created), stix.At(item.Modified), false, stix.V21.String()
	if s.ValidFrom.IsZero() {
		s.ValidFrom = s.Created
	}
	if !item.Expires.IsZero() {
		s.ValidUntil = stix.At(item.Expires)
	}
	if !s.ValidUntil.After(s.ValidFrom.Time) { // the service wants it after
		s.ValidUntil = stix.At(s.ValidFrom.Add(time.Millisecond))
	}
	s.ExternalReferences = append(withoutMark(s.ExternalReferences), markRef(item.Mark, item.Generation))
	s.Extensions = nil // the service's own, of an adopted object
	return &s, nil
}

// revoke ends an object for good. Its validity ends too, for whoever looks at nothing
// else.
func revoke(s *stix.Indicator) {
	s.Revoked = true
	s.ValidUntil = s.Modified
	if !s.ValidUntil.After(s.ValidFrom.Time) {
		s.ValidUntil = stix.At(s.ValidFrom.Add(time.Millisecond))
	}
}

// Send makes one upload with a stored body. The answer names the objects that were
// refused; all others were taken.
func (t *target) Send(ctx context.Context, _ sdk.OpName, body []byte) (sdk.Answer, error) {
	objects, err := t.api.Objects(body)
	if err != nil {
		return sdk.Answer{}, &sdk.Error{Failure: sdk.Permanent, Message: "the stored body cannot be read", Err: err}
	}
	answer := sdk.Answer{Outcomes: make([]sdk.Outcome, len(objects))}
	for i, o := range objects {
		var head struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(o, &head); err != nil {
			return sdk.Answer{}, &sdk.Error{Failure: sdk.Permanent, Message: "the stored body cannot be read", Err: err}
		}
		answer.Outcomes[i] = sdk.Outcome{Status: sdk.Accepted, RemoteID: head.ID}
	}
	refused, served, err := t.uploads.Upload(ctx, body)
	if err != nil {
		return sdk.Answer{ServerTime: served}, err
	}
	answer.ServerTime = served
	for _, r := range refused {
		if r.Index < 0 || r.Index >= len(objects) {
			return sdk.Answer{ServerTime: served}, &sdk.Error{Failure: sdk.InDoubt, Message: fmt.Sprintf("Sentinel refused object %d of a call with %d", r.Index, len(objects))}
		}
		answer.Outcomes[r.Index] = sdk.Outcome{Status: sdk.Rejected, Code: "refused_item", Reason: strings.Join(r.Messages, "; ")}
	}
	return answer, nil
}
