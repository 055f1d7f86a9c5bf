package alert

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/store"
)

// The spaces: what was told of each condition on each route, and messages that are
// not sent yet.
const (
	toldSpace = "alert-told"
	outSpace  = "alert-out"
)

// told is what a route has been told of a condition.
type told struct {
	Condition condition.Condition `json:"condition"`
	At        time.Time           `json:"at"` // of the last message
}

// letter is a message on its way.
type letter struct {
	Route   string    `json:"route"`
	Message Message   `json:"message"`
	Tries   int       `json:"tries"`
	NextTry time.Time `json:"next_try"`

	key []byte
}

// The waits between tries grow from firstWait, doubling, to mostWait; a letter that
// could not be sent for giveUp is dropped, which is logged.
const (
	firstWait = time.Minute
	mostWait  = time.Hour
	giveUp    = 24 * time.Hour
)

func toldKey(route string, c *condition.Condition) []byte {
	return []byte(route + "\x00" + c.Node + "\x00" + c.Kind + "\x00" + c.ID)
}

// state reads what a route was told of.
func (a *Alerter) state(ctx context.Context, route string) (map[string]told, error) {
	v, err := a.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read what route %s was told: %w", route, err)
	}
	defer v.Close()
	out := map[string]told{}
	r := store.Range{From: []byte(route + "\x00"), To: []byte(route + "\x01")}
	err = v.Scan(ctx, toldSpace, r, func(key, value []byte) error {
		var t told
		if err := json.Unmarshal(value, &t); err != nil {
			return err
		}
		out[string(key)] = t
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what route %s was told: %w", route, err)
	}
	return out, nil
}

// post adds a letter to a commit.
func (a *Alerter) post(c *store.Commit, route string, m Message) error {
	m.Instance, m.At = a.deps.Instance, a.deps.Clock.Now().UTC()
	value, err := json.Marshal(letter{Route: route, Message: m})
	if err != nil {
		return fmt.Errorf("write a message: %w", err)
	}
	a.posted++
	key := fmt.Appendf(nil, "%s %06d", m.At.Format("20060102-150405.000000000"), a.posted)
	c.Writes = append(c.Writes, store.Write{Space: outSpace, Key: key, Value: value})
	return nil
}

// letters are the messages on their way, oldest first.
func (a *Alerter) letters(ctx context.Context) ([]letter, error) {
	v, err := a.deps.Store.View()
	if err != nil {
		return nil, fmt.Errorf("read the messages on their way: %w", err)
	}
	defer v.Close()
	var out []letter
	err = v.Scan(ctx, outSpace, store.Range{}, func(key, value []byte) error {
		l := letter{key: append([]byte(nil), key...)}
		if err := json.Unmarshal(value, &l); err != nil {
			return err
		}
		out = append(out, l)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the messages on their way: %w", err)
	}
	return out, nil
}

// put stores a letter's next try.
func (a *Alerter) put(ctx context.Context, l *letter) error {
	value, err := json.Marshal(l)
	if err == nil {
		_, err = a.deps.Store.Commit(ctx, &store.Commit{Writes: []store.Write{{Space: outSpace, Key: l.key, Value: value}}})
	}
	if err != nil {
		return fmt.Errorf("keep a message on its way: %w", err)
	}
	return nil
}

func (a *Alerter) drop(ctx context.Context, l *letter) error {
	if _, err := a.deps.Store.Commit(ctx, &store.Commit{Writes: []store.Write{{Space: outSpace, Key: l.key, Delete: true}}}); err != nil {
		return fmt.Errorf("take a sent message out: %w", err)
	}
	return nil
}
