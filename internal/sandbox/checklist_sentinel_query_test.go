package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

const day = 24 * time.Hour

func TestChecklist49_Republishing(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, nil), ioc(2, nil), ioc(3, props{"valid_until": stamp(day)}), ioc(4, props{"revoked": true}))
	bill := func() Bill {
		b, err := w.Bill("soc")
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if b := bill(); b.Rows != 4 || b.ByMethod["Upload API"] != 4 || b.ByTable["ThreatIntelIndicators"] != 4 {
		t.Errorf("%+v", b)
	}
	w.Clock().Advance(7*day - time.Second)
	if b := bill(); b.Rows != 4 {
		t.Errorf("republished early: %+v", b)
	}
	w.Clock().Advance(3*day + time.Second)
	if b := bill(); b.Rows != 6 || b.ByMethod["LogARepublisher"] != 2 {
		t.Errorf("after ten days: %+v", b)
	}
	rows, err := w.TableRows("soc", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows[4:] {
		if age := r.TimeGenerated.Sub(start); r.LastUpdateMethod != "LogARepublisher" || age < 7*day || age > 10*day || r.IsDeleted || !r.IsActive {
			t.Errorf("%+v", r)
		}
	}
	// In a month every live object is written three or four times more.
	w.Clock().Set(start.Add(30 * day))
	if n := bill().ByMethod["LogARepublisher"]; n < 6 || n > 8 {
		t.Errorf("%d rows of the republisher for two objects in a month", n)
	}
	before := bill().Rows
	w.uploaded("src", ioc(1, props{"modified": stamp(30 * day)})) // an update is a row, and starts the pace again
	w.Clock().Advance(7*day - time.Second)
	if err := w.DeleteObject("soc", stixID(2)); err != nil {
		t.Fatal(err)
	}
	rows, _ = w.TableRows("soc", "")
	if last := rows[len(rows)-1]; !last.IsDeleted || last.IsActive || last.ID != "c3Jj---"+stixID(2) {
		t.Errorf("%+v", last)
	}
	if n := bill().Rows - before; n != 2 && n != 3 { // object 2 may have been due once more before it went
		t.Errorf("%d rows", n)
	}
	if b, err := w.Bill("dev"); err != nil || b.Rows != 0 {
		t.Errorf("another workspace: %v %+v", err, b)
	}
}

func TestTable_Columns(t *testing.T) {
	w := newSentinel(t)
	long := strings.Repeat("é", 1500)
	w.uploaded("src", ioc(1, props{"description": long, "pattern": "[url:value = '" + long + "']", "labels": []string{"l"}, "confidence": 5}),
		props{"type": "identity", "id": "identity--00000000-0000-0000-0000-000000000000", "created": stamp(0), "modified": stamp(0), "name": "n"})
	rows, err := w.TableRows("soc", "ThreatIntelIndicators")
	if err != nil || len(rows) != 1 {
		t.Fatalf("%v %+v", err, rows)
	}
	var data map[string]string
	_ = json.Unmarshal(rows[0].Data, &data) // lists stay out
	for _, name := range []string{"description", "pattern"} {
		if n := len([]rune(data[name])); n != 1000 {
			t.Errorf("%s has %d characters in Data", name, n)
		}
	}
	if r := rows[0]; r.ObservableValue != long || r.WorkspaceID != socID || r.AzureTenantID != testTenant || *r.Confidence != 5 || fmt.Sprint(r.Tags) != "[l]" {
		t.Errorf("%+v", r)
	}
	if rows, _ := w.TableRows("soc", "ThreatIntelObjects"); len(rows) != 1 || rows[0].StixType != "identity" {
		t.Errorf("%+v", rows)
	}
	var doc struct {
		Indicators []string `json:"ThreatIntelIndicators"`
		Objects    []string `json:"ThreatIntelObjects"`
	}
	raw, err := json.Marshal(rows[0])
	if err != nil {
		t.Fatal(err)
	}
	var have map[string]any
	if err := json.Unmarshal(raw, &have); err != nil {
		t.Fatal(err)
	}
	sentinelData(t, "tables.json", &doc)
	for name := range have {
		if !slices.Contains(doc.Indicators, name) && !slices.Contains(doc.Objects, name) {
			t.Errorf("no table has the column %s", name)
		}
	}
}

func TestChecklist50_ManagementDeleteDoesNotReachUploads(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, nil))
	list := func() []map[string]any {
		return w.value("POST", socARM+"main/queryIndicators"+armV, props{"sources": []string{"src"}})
	}
	row := list()[0]
	name, _ := row["name"].(string)
	if p := row["properties"].(map[string]any); p["externalId"] != stixID(1) || p["patternType"] != "ipv4-addr" || p["source"] != "src" {
		t.Errorf("%v", row)
	}
	for range 2 {
		if r := w.azure("a", "DELETE", socARM+"main/indicators/"+name+armV, nil); r.status != 200 {
			t.Errorf("DELETE: %d %s", r.status, r.body)
		}
		if r := w.azure("a", "GET", socARM+"main/indicators/"+name+armV, nil); r.status != 404 {
			t.Errorf("GET: %d %s", r.status, r.body)
		}
		if n := len(list()); n != 1 {
			t.Errorf("queryIndicators lists %d", n)
		}
	}
	if n := len(w.value("GET", socARM+"main/indicators"+armV, nil)); n != 0 {
		t.Errorf("the management store lists %d", n)
	}
	if r := w.azure("a", "DELETE", socARM+"main/indicators/none"+armV, nil); r.status != 204 {
		t.Errorf("DELETE of nothing: %d", r.status)
	}
	if e := w.Journal(Query{Op: "sentinel-delete-indicator", Effect: "refused"}); len(e) != 2 || e[0].Items[0].ID != stixID(1) {
		t.Errorf("%+v", e)
	}
	if b, _ := w.Bill("soc"); b.Rows != 1 {
		t.Errorf("%+v", b)
	}
}

