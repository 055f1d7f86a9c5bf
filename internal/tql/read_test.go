package tql

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
)

func readIDs(input string) (ids []string, err error) {
	err = ReadObjects(iotest.OneByteReader(strings.NewReader(input)), func(raw []byte, o *Object) error {
		id, _ := o.Text("id")
		if id == "stop" {
			return errStop
		}
		if !strings.Contains(input, string(raw)) {
			return errors.New("not as it came: " + string(raw))
		}
		ids = append(ids, id)
		return nil
	})
	return ids, err
}

var errStop = errors.New("enough")

func TestReadObjects(t *testing.T) {
	for name, c := range map[string]struct {
		input, want string
	}{
		"lines":             {"{\"id\":1}\n\n{\"id\": 2, \"rating\": 3.00}\r\n{\"id\":3}", "1 2 3"},
		"nothing":           {" \n", ""},
		"array":             {`[{"id":1}, {"id":2}]`, "1 2"},
		"page":              {`{"next":"https://x","data":[{"id":1},{"id":2}],"count":2,"status":"Success"}`, "1 2"},
		"pages":             {"{\n \"data\" : [{\"id\":1}]}\n{\"status\":\"Success\",\"data\":[{\"id\":2}]}", "1 2"},
		"one":               {`{"data":{"id":7},"status":"Success"}`, "7"},
		"byte order mark":   {"\xef\xbb\xbf{\"id\":1}", "1"},
		"an empty page":     {`{"data":[],"status":"Success"}`, ""},
		"pretty":            {"{\n  \"id\": 1,\n  \"tags\": {\n    \"data\": []\n  }\n}\n{\n  \"id\": 2\n}\n", "1 2"},
		"a name twice":      {`{"id":1,"id":2}`, "2"},
		"broken characters": {"{\"id\":1,\"summary\":\"\xff\"}", "1"},
	} {
		ids, err := readIDs(c.input)
		if got := strings.Join(ids, " "); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

func TestReadObjects_SaysWhere(t *testing.T) {
	for input, line := range map[string]int{
		"{\"id\":1}\n{\"id\":,}\n": 2, "{\"id\":1}\n{\"id\":2": 2, "{\"id\":1}\n\n5\n": 3, "[{\"id\":1},\n\n {]": 3,
		"{\"data\":[\n{\"id\":1}\n": 2, "[1]": 1, "hello": 1, "{\"data\":5}\n{\"data\":[3]}": 2,
		`{"message":"Invalid TQL","status":"Error"}`: 1,
	} {
		_, err := readIDs(input)
		var at *InputError
		if !errors.As(err, &at) || at.Line < line || at.Line > line+1 {
			t.Errorf("%q: %v, want an error in line %d", input, err, line)
		}
	}
	if _, err := readIDs("{\"id\":1}\n{\"id\":\"stop\"}\n{"); !errors.Is(err, errStop) || err.Error() != "enough" {
		t.Errorf("the caller's error comes back as %v", err)
	}
}

func FuzzReadObjects(f *testing.F) {
	for _, s := range []string{"{\"id\":1}\n{}", `[{"tags":{"data":[{"name":"a"}]}}]`, `{"data":[{"id":1}],"status":"Success"}`, `{"tags":["x",1,null]}`} {
		f.Add(s)
	}
	query, err := Compile(`tag = "a" or hasTag(id = 1) or rating > 2 or tlp = "red" or kind = "ip" or not attributeX > 2`, Options{Schema: V3Indicators})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, input string) {
		_ = ReadObjects(strings.NewReader(input), func(raw []byte, o *Object) error {
			again, err := DecodeObject(raw)
			if err != nil {
				t.Fatalf("%s: %v", raw, err)
			}
			env := &Env{Now: now}
			if a, b := query.MatchAny(o, env), query.MatchAny(again, env); a != b {
				t.Fatalf("%s is %v and %v", raw, a, b)
			}
			return nil
		})
	})
}
