package threatconnect

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strconv"

	"github.com/remeld/remeld/sdk"
)

// SetTag puts a tag on an indicator, or takes it off. Doing what was done before changes
// nothing. One attempt.
func (c *Client) SetTag(ctx context.Context, id int64, tag string, on bool) error {
	mode := "append"
	if !on {
		mode = "delete"
	}
	return c.put(ctx, id, map[string]any{"tags": map[string]any{"data": []map[string]string{{"name": tag}}, "mode": mode}})
}

// Report says that an indicator is a false positive, which counts once a user and day,
// and how often it was observed, which adds up. One attempt: what is in doubt may have
// been counted.
func (c *Client) Report(ctx context.Context, id int64, falsePositive bool, observations int) error {
	body := map[string]any{}
	if falsePositive {
		body["falsePositiveFlag"] = true
	}
	if observations > 0 {
		body["observations"] = observations
	}
	return c.put(ctx, id, body)
}

func (c *Client) put(ctx context.Context, id int64, change any) error {
	body, err := json.Marshal(change)
	if err != nil {
		return &sdk.Error{Failure: sdk.Permanent, Message: "the change cannot be written as JSON", Err: err}
	}
	return c.once(ctx, http.MethodPut, "/v3/indicators/"+strconv.FormatInt(id, 10), nil, body, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}
