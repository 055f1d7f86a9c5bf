package feedback

import (
	"context"
	"encoding/json"
	"errors"
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
// ends in between asks for it again, and so is asked for what the service does not let go.
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
		e := known[key]
		if e.Told == nil {
			c.Writes = append(c.Writes, store.Write{Space: space + t.node, Key: []byte(key), Delete: true})
			continue
		}
		i, err := indicator.FromKey([]byte(key))
		if err != nil {
			return fmt.Errorf("read what %s was told: %w", t.node, err)
		}
		items = append(items, sdk.Marked{Indicator: i, Told: e.Told})
	}
	if len(items) > 0 {
		if err := t.marker.SetMark(ctx, mark, false, items); err != nil {
			return err
		}
	}
	for i := range items {
		e := entry{Mark: mark, Told: items[i].Told, Barred: items[i].Barred, Stuck: true, At: t.now.UTC()}
		if err := t.note(c, &items[i], e, e.Barred == ""); err != nil {
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
		failed := t.marker.SetMark(ctx, t.marker.Mark(), true, items)
		c := &store.Commit{}
		for i := range items {
			if failed != nil && items[i].Told == nil {
				continue // as it was
			}
			e := entry{Mark: t.marker.Mark(), Told: items[i].Told, Barred: items[i].Barred, Open: failed != nil, At: t.now.UTC()}
			if err := t.note(c, &items[i], e, false); err != nil {
				return err
			}
		}
		if err := errors.Join(failed, t.keep(ctx, c)); err != nil {
			return err
		}
	}
	return nil
}

// note adds to a commit what was told of an item, or that nothing is told of it any more.
func (t *telling) note(c *store.Commit, item *sdk.Marked, e entry, forget bool) error {
	w := store.Write{Space: space + t.node, Key: item.Indicator.AppendKey(nil), Delete: forget}
	if !forget {
		var err error
		if w.Value, err = json.Marshal(e); err != nil {
			return fmt.Errorf("keep what %s was told: %w", t.node, err)
		}
	}
	c.Writes = append(c.Writes, w)
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
	if len(c.Writes) == 0 {
		return nil
	}
	if _, err := t.deps.Store.Commit(ctx, c); err != nil {
		return fmt.Errorf("keep what %s was told: %w", t.node, err)
	}
	return nil
}
