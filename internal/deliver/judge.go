package deliver

import (
	"strconv"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/internal/deliver/rank"
	"github.com/remeld/remeld/internal/deliver/reason"
	"github.com/remeld/remeld/internal/tql"
)

// Fitter is implemented by a Target that can tell without building bodies whether
// Map would yield anything: a plan over a million records then builds only what
// may be sent. It must agree with Map.
type Fitter interface {
	Fit(rec *indicator.Record) (code string)
}

// Blocker is implemented by a Target whose objects can stop something rather than
// report it: it tells whether Map's objects of a record would, with every rule that
// changes the action of some records alone. The least confidence to block is asked of
// those and of no others (SEMANTICS, defaults). It must agree with Map.
type Blocker interface {
	Blocks(rec *indicator.Record) bool
}

// extraLifted marks records that appeared because an allow-list shrank; its value
// names the list's node (SEMANTICS E10).
const extraLifted = "allow_lifted"

// judge decides, for one destination and one moment, whether a record may be
// sent. Its functions are pure: a plan, a held list and why give the same answer.
type judge struct {
	dest   *Destination
	index  int
	domain string
	rules  *protect.Rules
	maxTLP indicator.TLP
	fit    Fitter
	blocks Blocker
	life   map[indicator.Kind]time.Duration
	env    tql.Env
	now    time.Time // service time
}

func newJudge(d *Destination, index int, now time.Time) *judge {
	info := d.Target.Info()
	j := &judge{dest: d, index: index, domain: info.Domain, maxTLP: d.MaxTLP, now: now, life: info.Expiry}
	j.protect(d)
	if j.maxTLP == indicator.Unlabelled {
		j.maxTLP = info.MaxTLP
	}
	j.fit, _ = d.Target.(Fitter)
	j.blocks, _ = d.Target.(Blocker)
	j.env.Now = now
	return j
}

// protect takes the protection rules of a destination.
func (j *judge) protect(d *Destination) {
	if j.rules = d.Protect; j.rules == nil {
		j.rules = &protect.Rules{}
	}
}

// allows says why a record is held out, or "". Cheap questions come first; of
// several reasons the first counts.
func (j *judge) allows(rec *indicator.Record, hand bool) (code reason.Code, detail string) {
	a := &rec.Attrs
	if j.dest.Retired {
		return reason.Retired, ""
	}
	if !a.ValidUntil.IsZero() && !a.ValidUntil.After(j.now) {
		if hand {
			return reason.Unblocked, ""
		}
		return reason.Expired, ""
	}
	if !hand {
		if code, detail = j.wanted(rec); code != "" {
			return code, detail
		}
	}
	if code, detail, held := j.rules.Check(rec.Indicator); held {
		return code, detail
	}
	if j.fit != nil {
		if unfit := j.fit.Fit(rec); unfit != "" {
			return reason.Unfit.With(unfit), ""
		}
	}
	return "", ""
}

// wanted asks the destination's own rules, which an ad hoc block passes by.
func (j *judge) wanted(rec *indicator.Record) (reason.Code, string) {
	a := &rec.Attrs
	if a.TLP > j.maxTLP {
		return reason.TLP, a.TLP.String()
	}
	for i := range j.dest.Keep {
		if j.dest.Keep[i].Filter.Match(rec, &j.env) != tql.True {
			return reason.Filter.With(j.dest.Keep[i].Name), ""
		}
	}
	return j.sure(rec)
}

// sure asks for the least confidence to block, of what would block.
func (j *judge) sure(rec *indicator.Record) (reason.Code, string) {
	n, known := rec.Attrs.Confidence.Get()
	least := j.dest.MinConfidence
	if least <= 0 || known && n >= least || j.blocks == nil || !j.blocks.Blocks(rec) {
		return "", ""
	}
	has := "unknown"
	if known {
		has = strconv.Itoa(n)
	}
	return reason.Confidence, has + ", at least " + strconv.Itoa(least) + " is asked to block"
}

// dangerous asks only what withdraws for safety, so that a withdrawal with several
// reasons is known as protective if any of them is.
func (j *judge) dangerous(rec *indicator.Record) (reason.Code, string) {
	if rec.Attrs.TLP > j.maxTLP {
		return reason.TLP, rec.Attrs.TLP.String()
	}
	if code, detail, held := j.rules.Check(rec.Indicator); held {
		return code, detail
	}
	return "", ""
}

func rankOf(rec *indicator.Record, hand bool) rank.Rank {
	r := rank.Of(rec)
	if hand {
		r = r.ByHand()
	}
	return r
}

func cloneRecord(rec *indicator.Record) *indicator.Record {
	return &indicator.Record{Indicator: rec.Indicator, Attrs: rec.Attrs.Clone()}
}
