package row

import (
	"testing"

	"github.com/remeld/remeld/indicator"
)

// E1: what a row names is in the store with it. While a bulk load writes, an
// attribute set that is met again gets no number.
func TestE1_HeldDictionaryNumbersNothingNew(t *testing.T) {
	blob := func(comment string) []byte {
		var a indicator.Attributes
		a.Description = comment
		return a.AppendBinary(nil)
	}
	d := NewDict()
	known := d.Number(blob("known"))
	release := d.Hold()
	for range 10 {
		if r := d.Intern(blob("new")); r.ID != 0 {
			t.Fatalf("number %d was given", r.ID)
		}
		if r := d.Number(blob("other")); r.ID != 0 {
			t.Fatalf("number %d was given", r.ID)
		}
	}
	if r := d.Intern(blob("known")); r.ID != known.ID {
		t.Errorf("a known one is %v", r)
	}
	if n := d.Pending(func(_, _ []byte) {}); n != 1 {
		t.Errorf("%d entries", n)
	}
	release()
	if r := d.Number(blob("new")); r.ID == 0 {
		t.Error("no number after the release")
	}
}
