package graphti

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/graph"
)

// Encode writes the body of one call. A delete is by the service's ids where all are
// known, else by external ids, which are ours to know.
func (t *target) Encode(op sdk.OpName, items []sdk.SendItem) ([]byte, error) {
	if op == sdk.OpDelete {
		return t.encodeDelete(items)
	}
	inds := make([]api.Indicator, len(items))
	for i := range items {
		ind, err := read(&items[i])
		if err != nil {
			return nil, err
		}
		ind.ExpirationDateTime = api.Time(items[i].Expires)
		ind.ExternalID = externalID(items[i].Mark, slotOf(ind), fixedOf(ind))
		if ind.TargetProduct == api.Defender {
			ind.Description = withMark(ind.Description, items[i].Mark)
		}
		if op == sdk.OpUpdate {
			*ind = editableOnly(ind)
			ind.ID = items[i].RemoteID
		}
		inds[i] = *ind
	}
	if op == sdk.OpUpdate {
		return encodeUpdate(inds)
	}
	return api.Bulk(inds)
}

// read is the mapped object, or the listed one of an adopted row, without what the
// service stamps.
func read(item *sdk.SendItem) (*api.Indicator, error) {
	var ind api.Indicator
	if err := json.Unmarshal(item.Object.Body, &ind); err != nil {
		return nil, fmt.Errorf("read the mapped object of %s: %w", item.Object.Identity, err)
	}
	ind.ID, ind.AzureTenantID, ind.IngestedDateTime = "", "", ""
	if ind.TargetProduct == api.Defender {
		ind.Description, _ = told(ind.Description)
	}
	return &ind, nil
}

// unsaid is what a property is where nothing is said of it: the service's own defaults.
var unsaid = map[string]any{
	"additionalInformation": "", "knownFalsePositives": "", "severity": defaultSeverity, "passiveOnly": false, "isActive": true,
	"confidence": 0, "diamondModel": unknownMember,
}

// encodeUpdate writes what an update shall say also where that is nothing: a list
// that has become empty and a text that is gone must not stay as they were.
func encodeUpdate(inds []api.Indicator) ([]byte, error) {
	out := make([]map[string]any, len(inds))
	for i := range inds {
		data, err := json.Marshal(&inds[i])
		if err != nil {
			return nil, err
		}
		if err := json.Unmarshal(data, &out[i]); err != nil {
			return nil, err
		}
		if inds[i].TargetProduct == api.Defender {
			continue
		}
		for _, name := range []string{"activityGroupNames", "killChain", "malwareFamilyNames", "tags"} {
			if out[i][name] == nil {
				out[i][name] = []string{}
			}
		}
		for name, nothing := range unsaid {
			if out[i][name] == nil {
				out[i][name] = nothing
			}
		}
	}
	return api.Bulk(out)
}

func (t *target) encodeDelete(items []sdk.SendItem) ([]byte, error) {
	names := make([]string, len(items))
	known := true
	for i := range items {
		names[i] = items[i].RemoteID
		known = known && names[i] != ""
	}
	if known {
		return api.Bulk(names)
	}
	for i := range items {
		ind, err := read(&items[i])
		if err != nil {
			return nil, err
		}
		names[i] = externalID(items[i].Mark, slotOf(ind), fixedOf(ind))
	}
	return api.Bulk(names)
}

// Send makes one call with a stored body.
func (t *target) Send(ctx context.Context, op sdk.OpName, body []byte) (sdk.Answer, error) {
	if op == sdk.OpDelete {
		return t.delete(ctx, body)
	}
	sent, err := api.Unbulk[api.Indicator](body)
	if err != nil || len(sent) == 0 {
		return sdk.Answer{}, unreadable(err)
	}
	if op == sdk.OpUpdate && t.config.Product == api.Defender {
		return t.updateOne(ctx, sent[0].ID, body)
	}
	call := t.client.Submit
	if op == sdk.OpUpdate {
		call = t.client.Update
	}
	items, served, err := call(ctx, body)
	if err != nil {
		return sdk.Answer{ServerTime: served}, err
	}
	outcomes, err := match(op, sent, items)
	return sdk.Answer{ServerTime: served, Outcomes: outcomes}, err
}

func unreadable(err error) error {
	return &sdk.Error{Failure: sdk.Permanent, Message: "the stored body cannot be read", Err: err}
}

// updateOne changes the one indicator of a body of Bulk by a call of its own.
func (t *target) updateOne(ctx context.Context, id string, body []byte) (sdk.Answer, error) {
	objects, err := api.Unbulk[map[string]json.RawMessage](body)
	if err != nil {
		return sdk.Answer{}, unreadable(err)
	}
	delete(objects[0], "id") // it is in the path
	one, err := json.Marshal(objects[0])
	if err != nil {
		return sdk.Answer{}, unreadable(err)
	}
	served, err := t.client.UpdateOne(ctx, id, one)
	if err != nil {
		return sdk.Answer{ServerTime: served}, err
	}
	return sdk.Answer{ServerTime: served, Outcomes: []sdk.Outcome{{Status: sdk.Accepted, RemoteID: id}}}, nil
}

