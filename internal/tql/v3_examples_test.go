package tql

import (
	"errors"
	"strings"
	"testing"
)

// v3Examples are what the conformance queries of the reference find in
// testdata/v3.ndjson, by number: ids, or after "!" what the error names. The numbers
// whose query is of another table of ThreatConnect (tags, cases, jobs …) name a
// parameter that indicators do not have.
var v3Examples = map[string]string{
	"1": "1 2 3 12", "2": "1", "3": "1", "4": "", "5": `!"caseOpenTime"`, "6": "5", "7": `!"techniqueId"`,
	"8": `!"techniqueId"`, "9": `!"techniqueId"`, "10": "", "11": "1 4", "12": "1 4", "13": `!"associable"`,
	"14": `!"completedTime"`, "15": `!"jobId"`, "16": `!"playbookXid"`, "17": `!"name"`, "18": `!"normalized"`,
	"19": `!"hasCommonGroup"`, "20": `!"hasCommonGroup"`, "21": `!"hasThreatActorProfile"`, "22": `!"associatedType"`,
	"23": `!"intelReqId"`, "24": "", "25": "2 3 12", "26": "", "27": "1 2 3 4 5 6 7 8 10 11 12",
	"28": "1 2 3 6 7 8 10 11", "29": "4 5", "30": "3 4", "31": "6 7", "32": "3 6", "33": "", "34": "", "35": "4",
	"36": "", "37": "", "38": "", "39": "4 5 6", "40": "", "40 without CAL": "", "41": "1",
	"42": "1 2 3 4 5 6 7 8 10 11", "43": "!operator", "44": "", "45": "4", "46": "6", "47": "1", "48": `!"status"`,
	"49": "", "50": "", "51": "", "52": "", "53": "", "54": "", "55": "1", "56": "6", "57": "6", "58": "1", "59": "6",
	"60": "4", "61": "1 2 3 6 7 8 10 11 12", "62": `!"active"`, "63": "", "64": "", "65": "", "66": "1 3 4",
	"67": "2 6 7 10 12", "68": "4", "69": "4", "70": "", "71": "1 2 3 4 6 7 8 10 11 12", "72": "4",
	"73a": "!value is missing", "73b": "!operator is missing", "73c": "!parameter name", "73d": "!without a condition",
	"73e": "!empty list", "74": "3", "75": "1", "76": "1 2 4 5 6 7 8 10 11 12", "77": "1 4",
}

func TestV3_ExamplesOfTheReference(t *testing.T) {
	objects := v3Objects(t)
	for _, e := range examples {
		want, ok := v3Examples[e.id]
		if !ok {
			t.Errorf("example %s has no answer", e.id)
		}
		f, err := Compile(e.query, Options{Schema: V3Indicators})
		if named, wrong := strings.CutPrefix(want, "!"); wrong {
			var te *Error
			if !errors.As(err, &te) || !strings.Contains(te.Msg, named) {
				t.Errorf("%s %s: error %v, want one that names %s", e.id, e.query, err, named)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s %s: %v", e.id, e.query, err)
			continue
		}
		if got := v3Matches(f, objects); got != want {
			t.Errorf("%s %s\n got %s\nwant %s", e.id, e.query, got, want)
		}
	}
	if len(v3Examples) != len(examples) {
		t.Errorf("%d answers for %d examples", len(v3Examples), len(examples))
	}
}
