package sentinel

import (
	"cmp"
	"slices"
	"time"
)

// store is the objects of one workspace. It is not safe for concurrent use.
//
// There are two stores in it, told apart by Object.Managed: what was uploaded,
// and what the management plane wrote. Queries list both; the management
// plane's calls by name reach the second only.
//
// Writes go to live; queries read seen, which follows live after the read lag.
type store struct {
	Workspace
	live  map[string]*Object // by ID
	names map[string]string  // ID by management name
	// revoked are the IDs whose revocation is final, also after a deletion.
	revoked map[string]bool
	seen    map[string]*Object
	order   []*Object // of seen by ID; nil when it must be rebuilt
	queue   []change
	table   table
}

// change is a write on its way to being visible.
type change struct {
	at     time.Time
	id     string
	object *Object // nil: deleted
}

func newStore(w Workspace) *store {
	return &store{
		Workspace: w, live: map[string]*Object{}, names: map[string]string{}, revoked: map[string]bool{}, seen: map[string]*Object{},
		table: newTable(),
	}
}

// put stores an object and writes its table row.
func (o *store) put(obj *Object, now, visible time.Time) {
	if old := o.live[obj.ID]; old != nil {
		delete(o.names, old.Name)
	}
	o.live[obj.ID] = obj
	o.names[obj.Name] = obj.ID
	if obj.Revoked && !obj.Managed {
		o.revoked[obj.ID] = true
	}
	o.queue = append(o.queue, change{visible, obj.ID, obj})
	o.table.add(now, obj, obj.Method, false)
	o.table.schedule(obj.ID, now)
}

// remove deletes an object and writes its table row.
func (o *store) remove(obj *Object, method string, now, visible time.Time) {
	delete(o.live, obj.ID)
	delete(o.names, obj.Name)
	o.queue = append(o.queue, change{visible, obj.ID, nil})
	o.table.add(now, obj, method, true)
	o.table.unschedule(obj.ID)
}

// managed returns the object of the management store with that name.
func (o *store) managed(name string) *Object {
	if obj := o.live[o.names[name]]; obj != nil && obj.Managed {
		return obj
	}
	return nil
}

// settle republishes what is due and makes visible what is due.
func (o *store) settle(now time.Time) {
	o.table.republish(o.live, now)
	var later []change
	for _, c := range o.queue {
		switch {
		case c.at.After(now):
			later = append(later, c)
		case c.object == nil:
			delete(o.seen, c.id)
			o.order = nil
		default:
			o.seen[c.id] = c.object
			o.order = nil
		}
	}
	o.queue = later
}

// visible returns the objects that queries see, by ID.
func (o *store) visible() []*Object {
	if o.order == nil {
		o.order = sorted(o.seen)
	}
	return o.order
}

func sorted(m map[string]*Object) []*Object {
	out := make([]*Object, 0, len(m))
	for _, obj := range m {
		out = append(out, obj)
	}
	slices.SortFunc(out, compareID)
	return out
}

func compareID(a, b *Object) int { return cmp.Compare(a.ID, b.ID) }
