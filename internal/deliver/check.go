package deliver

import (
	"context"
	"fmt"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/ledger"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/sdk"
)

// minLife is the shortest life an object is sent with: a call takes time, and one
// object past its expiry fails a whole batch.
const minLife = 2 * time.Minute

// batchItem is one item on its way.
type batchItem struct {
	it     *Item
	verb   ledger.Verb
	object sdk.Object
	before *ledger.Row // copy; nil = no row
	after  ledger.Row
	old    []byte // body before
}

// check looks at an item again right before it is sent (SEMANTICS D16). why says
// that and why it is not sent.
func (a *applier) check(ctx context.Context, c *chunk, it *Item) (bi *batchItem, why string, err error) {
	bi = &batchItem{it: it}
	r := c.site.book.Rows[it.Identity]
	base := uint64(0)
	if r != nil {
		base = r.Base
		before := *r
		bi.before = &before
	}
	switch {
	case base != it.Base:
		return nil, "the ledger row changed since the plan was made", nil
	case c.site.doubt[it.Identity]:
		return nil, "a call about it is in doubt", nil
	case it.Undoes != "":
		return a.checkUndo(ctx, c, bi)
	case c.op == sdk.OpDelete:
		return a.checkDelete(ctx, c, bi)
	case it.Held:
		return a.checkFrozen(ctx, c, bi)
	}
	return a.checkWrite(ctx, c, bi)
}

func (a *applier) checkDelete(ctx context.Context, c *chunk, bi *batchItem) (*batchItem, string, error) {
	it := bi.it
	if bi.before == nil || bi.before.RemoteID == "" && !c.site.info.Retires {
		return nil, "there is no remote id to delete by", nil
	}
	if why := a.untouchable(c.site, bi.before); why != "" {
		return nil, why, nil
	}
	// What others won the slot of is wanted all the same.
	lost := it.Reason.Base() == reason.Quota || it.Reason.Base() == reason.Conflict
	if !lost && it.Action == Delete {
		_, rec, err := a.find(ctx, it)
		if err != nil {
			return nil, "", err
		}
		if rec != nil {
			return nil, "it is wanted again", nil
		}
	}
	bi.verb, bi.after = ledger.Delete, *bi.before
	bi.object = sdk.Object{Identity: it.Identity, Slot: it.Slot, Indicator: bi.before.Indicator, Action: bi.before.Action, Hash: bi.before.Hash}
	return bi, "", nil
}

// untouchable: what the last listing says is not ours is not written, whatever the
// ledger believes (SEMANTICS D2).
func (a *applier) untouchable(s *site, r *ledger.Row) string {
	if r.State == ledger.Touched {
		return "the row belongs to somebody else"
	}
	if s.list == nil {
		return ""
	}
	if remote, ok := s.list.rows[r.RemoteID]; ok && !s.holds(r, &remote) {
		return "the row at the tenant does not carry our mark any more"
	}
	return ""
}

// checkFrozen renews a row with the body it was last sent with.
func (a *applier) checkFrozen(ctx context.Context, c *chunk, bi *batchItem) (*batchItem, string, error) {
	r := bi.before
	if r == nil {
		return nil, "the ledger row is gone", nil
	}
	rec := &indicator.Record{Indicator: r.Indicator}
	for _, d := range c.site.dests {
		for _, j := range a.judges[d.Node] {
			if code, _, held := j.rules.Check(rec.Indicator); held {
				return nil, "it is protected now: " + string(code), nil
			}
		}
	}
	var body []byte
	err := c.site.book.Bodies(ctx, []string{r.Identity}, func(_ string, b []byte) { body = b })
	if err != nil {
		return nil, "", err
	}
	if len(body) == 0 {
		return nil, "its body is not stored", nil
	}
	bi.verb = ledger.Renew
	bi.object = sdk.Object{Identity: r.Identity, Slot: r.Slot, Indicator: r.Indicator, Action: r.Action, Body: body, Hash: r.Hash, Score: r.Score, Life: r.Life}
	bi.after = *r
	if bi.after.FrozenSince.IsZero() {
		bi.after.FrozenSince = a.m.deps.Clock.Now()
	}
	bi.after.Expires = c.site.expiry(c.target.Info().Expiry, &bi.object, r.ValidUntil)
	return bi, "", nil
}

