package engine

import (
	"crypto/sha256"
	"encoding/hex"

	"github.com/remeld/remeld/internal/engine/row"
	"github.com/remeld/remeld/sdk"
)

// decide turns the provisional verdict into the final one (SEMANTICS E7).
func (p *polling) decide() error {
	if !p.accept || !p.shrunk() {
		return nil
	}
	id, err := p.identity()
	if err != nil {
		return err
	}
	p.report.ID = id
	f := p.freeze(id)
	ps := p.st.clone()
	ps.Poll.Frozen = f
	p.st = ps
	p.accept = p.st.Poll.AcceptID == id || p.node.set.Agree > 0 && f.Agreeing >= p.node.set.Agree
	p.overruled = p.accept
	return nil
}

// shrunk tells whether the poll is out of the bounds of the last 7 days.
func (p *polling) shrunk() bool {
	if p.shape == sdk.Events {
		return false
	}
	size, base := p.holds(), p.st.Poll.baseline()
	limits := p.node.set.Freeze
	if size == 0 && p.node.set.EmptyOK {
		return false
	}
	lost := base - size
	// Without a baseline, as after a change of the URL, nothing still takes the
	// place of what is there.
	if size == 0 && max(base, p.st.present()) >= int64(max(1, limits.MinRows)) {
		return true
	}
	return lost > 0 && float64(lost) >= limits.Share*float64(base) && lost >= int64(limits.Count)
}

// holds is how many rows the source has after the poll, by its own word.
func (p *polling) holds() int64 {
	if p.shape == sdk.Changes && !p.st.Poll.Moved {
		return p.st.Rows + p.tally.added - p.tally.removed
	}
	return p.tally.listed
}

// freeze describes the frozen poll, counting polls that agree with the one before.
func (p *polling) freeze(id string) *frozen {
	f := &frozen{ID: id, Since: p.now.UnixMilli(), Rows: p.holds(), Was: max(p.st.Poll.baseline(), p.st.present())}
	if was := p.st.Poll.Frozen; was != nil {
		f.Since = was.Since
		if differ := f.Rows - was.Rows; max(differ, -differ)*10 <= max(f.Rows, was.Rows) {
			f.Agreeing = was.Agreeing
		}
	}
	f.Agreeing++
	return f
}

// identity names exactly what the poll lists, whatever the order: a person accepts
// that and nothing else. Of a source that tells changes it is what they remove:
// until the person answers, more is added all the time.
func (p *polling) identity() (string, error) {
	h := sha256.New()
	for part := range p.sorted.Parts() {
		it, err := p.sorted.Part(part)
		if err != nil {
			return "", err
		}
		var said row.Said
		for it.Next() {
			if err := said.Decode(it.Value()); err != nil {
				return "", err
			}
			op := byte('+')
			if said.Remove {
				op = '-'
			} else if p.shape == sdk.Changes {
				continue // of changes, what is accepted is what they remove
			}
			k := it.Key()
			h.Write([]byte{op, byte(len(k) >> 16), byte(len(k) >> 8), byte(len(k))})
			h.Write(k)
		}
		if err := it.Err(); err != nil {
			return "", err
		}
		if err := it.Close(); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:6]), nil
}