func TestChecklist50_QueriesLag(t *testing.T) {
	w := newSentinel(t, func(o *Options) { o.Switches.SentinelReadLag = 5 * time.Minute })
	w.uploaded("src", ioc(1, nil))
	if n := len(w.find()); n != 0 {
		t.Errorf("seen at once: %d", n)
	}
	w.Clock().Advance(5 * time.Minute)
	found := w.find()
	if len(found) != 1 {
		t.Fatalf("not seen after the lag")
	}
	if r := w.azure("a", "DELETE", found[0]["id"].(string)+queryV, nil); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := len(w.find()); n != 1 {
		t.Errorf("gone at once")
	}
	if n := len(w.stixObjects()); n != 0 {
		t.Errorf("%d objects", n)
	}
	w.Clock().Advance(5 * time.Minute)
	if n := len(w.find()); n != 0 {
		t.Errorf("still seen after the lag")
	}
}

func TestChecklist51_QueryAndDeleteByItsID(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", iocs(1, 3)...)
	w.uploaded("other", ioc(1, nil))
	found := w.find(where("id", "Equals", stixID(1)), where("source", "Equals", "src"))
	if len(found) != 1 || found[0]["kind"] != "Indicator" || found[0]["name"] != "c3Jj---"+stixID(1) {
		t.Fatalf("%v", found)
	}
	id, _ := found[0]["id"].(string)
	p := found[0]["properties"].(map[string]any)
	if data := p["data"].(map[string]any); data["id"] != stixID(1) || p["source"] != "src" || p["firstIngestedTimeUtc"] != "2026-11-22T06:00:00.0000000" || p["createdBy"].(map[string]any)["objectId"] != "a" {
		t.Errorf("%v", p)
	}
	for _, want := range []int{200, 204} {
		if r := w.azure("a", "DELETE", "https://management.azure.com"+id+queryV, nil); r.status != want {
			t.Errorf("%d %s, want %d", r.status, r.body, want)
		}
	}
	if n := len(w.stixObjects()); n != 3 {
		t.Errorf("%d objects", n)
	}
	if e := w.Journal(Query{Op: "sentinel-delete"}); len(e) != 2 || e[0].Items[0].ID != stixID(1) || e[0].Items[0].Effect != "deleted" {
		t.Errorf("%+v", e)
	}
	if r := w.azure("a", "DELETE", id+armV, nil); r.status != 400 || !strings.Contains(string(r.body), "2025-07-01-preview") {
		t.Errorf("another version: %d %s", r.status, r.body)
	}
	w.uploaded("src", ioc(1, nil)) // a deletion is not a revocation
	// A source whose base64 has a slash.
	w.uploaded("???", ioc(7, nil))
	id, _ = w.find(where("source", "Equals", "???"))[0]["id"].(string)
	if r := w.azure("a", "DELETE", id+queryV, nil); r.status != 200 || !strings.Contains(id, "Pz8/---") {
		t.Errorf("%s: %d %s", id, r.status, r.body)
	}
}