func (a *applier) checkWrite(ctx context.Context, c *chunk, bi *batchItem) (*batchItem, string, error) {
	it := bi.it
	o, rec, err := a.find(ctx, it)
	switch {
	case err != nil:
		return nil, "", err
	case rec == nil:
		return nil, "it is not wanted any more, or may not be sent any more", nil
	case desiredHash(o) != it.Desired:
		return nil, "what is wanted changed since the plan was made", nil
	}
	creates := it.Action == Create || it.Action == Replace
	if creates {
		if code := c.site.shut(); code != "" {
			return nil, code.Text(), nil
		}
		if code, detail := c.site.foreignAt(o); code != "" {
			return nil, code.Text() + " (" + detail + ")", nil
		}
	}
	expires := c.site.expiry(c.target.Info().Expiry, o, rec.Attrs.ValidUntil)
	if expires.Sub(c.site.now) < minLife {
		return nil, "it ends within two minutes", nil
	}
	bi.object = *o
	bi.after = ledger.Row{Identity: o.Identity, Slot: o.Slot, Action: o.Action, Indicator: o.Indicator, Contributors: contributors(it.Wants),
		Hash: o.Hash, Score: o.Score, TLP: rec.Attrs.TLP, State: ledger.Live, Expires: expires, ValidUntil: rec.Attrs.ValidUntil, Life: o.Life}
	bi.verb = map[Action]ledger.Verb{Create: ledger.Create, Replace: ledger.Create, Update: ledger.Update, Renew: ledger.Renew}[it.Action]
	if bi.before != nil {
		bi.after.Generation, bi.after.Made, bi.after.Modified = bi.before.Generation, bi.before.Made, bi.before.Modified
	}
	if bi.before != nil && !creates {
		if why := a.untouchable(c.site, bi.before); why != "" {
			return nil, why, nil
		}
		bi.after.RemoteID, bi.after.Created, bi.after.AdoptedFrom = bi.before.RemoteID, bi.before.Created, bi.before.AdoptedFrom
	}
	return bi, "", nil
}

// find maps the item's contributors again and returns the object as it is wanted
// right now with the record behind it, or nil. It asks every rule that the plan
// asked.
func (a *applier) find(ctx context.Context, it *Item) (*sdk.Object, *indicator.Record, error) {
	for _, w := range it.Wants {
		for _, j := range a.judges[w.Node] {
			if j.domain != it.Domain {
				continue
			}
			rec, hand, err := a.record(ctx, w)
			if err != nil {
				return nil, nil, err
			}
			if rec == nil {
				continue
			}
			if code, _ := j.allows(rec, hand); code != "" {
				continue
			}
			objects, unfit := j.dest.Target.Map(rec)
			if unfit != nil {
				continue
			}
			for i := range objects {
				if objects[i].Identity == it.Identity {
					return &objects[i], rec, nil
				}
			}
		}
	}
	return nil, nil, nil
}

func (a *applier) record(ctx context.Context, w Want) (rec *indicator.Record, hand bool, err error) {
	for _, rec := range a.hand[w.Node] {
		if rec.Indicator == w.Indicator {
			return rec, true, nil
		}
	}
	rec, err = a.m.deps.Upstream.Lookup(ctx, w.Node, w.Indicator)
	if err != nil {
		return nil, false, fmt.Errorf("look up %s at %s: %w", w.Indicator.Value, w.Node, err)
	}
	return rec, false, nil
}

// bodies loads what the objects were before: for the inverses, and because a
// deletion may need the body it withdraws.
func (a *applier) bodies(ctx context.Context, b *batch) error {
	var ids []string
	byID := map[string]*batchItem{}
	for _, bi := range b.items {
		if bi.before != nil {
			ids = append(ids, bi.it.Identity)
			byID[bi.it.Identity] = bi
		}
	}
	if len(ids) == 0 {
		return nil
	}
	return b.site.book.Bodies(ctx, ids, func(id string, body []byte) {
		bi := byID[id]
		bi.old = body
		if bi.verb == ledger.Delete {
			bi.object.Body = body
		}
	})
}
