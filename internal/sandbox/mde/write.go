package mde

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/journal"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// maxBatch is the most items of an import or BatchDelete.
const maxBatch = 500

func (c *call) create() (wire.Reply, *apiError) {
	s, e := decodeSubmission(c.Req.Body)
	if e == nil {
		e = s.missing(false, &c.sw)
	}
	if e != nil {
		return wire.Reply{}, e
	}
	r, e := c.submit(s, false)
	if e != nil {
		return wire.Reply{}, e
	}
	return c.entity(r), nil
}

// submit validates and stores one submission and journals the item.
func (c *call) submit(s *submission, imported bool) (*row, *apiError) {
	e := s.validate(&c.sw)
	if e == nil {
		e = c.resolveGroups(s)
	}
	if e == nil {
		e = s.inactive(c.now)
	}
	if e == nil {
		e = c.refusal(s.Value, imported)
	}
	var r *row
	effect := journal.Refused
	if e == nil {
		r, effect, e = c.store(s)
	}
	if e != nil {
		c.items = append(c.items, item(&s.Indicator, journal.Refused, e.message))
		return nil, e
	}
	c.items = append(c.items, item(&r.Indicator, effect, ""))
	return r, nil
}

// resolveGroups fills in the ids of device groups that are named alone, where the
// tenant's groups are known.
func (c *call) resolveGroups(s *submission) *apiError {
	if len(c.groupNames) == 0 || len(s.RbacGroupIDs) > 0 {
		return nil
	}
	for _, name := range s.RbacGroupNames {
		i := slices.Index(c.groupNames, name)
		if i < 0 {
			return refuse(400, "InvalidInput", "Invalid input: RBAC group %s does not exist.", name)
		}
		s.RbacGroupIDs = append(s.RbacGroupIDs, strconv.Itoa(i+1))
	}
	return nil
}

// refusal is the verdict of injected faults on a value.
func (c *call) refusal(value string, imported bool) *apiError {
	for i := range c.Refuse {
		f := &c.Refuse[i]
		if f.Hits(value) && (!imported || !f.FailCall) {
			return refusalError(f)
		}
	}
	return nil
}

func refusalError(f *fault.Refusal) *apiError {
	code := f.Code
	if code == "" {
		code = "InvalidInput"
	}
	return refuse(400, code, "%s", f.Reason)
}

// store creates the row, or updates the one with the same identity.
func (c *call) store(s *submission) (*row, string, *apiError) {
	i, effect := s.Indicator, journal.Updated
	by := c.Who.AppName
	if by == "" {
		by = c.Who.App
	}
	old := c.table.find(&i, &c.sw)
	switch {
	case old != nil && !c.sees(old) && c.sw.OwnScopeConflict == "reject":
		return nil, "", refuse(403, "DisallowedOperation", "The indicator exists and was not created by this application.")
	case old != nil:
		keepCreated(&i, &old.Indicator)
	default:
		if e := c.table.full(&c.sw); e != nil {
			return nil, "", e
		}
		effect = journal.Created
		i.ID = c.table.newID()
		i.CreatedBy, i.CreatedByDisplayName, i.CreatedBySource = c.Who.App, by, "PublicApi"
		i.CreationTime = Stamp(c.now)
	}
	i.LastUpdateTime, i.LastUpdatedBy = Stamp(c.now), &by
	r, err := c.table.put(i, &c.sw, c.visible)
	if err != nil {
		return nil, "", bodyError()
	}
	return r, effect, nil
}

// keepCreated keeps what an update does not change.
func keepCreated(i, old *Indicator) {
	i.ID, i.Value = old.ID, old.Value
	i.CreatedBy, i.CreatedByDisplayName, i.CreatedBySource, i.CreationTime = old.CreatedBy, old.CreatedByDisplayName, old.CreatedBySource, old.CreationTime
	i.Application, i.Version, i.CertificateInfo = old.Application, old.Version, old.CertificateInfo
}

type importResult struct {
	ID        *string `json:"id"`
	Indicator string  `json:"indicator"`
	IsFailed  bool    `json:"isFailed"`
	Reason    *string `json:"failureReason"`
}