func TestChecklist51_Operators(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, props{"name": "Alpha", "confidence": 10, "labels": []string{"x", "y"}, "valid_until": nil}),
		ioc(2, props{"name": "beta", "confidence": 90, "modified": stamp(time.Hour)}),
		ioc(3, props{"name": "beta two", "revoked": true, "labels": []string{"y"}, "description": "", "valid_until": stamp(2 * day)}))
	w.Clock().Advance(3 * time.Hour)
	w.uploaded("late", ioc(4, props{"name": "delta", "description": "d"}))
	w.uploaded("late", props{"type": "identity", "id": "identity--00000000-0000-0000-0000-000000000000", "created": stamp(0), "modified": stamp(0), "name": "beta"})
	for _, c := range []struct {
		clause props
		want   string
	}{
		{where("name", "Equals", "beta"), "2"}, {where("name", "Equals", "Beta"), ""}, {where("name", "Equals", "beta", "delta"), "24"},
		{where("name", "NotEquals", "beta"), "134"}, {where("name", "NotEquals", "beta", "delta"), "13"},
		{where("confidence", "LessThan", "90"), "1"}, {where("confidence", "LessThanEqual", "90"), "12"},
		{where("confidence", "GreaterThan", "10"), "2"}, {where("confidence", "GreaterThanEqual", "10"), "12"}, {where("confidence", "Equals", "10"), "1"},
		{where("name", "StringContains", "ET"), "23"}, {where("name", "StringNotContains", "et"), "14"}, {where("name", "StringStartsWith", "al"), "1"},
		{where("name", "StringNotStartsWith", "al"), "234"}, {where("name", "StringEndsWith", "two"), "3"}, {where("name", "StringNotEndsWith", "two"), "124"},
		{where("description", "StringIsEmpty"), "123"}, {where("description", "IsNull"), "12"}, {where("valid_until", "IsNull"), "1"},
		{where("revoked", "Equals", "true"), "3"}, {where("revoked", "NotEquals", "true"), "124"}, {where("modified", "Equals", stamp(time.Hour)), "2"},
		{where("pattern", "Equals", "[ipv4-addr:value = '198.51.100.4']"), "4"}, {where("confidence", "Equals", "many"), ""}, {where("labels", "Equals", "x"), ""},
		{where("revoked", "IsTrue"), "3"}, {where("revoked", "IsFalse"), "124"},
		{where("labels", "ArrayContains", "y"), "13"}, {where("labels", "ArrayNotContains", "x"), "234"},
		{where("lastUpdatedTimeUtc", "OnOrAfterRelative", "PT3H"), "1234"}, {where("lastUpdatedTimeUtc", "AfterRelative", "PT3H"), "4"},
		{where("lastUpdatedTimeUtc", "OnOrBeforeRelative", "PT3H"), "123"}, {where("lastUpdatedTimeUtc", "BeforeRelative", "PT3H"), ""},
		{where("validUntil", "BeforeRelative", "-P7D"), "3"},
		{where("modified", "OnOrAfterAbsolute", stamp(time.Hour)), "2"}, {where("modified", "AfterAbsolute", stamp(time.Hour)), ""},
		{where("modified", "OnOrBeforeAbsolute", stamp(0)), "134"}, {where("modified", "BeforeAbsolute", stamp(time.Hour)), "134"},
		{props{"field": "labels", "operator": "ArrayContains", "values": []string{"x", "y"}, "clauseConnective": "And"}, "1"},
		{props{"field": "labels", "operator": "ArrayContains", "values": []string{"x", "y"}, "clauseConnective": "Or"}, "13"},
	} {
		got := ""
		for _, v := range w.find(c.clause) {
			got += strings.TrimLeft(strings.Split(v["name"].(string), "indicator--")[1][:8], "0")
		}
		if sortedText(got) != c.want {
			t.Errorf("%v: %q, want %q", c.clause, got, c.want)
		}
		r := w.azure("a", "POST", socARM+"main/count"+queryV, props{"condition": props{"clauses": []props{c.clause}, "stixObjectType": "indicator"}})
		if string(r.body) != fmt.Sprintf(`{"count":%d}`, len(c.want)) {
			t.Errorf("count %v: %s, want %d", c.clause, r.body, len(c.want))
		}
	}
	// Every operator of the published vocabulary is there, and its error.
	var vocabulary struct{ Operators []string }
	sentinelData(t, "query-vocabulary.json", &vocabulary)
	for _, op := range vocabulary.Operators {
		r := w.azure("a", "POST", socARM+"main/query"+queryV, props{"condition": props{"clauses": []props{{"field": "name", "operator": op, "values": nil}}}})
		if r.status != 400 || strings.Contains(string(r.body), "does not exist") {
			t.Errorf("%s: %d %s", op, r.status, r.body)
		}
	}
}