// match gives each item that was sent its own verdict. The order of an answer is not
// promised: items are told by id in updates, by external id in creations, and by
// their value where the product gives no external id back (the values of one call are
// all different, or their external ids are).
func match(op sdk.OpName, sent []api.Indicator, got []api.Item) ([]sdk.Outcome, error) {
	byKey := map[string]*api.Item{}
	for i := range got {
		for _, key := range []string{"id " + got[i].ID, "ext " + got[i].ExternalID, "slot " + slotOf(&got[i].Indicator)} {
			byKey[key] = &got[i]
		}
	}
	out := make([]sdk.Outcome, len(sent))
	for i := range sent {
		keys := []string{"ext " + sent[i].ExternalID, "slot " + slotOf(&sent[i])}
		if op == sdk.OpUpdate {
			keys = []string{"id " + sent[i].ID, "ext " + sent[i].ExternalID}
		}
		item := byKey[keys[0]]
		if item == nil {
			item = byKey[keys[1]]
		}
		if item == nil {
			return nil, &sdk.Error{Failure: sdk.InDoubt, Message: fmt.Sprintf("Graph's answer has nothing on item %d of %d (%s)", i, len(sent), sent[i].ExternalID)}
		}
		out[i] = outcome(item)
		if op == sdk.OpUpdate && out[i].Status == sdk.Accepted {
			out[i].RemoteID = sent[i].ID
		}
	}
	return out, nil
}

// passing are the codes, in small letters, by which a provider behind Graph says of one
// item that it is busy or failed itself (Microsoft Graph, error responses; Defender's
// error codes): nothing is wrong with the item.
var passing = map[string]bool{
	"429": true, "toomanyrequests": true, "activitylimitreached": true, "internalservererror": true, "500": true, "502": true, "503": true, "504": true,
	"unknownerror": true, "generalexception": true, "servicenotavailable": true, "serviceunavailable": true, "timeout": true,
}

// outcome reads an item: the HTTP status says nothing on it, and the id of one that
// failed is a sentence.
func outcome(item *api.Item) sdk.Outcome {
	code, message, refused := item.Refusal()
	switch {
	case !refused:
		return sdk.Outcome{Status: sdk.Accepted, RemoteID: item.ID}
	case strings.HasPrefix(message, "Max capacity exceeded"):
		return sdk.Outcome{Status: sdk.Full, Code: "capacity", Reason: message}
	case passing[strings.ToLower(code)]:
		return sdk.Outcome{Status: sdk.Later, Code: code, Reason: message}
	case code == "":
		code = "refused_item"
	}
	return sdk.Outcome{Status: sdk.Rejected, Code: code, Reason: message}
}

func (t *target) delete(ctx context.Context, body []byte) (sdk.Answer, error) {
	names, err := api.Unbulk[string](body)
	if err != nil || len(names) == 0 {
		return sdk.Answer{}, unreadable(err)
	}
	external := strings.HasPrefix(names[0], markPrefix)
	if t.config.Product == api.Defender && !external {
		return t.deleteOne(ctx, names[0])
	}
	call := t.client.Delete
	if external {
		call = t.client.DeleteByExternalID
	}
	results, served, err := call(ctx, body)
	answer := sdk.Answer{ServerTime: served}
	if err == nil {
		answer.Outcomes, err = verdicts(names, results)
	}
	return answer, err
}

// verdicts matches the results of a bulk delete by their message, which begins with
// the name, else by their place.
func verdicts(names []string, results []api.Result) ([]sdk.Outcome, error) {
	if len(results) != len(names) {
		return nil, &sdk.Error{Failure: sdk.InDoubt, Message: fmt.Sprintf("%d items deleted, %d answered", len(names), len(results))}
	}
	byName := map[string]api.Result{}
	for _, r := range results {
		name, _, _ := strings.Cut(r.Message, " ")
		byName[name] = r
	}
	out := make([]sdk.Outcome, len(names))
	for i, name := range names {
		r, told := byName[name]
		if !told {
			r = results[i]
		}
		switch {
		case r.Code/100 == 2, r.Code == 0, r.Code == http.StatusNotFound: // what is gone is deleted
			out[i] = sdk.Outcome{Status: sdk.Accepted, RemoteID: name}
		case r.Code == http.StatusTooManyRequests, r.Code >= http.StatusInternalServerError:
			out[i] = sdk.Outcome{Status: sdk.Later, Code: fmt.Sprint(r.Code), Reason: r.Message}
		default:
			out[i] = sdk.Outcome{Status: sdk.Rejected, Code: fmt.Sprint(r.Code), Reason: r.Message}
		}
	}
	return out, nil
}

func (t *target) deleteOne(ctx context.Context, id string) (sdk.Answer, error) {
	served, err := t.client.DeleteOne(ctx, id)
	if err != nil && sdk.FailureOf(err) != sdk.Missing {
		return sdk.Answer{ServerTime: served}, err
	}
	return sdk.Answer{ServerTime: served, Outcomes: []sdk.Outcome{{Status: sdk.Accepted, RemoteID: id}}}, nil
}
