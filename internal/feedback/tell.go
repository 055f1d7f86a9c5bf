package feedback

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/sdk"
)

// telling is one pass over one source.
type telling struct {
	*Feedback
	node   string
	marker sdk.Marker
	now    time.Time
}

// takeOff takes marks off. The entry goes once the service confirmed it: a process that
// ends in between asks for it again.
func (t *telling) takeOff(ctx context.Context, keys []string, known map[string]entry) error {
	byMark := map[string][]string{}
	for _, key := range keys {
		mark := known[key].Mark
		byMark[mark] = append(byMark[mark], key)
	}
	for mark, keys := range byMark {
		for some := range slices.Chunk(keys, batch) {
			if err := t.takeOffSome(ctx, mark, some, known); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *telling) takeOffSome(ctx context.Context, mark string, keys []string, known map[string]entry) error {
	var items []sdk.Marked
	c := &store.Commit{}
	for _, key := range keys {
		c.Writes = append(c.Writes, store.Write{Space: space + t.node, Key: []byte(key), Delete: true})
		if e := known[key]; e.Told != nil {
			i, err := indicator.FromKey([]byte(key))
			if err != nil {
				return fmt.Errorf("read what %s was told: %w", t.node, err)
			}
			items = append(items, sdk.Marked{Indicator: i, Told: e.Told})
		}
	}
	if len(items) > 0 {
		if err := t.marker.SetMark(ctx, mark, false, items); err != nil {
			return err
		}
	}
	return t.keep(ctx, c)
}

// putOn puts marks on. What the source no longer says anything of needs none.
func (t *telling) putOn(ctx context.Context, keys []string) error {
	for some := range slices.Chunk(keys, batch) {
		items, err := t.items(ctx, some)
		if err != nil {
			return err
		}
		if len(items) == 0 {
			continue
		}
		if err := t.marker.SetMark(ctx, t.marker.Mark(), true, items); err != nil {
			return err
		}
		c := &store.Commit{}
		for i := range items {
			value, err := json.Marshal(entry{Mark: t.marker.Mark(), Told: items[i].Told, Barred: items[i].Barred, At: t.now.UTC()})
			if err != nil {
				return fmt.Errorf("keep what %s was told: %w", t.node, err)
			}
			c.Writes = append(c.Writes, store.Write{Space: space + t.node, Key: items[i].Indicator.AppendKey(nil), Value: value})
		}
		if err := t.keep(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (t *telling) items(ctx context.Context, keys []string) ([]sdk.Marked, error) {
	var items []sdk.Marked
	for _, key := range keys {
		i, err := indicator.FromKey([]byte(key))
		if err != nil {
			return nil, fmt.Errorf("read what was delivered: %w", err)
		}
		rec, err := t.deps.Lookup(ctx, t.node, i)
		if err != nil {
			return nil, fmt.Errorf("look up what %s says of %s: %w", t.node, i.Value, err)
		}
		if rec != nil {
			items = append(items, sdk.Marked{Indicator: i, Attrs: &rec.Attrs})
		}
	}
	return items, nil
}

func (t *telling) keep(ctx context.Context, c *store.Commit) error {
	if _, err := t.deps.Store.Commit(ctx, c); err != nil {
		return fmt.Errorf("keep what %s was told: %w", t.node, err)
	}
	return nil
}