func sortedText(s string) string {
	b := []byte(s)
	slices.Sort(b)
	return string(b)
}

func TestChecklist51_BadQueries(t *testing.T) {
	w := newSentinel(t)
	clauses := func(c ...props) props { return props{"condition": props{"clauses": c}} }
	for _, body := range []any{
		"{", clauses(where("nonsense", "Equals", "1")), clauses(where("name", "Like", "1")), clauses(where("name", "Equals")),
		clauses(where("modified", "AfterAbsolute", "today")), clauses(where("modified", "AfterRelative", "7 days")), clauses(where("modified", "AfterRelative", "P")),
		props{"condition": props{}}, props{"condition": props{"clauses": []props{}, "stixObjectType": "malware"}},
		props{"condition": props{"clauses": []props{}, "conditionConnective": "Xor"}}, props{"sortBy": props{"field": "nonsense"}},
		props{"sortBy": props{"field": "name", "direction": "UP"}},
	} {
		r := w.azure("a", "POST", socARM+"main/query"+queryV, body)
		if r.status != 400 || !strings.Contains(string(r.body), `{"error":{"code":"BadRequest","message":"`) {
			t.Errorf("%v: %d %s", body, r.status, r.body)
		}
	}
	if r := w.azure("a", "POST", socARM+"main/query"+queryV+"&$skipToken=nonsense", props{}); r.status != 400 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if n := len(w.value("POST", socARM+"main/query"+queryV, "")); n != 0 {
		t.Errorf("%d", n)
	}
}