// importRows takes up to 500 rows; the answer has their order.
func (c *call) importRows() (wire.Reply, *apiError) {
	raw, e := list[json.RawMessage](c.Req.Body, "Indicators")
	if e != nil {
		return wire.Reply{}, e
	}
	if e := batchSize(len(raw)); e != nil {
		return wire.Reply{}, e
	}
	rows, e := c.decodeImport(raw)
	if e != nil {
		return wire.Reply{}, e
	}
	results := make([]importResult, 0, len(rows))
	for _, s := range rows {
		results = append(results, c.importRow(s))
	}
	return entity(wire.JSON(200, struct {
		Context string         `json:"@odata.context"`
		Value   []importResult `json:"value"`
	}{c.context("Collection(microsoft.windowsDefenderATP.api.ImportIndicatorResult)"), results}).Body), nil
}

func batchSize(n int) *apiError {
	switch {
	case n == 0:
		return refuse(400, "InvalidInput", "Invalid input: the list is empty.")
	case n > maxBatch:
		return refuse(400, "MaximumBatchSizeExceeded", "Maximum batch size exceeded. Received: %d, allowed: %d.", n, maxBatch)
	}
	return nil
}

// decodeImport reads the rows and finds what refuses the whole call before
// anything is written.
func (c *call) decodeImport(raw []json.RawMessage) ([]*submission, *apiError) {
	rows := make([]*submission, 0, len(raw))
	for _, r := range raw {
		s, e := decodeSubmission(r)
		if e != nil {
			return nil, e
		}
		if e := s.missing(true, &c.sw); e != nil && c.sw.MissingOnImport == "fail_call" {
			return nil, e
		}
		rows = append(rows, s)
	}
	for _, s := range rows {
		if e := s.inactive(c.now); e != nil && c.sw.PastExpiry == "fail_call" {
			return nil, e
		}
		for i := range c.Refuse {
			if f := &c.Refuse[i]; f.FailCall && f.Hits(s.Value) {
				return nil, refusalError(f)
			}
		}
	}
	return rows, nil
}

func (c *call) importRow(s *submission) importResult {
	out := importResult{Indicator: s.Value}
	e := s.missing(true, &c.sw)
	if e != nil {
		c.items = append(c.items, item(&s.Indicator, journal.Refused, e.message))
	} else {
		var r *row
		if r, e = c.submit(s, true); e == nil {
			out.ID = &r.ID
			return out
		}
	}
	out.IsFailed, out.Reason = true, &e.message
	return out
}

func (c *call) delete() (wire.Reply, *apiError) {
	r := c.table.live[c.ID]
	if r == nil || !c.sees(r) {
		c.items = append(c.items, journal.Item{ID: c.ID, Effect: journal.Refused, Reason: "not found"})
		return wire.Reply{}, notFound(c.ID)
	}
	c.remove(r)
	return wire.Empty(204), nil
}

func (c *call) remove(r *row) {
	c.table.remove(r, &c.sw, c.visible)
	c.items = append(c.items, item(&r.Indicator, journal.Deleted, ""))
}

// batchDelete deletes all ids, or nothing if one is unknown.
func (c *call) batchDelete() (wire.Reply, *apiError) {
	ids, e := list[string](c.Req.Body, "IndicatorIds")
	if e == nil {
		e = batchSize(len(ids))
	}
	if e != nil {
		return wire.Reply{}, e
	}
	var found []*row
	taken := map[string]bool{}
	for _, id := range ids {
		if _, err := strconv.ParseUint(id, 10, 64); err != nil {
			return wire.Reply{}, refuse(400, "InvalidInput", "Invalid input: indicator id %q.", id)
		}
		r := c.table.live[id]
		switch {
		case r != nil && c.sees(r):
			if !taken[id] {
				found = append(found, r)
			}
			taken[id] = true
		case c.sw.BatchDeleteMissing == "404_all":
			c.items = append(c.items, journal.Item{ID: id, Effect: journal.Refused, Reason: "not found"})
			return wire.Reply{}, notFound(id)
		}
	}
	for _, r := range found {
		c.remove(r)
	}
	return wire.Empty(204), nil
}
