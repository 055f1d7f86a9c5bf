package alert

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

// Shape is the form of a webhook's body.
type Shape string

// The shapes.
const (
	Plain Shape = "webhook" // the Message as JSON, with its text
	Slack Shape = "slack"   // what Slack, Mattermost and others take: {"text": …}
	Teams Shape = "teams"   // an Adaptive Card, as a Teams workflow takes it
)

// Webhook posts messages to a URL. The URL is a secret: whoever has it can post.
type Webhook struct {
	URL   sdk.Secret
	Shape Shape
	HTTP  *httpx.Client
}

// Send posts the message once.
func (w *Webhook) Send(ctx context.Context, m *Message) error {
	body, err := json.Marshal(w.body(m))
	if err != nil {
		return fmt.Errorf("write the message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL.Reveal(), bytes.NewReader(body))
	if err != nil {
		return errors.New("the webhook's URL cannot be used; give one that begins with https://")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.HTTP.Do(req)
	if err != nil {
		return errors.New(w.hide(err.Error()))
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return nil
	}
	said, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // only to be shown
	return errors.New(w.hide(fmt.Sprintf("%s answered HTTP %d %s", req.URL.Host, resp.StatusCode, strings.TrimSpace(string(said)))))
}

// hide keeps the URL's path out of what people read.
func (w *Webhook) hide(text string) string {
	raw := w.URL.Reveal()
	u, err := url.Parse(raw)
	if err != nil {
		return strings.ReplaceAll(text, raw, "the webhook")
	}
	host := u.Scheme + "://" + u.Host + "/…"
	for _, form := range []string{raw, httpx.RedactURL(raw), u.RequestURI(), u.Path} {
		if len(form) > 1 {
			text = strings.ReplaceAll(text, form, host)
		}
	}
	return text
}

// slackEscapes are the three characters that Slack reads as its own: a feed whose answer
// is quoted must not call a whole channel.
var slackEscapes = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func (w *Webhook) body(m *Message) any {
	text := m.Text()
	switch w.Shape {
	case Slack:
		return map[string]any{"text": "*" + slackEscapes.Replace(m.Title) + "*\n" + slackEscapes.Replace(text)}
	case Teams:
		block := func(text, weight string) map[string]any {
			return map[string]any{"type": "TextBlock", "text": text, "wrap": true, "weight": weight}
		}
		blocks := []any{block(m.Title, "Bolder")}
		for line := range strings.Lines(text) {
			blocks = append(blocks, block(strings.TrimRight(line, "\n"), "Default"))
		}
		return map[string]any{"type": "message", "attachments": []any{map[string]any{
			"contentType": "application/vnd.microsoft.card.adaptive",
			"content": map[string]any{"$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard",
				"version": "1.4", "body": blocks},
		}}}
	}
	return struct {
		*Message
		Text string `json:"text"`
	}{m, text}
}
