package sentinel

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func version(at int, revoked bool) map[string]any {
	stamp := func(n int) string {
		return testTime.Add(time.Duration(n) * time.Millisecond).Format("2006-01-02T15:04:05.000Z")
	}
	return map[string]any{
		"type": "indicator", "spec_version": "2.1", "id": "indicator--00000000-0000-4000-8000-000000000000", "created": stamp(0), "modified": stamp(at),
		"name": fmt.Sprint(at), "pattern": "[url:value = 'x']", "pattern_type": "stix", "valid_from": stamp(0), "revoked": revoked,
	}
}

// TestVersionsArriveInAnyOrder: whatever the order, and in however many calls,
// the newest version stays until the first revocation that was newer, which
// stays for ever; every version that was taken is a row of the table.
func TestVersionsArriveInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		s := testService(t)
		newest, rows, revoked := -1, int64(0), false
		var batch []map[string]any
		send := func() {
			if len(batch) == 0 {
				return
			}
			body, err := json.Marshal(map[string]any{"sourcesystem": "s", "stixobjects": batch})
			if err != nil {
				rt.Fatal(err)
			}
			if r, _ := s.Serve(testCall("POST", testUpload, body)); r.Status != 200 || len(r.Body) != 0 {
				rt.Fatalf("%d %s", r.Status, r.Body)
			}
			batch = nil
		}
		for range rapid.IntRange(1, 12).Draw(rt, "n") {
			at, revoke := rapid.IntRange(0, 9).Draw(rt, "modified"), rapid.IntRange(0, 9).Draw(rt, "revoke") == 0
			batch = append(batch, version(at, revoke))
			if !revoked && at > newest {
				newest, revoked = at, revoke
				rows++
			}
			if rapid.Bool().Draw(rt, "send") {
				send()
			}
		}
		send()
		objects, err := s.Objects("w", testTime)
		if err != nil || len(objects) != 1 || objects[0].Label != fmt.Sprint(newest) || objects[0].Revoked != revoked {
			rt.Fatalf("%v %+v, want version %d, revoked %v", err, objects, newest, revoked)
		}
		if b, err := s.Bill("w", testTime); err != nil || b.Rows != rows {
			rt.Fatalf("%v %+v, want %d rows", err, b, rows)
		}
	})
}

// TestTableIsBounded: old rows fall out, the bill does not.
func TestTableIsBounded(t *testing.T) {
	table := newTable()
	o := &Object{Type: "indicator"}
	for range maxEntries + 1 {
		table.add(testTime, o, MethodUpload, false)
	}
	if n := len(table.entries); n != maxEntries/2+1 || table.bill.Rows != maxEntries+1 {
		t.Errorf("%d rows, bill %d", n, table.bill.Rows)
	}
}
