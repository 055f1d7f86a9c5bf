package sandbox

import "testing"

func TestRoundTrip(t *testing.T) {
	w := newTwin(t)
	res := w.imports(domain("a.example", nil), domain("b.example", nil))
	if len(res) != 2 || res[0].IsFailed || res[1].IsFailed || *res[0].ID != "1" || *res[1].ID != "2" {
		t.Fatalf("import: %+v", res)
	}
	if got := w.list(""); len(got) != 2 {
		t.Fatalf("list: %v", got)
	}
	if r := w.call("POST", "/api/indicators/BatchDelete", props{"IndicatorIds": []string{"1"}}); r.status != 204 || len(r.body) != 0 {
		t.Fatalf("batch delete: %d %s", r.status, r.body)
	}
	if r := w.call("POST", "/api/indicators", domain("c.example", nil)); r.status != 200 || r.json(t)["id"] != "3" {
		t.Fatalf("create: %d %s", r.status, r.body)
	}
	if r := w.call("DELETE", "/api/indicators/2", nil); r.status != 204 {
		t.Fatalf("delete: %d %s", r.status, r.body)
	}
	if rows, _ := w.Rows(testTenant); len(rows) != 1 {
		t.Fatalf("rows: %v", rows)
	}
	if n := len(w.Journal(Query{Effect: "created"})); n != 2 {
		t.Fatalf("journal: %d calls that created", n)
	}
}
