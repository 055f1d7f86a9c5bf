package ledger

// Owed calls fn with every row whose object is at the tenant or may be: those that are
// present, and what a call makes whose outcome is not known yet. A decision about what
// goes must not forget what is on its way.
func (b *Book) Owed(fn func(*Row)) {
	for _, r := range b.Rows {
		if r.Present() {
			fn(r)
		}
	}
	for _, in := range b.Open {
		for i := range in.Items {
			it := &in.Items[i]
			if old := b.Rows[it.After.Identity]; it.Verb != Delete && (old == nil || !old.Present()) {
				fn(&it.After)
			}
		}
	}
}