func TestQuery_Pages(t *testing.T) {
	w := newSentinel(t)
	if _, err := w.SeedForeignObjects("soc", "them", "other", 250); err != nil {
		t.Fatal(err)
	}
	w.uploaded("src", append(iocs(1, 4), ioc(5, props{"confidence": 9, "labels": []string{"x", "y"}}))...)
	for _, body := range []props{
		{}, {"maxPageSize": 7}, {"maxPageSize": 100, "minPageSize": 100, "sortBy": props{"field": "name", "direction": "DESC"}},
		{"maxPageSize": 50, "sortBy": props{"field": "confidence"}}, {"maxPageSize": 50, "sortBy": props{"field": "labels"}}, {"maxPageSize": 50, "sortBy": props{"field": "revoked", "direction": "DESC"}},
		{"maxPageSize": 3, "sortBy": props{"field": "lastUpdatedTimeUtc"}, "condition": props{"clauses": []props{}, "conditionConnective": nil, "stixObjectType": "indicator"}},
	} {
		seen := map[string]bool{}
		var names []string
		for _, v := range w.value("POST", socARM+"main/query"+queryV, body) {
			seen[v["name"].(string)] = true
			name, _ := v["properties"].(map[string]any)["data"].(map[string]any)["name"].(string)
			names = append(names, name)
		}
		if len(seen) != 255 || len(names) != 255 {
			t.Errorf("%v: %d rows, %d different", body, len(names), len(seen))
		}
		if body["sortBy"] != nil && body["maxPageSize"] == 100 && !slices.IsSortedFunc(names, func(a, b string) int { return strings.Compare(b, a) }) {
			t.Errorf("not sorted: %v", names)
		}
	}
	// The link may be followed by GET, and a deletion between two pages loses no row.
	r := w.azure("a", "POST", socARM+"main/query"+queryV, props{"maxPageSize": 200, "condition": props{"clauses": []props{where("source", "Equals", "other")}}})
	var page struct {
		Value    []map[string]any
		NextLink string
	}
	if err := json.Unmarshal(r.body, &page); err != nil {
		t.Fatal(err)
	}
	w.azure("a", "DELETE", page.Value[0]["id"].(string)+queryV, nil)
	if n := len(w.value("GET", page.NextLink, nil)); n != 50 || !strings.HasPrefix(page.NextLink, w.URL()) {
		t.Errorf("%d rows behind %s", n, page.NextLink)
	}
	for _, size := range []int{0, 10, 1000} {
		if n := len(w.value("POST", socARM+"main/queryIndicators"+armV, props{"pageSize": size, "sortBy": []props{{"itemKey": "lastUpdatedTimeUtc", "sortOrder": "descending"}}})); n != 254 {
			t.Errorf("page size %d: %d rows", size, n)
		}
	}
}

func TestQueryIndicators_Criteria(t *testing.T) {
	w := newSentinel(t)
	w.uploaded("src", ioc(1, props{"confidence": 10, "indicator_types": []string{"benign"}}), ioc(2, props{"confidence": 90, "pattern": "[url:value = 'http://k.example/']", "labels": []string{"apt"}}),
		ioc(3, props{"revoked": true}), ioc(4, props{"valid_until": stamp(day)}))
	w.uploaded("other", ioc(5, nil))
	for i, c := range []struct {
		body props
		want string
	}{
		{props{}, "1245"}, {props{"includeDisabled": true}, "12345"}, {props{"sources": []string{"src"}}, "124"}, {props{"minConfidence": 11}, "2"},
		{props{"maxConfidence": 11}, "1"}, {props{"patternTypes": []string{"url"}}, "2"}, {props{"threatTypes": []string{"benign"}}, "1"},
		{props{"ids": []string{stixID(5)}}, "5"}, {props{"keywords": []string{"APT"}}, "2"}, {props{"maxValidUntil": stamp(2 * day)}, "4"},
		{props{"minValidUntil": stamp(2 * day)}, "125"},
	} {
		got := ""
		for _, v := range w.value("POST", socARM+"main/queryIndicators"+armV, c.body) {
			got += v["properties"].(map[string]any)["externalId"].(string)[18:19]
		}
		if sortedText(got) != c.want {
			t.Errorf("%d %v: %q, want %q", i, c.body, got, c.want)
		}
	}
	for _, body := range []any{"{", props{"maxValidUntil": "soon"}, props{"sortBy": []props{{"itemKey": "nonsense", "sortOrder": "ascending"}}}, props{"sortBy": []props{{"itemKey": "name", "sortOrder": "up"}}}} {
		if r := w.azure("a", "POST", socARM+"main/queryIndicators"+armV, body); r.status != 400 {
			t.Errorf("%v: %d %s", body, r.status, r.body)
		}
	}
}
