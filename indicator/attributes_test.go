package indicator

import (
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestAttributesCodecRoundTrip(t *testing.T) {
	check(t, func(t *rapid.T) {
		a := genAttributes(t)
		a.Backing = rapid.SampledFrom([]map[string]Score{nil, {"owner": 0}, {"owner": Known(3), "n": Known(0)}}).Draw(t, "backing")
		data := a.AppendBinary(nil)
		var back Attributes
		if err := back.UnmarshalBinary(data); err != nil || !back.Equal(a) {
			t.Fatalf("%+v came back as %+v, %v", a, back, err)
		}
		shuffled := a.Clone()
		slices.Reverse(shuffled.Tags)
		if string(shuffled.AppendBinary(nil)) != string(data) {
			t.Fatal("the order of tags is in the bytes")
		}
		for cut := 1; cut < len(data); cut++ {
			if err := back.UnmarshalBinary(data[:cut]); !errors.Is(err, ErrCodec) {
				t.Fatalf("%d of %d bytes decode: %v", cut, len(data), err)
			}
		}
	})
}

func TestAttributesJSONRoundTrip(t *testing.T) {
	check(t, func(t *rapid.T) {
		a := genAttributes(t)
		text, err := json.Marshal(a)
		if err != nil {
			t.Fatal(err)
		}
		var back Attributes
		if err := json.Unmarshal(text, &back); err != nil || !back.Equal(a) {
			t.Fatalf("%s came back as %+v, %v; want %+v", text, back, err, a)
		}
	})
}

func TestAttributesJSONForm(t *testing.T) {
	a := Attributes{
		Confidence: Known(0), TLP: AmberStrict, Tags: []string{"b", "a"}, Port: 443,
		FirstSeen: time.Date(2026, 1, 2, 3, 4, 5, 6e6, time.FixedZone("x", 3600)), Extra: map[string]any{"lists": int64(3)},
	}
	const want = `{"confidence":0,"tlp":"amber+strict","port":443,"tags":["a","b"],"first_seen":"2026-01-02T02:04:05.006Z","extra":{"lists":3}}`
	if got, err := json.Marshal(&a); err != nil || string(got) != want {
		t.Errorf("got %s, %v\nwant %s", got, err, want)
	}
}

func TestEmptyAttributesTakeNoBytes(t *testing.T) {
	var a, b Attributes
	if n := len(a.AppendBinary(nil)); n != 0 {
		t.Errorf("empty attributes take %d bytes", n)
	}
	if err := b.UnmarshalBinary(nil); err != nil || !b.Equal(nil) {
		t.Error("no bytes are not no attributes")
	}
}

func TestSet(t *testing.T) {
	day := time.Date(2026, 3, 4, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name      string
		in, want  any
		wantError bool
	}{
		{"confidence", "75", int64(75), false}, {"confidence", 74.5, int64(75), false}, {"confidence", 101, int64(100), true},
		{"confidence", -1, int64(0), true}, {"confidence", json.Number("12"), int64(12), false}, {"confidence", "80%", int64(80), false},
		{"severity", 6.0, int64(5), true}, {"severity", "x", nil, true}, {"severity", math.NaN(), nil, true}, {"confidence", math.Inf(1), int64(100), true},
		{"tlp", "TLP:WHITE", "clear", false}, {"tlp", Red, "red", false}, {"tlp", "mauve", nil, true}, {"tlp", 3, nil, true},
		{"port", 70000, int64(65535), true}, {"port", "443", int64(443), false},
		{"tags", "one", []string{"one"}, false}, {"tags", []any{"b", "a", "b", 3.0}, []string{"3", "a", "b"}, false},
		{"tags", map[string]any{}, nil, true}, {"description", 5, "5", false}, {"owner", []any{1}, nil, true},
		{"first_seen", "2026-03-04", day, false}, {"first_seen", "2026-03-04T01:00:00+01:00", day, false},
		{"last_seen", day.Unix(), day, false}, {"last_seen", float64(day.UnixMilli()), day, false}, {"valid_until", "soon", nil, true},
		{"valid_until", int64(math.MaxInt64), nil, true},
		{"first_seen", "20260304", day, false}, {"first_seen", 20260304, day, false}, {"first_seen", 20260304.0, day, false},
		{"first_seen", "20161399", nil, true}, {"first_seen", "12345678", nil, true}, {"first_seen", "99991231", nil, true},
		{"lists", 3.0, int64(3), false}, {"ratio", 0.5, 0.5, false}, {"flags", []any{"x", "y"}, []string{"x", "y"}, false},
		{"bad", math.Inf(-1), nil, true}, {"bad", struct{}{}, nil, true}, {"false_positives", "7", int64(7), false},
	} {
		var a Attributes
		err := a.Set(c.name, c.in)
		got, known := a.Get(c.name)
		if (err != nil) != c.wantError || known != (c.want != nil) {
			t.Errorf("Set(%s, %v): %v, known %v", c.name, c.in, err, known)
		}
		if known && !equalValue(got, c.want) {
			t.Errorf("Set(%s, %v) gives %#v, want %#v", c.name, c.in, got, c.want)
		}
		if err := a.Set(c.name, nil); err != nil || a.present() != 0 {
			t.Errorf("Set(%s, nil) leaves %+v, %v", c.name, a, err)
		}
	}
}

func equalValue(a, b any) bool {
	if list, ok := a.([]string); ok {
		other, ok := b.([]string)
		return ok && slices.Equal(list, other)
	}
	if at, ok := a.(time.Time); ok {
		other, ok := b.(time.Time)
		return ok && at.Equal(other)
	}
	return a == b
}

func TestE5_LastSeenIsOutsideTheContentHash(t *testing.T) {
	check(t, func(t *rapid.T) {
		a := genAttributes(t)
		b := a.Clone()
		b.LastSeen = genTime.Draw(t, "other last seen")
		if a.ContentHash() != b.ContentHash() {
			t.Fatal("last seen is in the hash")
		}
		b.FalsePositives++
		if a.ContentHash() == b.ContentHash() {
			t.Fatal("false positives are not in the hash")
		}
	})
}

func TestCloneSharesNothing(t *testing.T) {
	a := Attributes{Tags: []string{"a"}, Extra: map[string]any{"l": []string{"x"}}, Backing: map[string]Score{"owner": 1}}
	b := a.Clone()
	b.Tags[0], b.Extra["l"].([]string)[0], b.Extra["m"], b.Backing["owner"] = "z", "z", true, 9
	if a.Tags[0] != "a" || a.Extra["l"].([]string)[0] != "x" || len(a.Extra) != 1 || a.Backing["owner"] != 1 {
		t.Errorf("the clone writes into %+v", a)
	}
}

func FuzzAttributes(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0})
	f.Add((&Attributes{Confidence: Known(3), Tags: []string{"a"}, Extra: map[string]any{"x": 1.5}}).AppendBinary(nil))
	f.Add([]byte{1, 0x80, 0x04, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, data []byte) {
		var a Attributes
		if a.UnmarshalBinary(data) != nil {
			return
		}
		var b Attributes
		if err := b.UnmarshalBinary(a.AppendBinary(nil)); err != nil || !b.Equal(&a) {
			t.Fatalf("%+v came back as %+v, %v", a, b, err)
		}
		if _, err := json.Marshal(&a); err != nil {
			t.Fatal(err)
		}
		c := a.Clone()
		if !c.Equal(&a) {
			t.Fatal("a clone differs")
		}
	})
}
