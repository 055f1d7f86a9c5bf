package threatconnect

import (
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/threatconnect"
)

func object(t *testing.T, text string) *threatconnect.Indicator {
	t.Helper()
	var i threatconnect.Indicator
	if err := json.Unmarshal([]byte(text), &i); err != nil {
		t.Fatal(err)
	}
	return &i
}

// TestValues: what each type stands for, and what cannot be carried.
func TestValues(t *testing.T) {
	t.Parallel()
	sha := "e8d95a51f3af4a3b134bf6bb680a193ef8e92fa1ba9b3f0c8c8ba1ef6ec6ab6a"
	for text, want := range map[string]string{
		`{"type":"Address","ip":"203.0.113.7"}`:                                           "ipv4 203.0.113.7",
		`{"type":"Address","ip":"2001:DB8:0:0:0:0:0:1"}`:                                  "ipv6 2001:db8::1",
		`{"type":"CIDR","Block":"abc:def:10:0:0:0:0:0/48"}`:                               "ipv6 abc:def:10::/48",
		`{"type":"EmailAddress","address":"A@Bad.Example"}`:                               "email A@bad.example",
		`{"type":"Host","hostName":"Bad.Example"}`:                                        "domain bad.example",
		`{"type":"URL","text":"http://bad.example/A?b=%2B"}`:                              "url http://bad.example/A?b=%2B",
		`{"type":"File","md5":"D41D8CD98F00B204E9800998ECF8427E"}`:                        "md5 d41d8cd98f00b204e9800998ecf8427e",
		`{"type":"File","md5":"D41D8CD98F00B204E9800998ECF8427E","sha256":"` + sha + `"}`: "sha256 " + sha,
		`{"type":"File","summary":"D41D8CD98F00B204E9800998ECF8427E : ` + sha + `"}`:      "sha256 " + sha,
		`{"type":"ASN","AS Number":"ASN12345"}`:                                           "asn AS12345",
		`{"type":"Email Subject","Subject":"You won"}`:                                    "email_subject You won",
		`{"type":"User Agent","User Agent String":"Mozilla/1"}`:                           "user_agent Mozilla/1",
		`{"type":"Mutex","Mutex":"Global\\x"}`:                                            `mutex Global\x`,
		`{"type":"Hashtag","summary":"#x"}`:                                               "refused unknown_kind",
		`{"type":"Address","ip":"203.0.113.07"}`:                                          "refused octal",
	} {
		ind, refusal := indicatorOf(object(t, text))
		got := ind.Kind.String() + " " + ind.Value
		if refusal != nil {
			got = "refused " + string(refusal.Reason)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}

// TestAttributes is the File of the reference's first worked example.
func TestAttributes(t *testing.T) {
	t.Parallel()
	got := attributesOf(object(t, `{"id":88,"ownerId":5,"ownerName":"ACME","type":"File","md5":"D41D8CD98F00B204E9800998ECF8427E",
		"sha256":"E8D95A51F3AF4A3B134BF6BB680A193EF8E92FA1BA9B3F0C8C8BA1EF6EC6AB6A","rating":3.50,"confidence":74,"falsePositives":2,
		"dateAdded":"2025-12-01T00:00:00Z","webLink":"https://tc.example/#/details/indicators/88/overview",
		"tags":{"data":[{"name":"Ransomware"}]},"securityLabels":{"data":[{"name":"TLP:GREEN"},{"name":"TLP:AMBER"},{"name":"Internal"}]},
		"attributes":{"data":[{"type":"Phase of Intrusion","value":"Actions on Objectives"},{"type":"Phase of Intrusion","value":"Installation"},{"type":"Last Seen","value":"2026-01-05"}]}}`))
	want := &indicator.Attributes{
		Confidence: indicator.Known(74), Severity: indicator.Known(4), TLP: indicator.Amber, Tags: []string{"Ransomware"},
		KillChain: []string{"Installation", "Actions"}, Owner: "ACME", ExternalID: "tc-5-88", FalsePositives: 2,
		References: []string{"https://tc.example/#/details/indicators/88/overview"},
		FirstSeen:  time.Date(2025, 12, 1, 0, 0, 0, 0, time.UTC), LastSeen: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC),
		Extra: map[string]any{"tc_id": int64(88), "tc_owner_id": int64(5), "tc_type": "File", "rating": 3.5,
			"md5": "d41d8cd98f00b204e9800998ecf8427e", "sha256": "e8d95a51f3af4a3b134bf6bb680a193ef8e92fa1ba9b3f0c8c8ba1ef6ec6ab6a"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	bare := attributesOf(object(t, `{"id":1,"ownerId":2,"type":"Address","ip":"2001:db8::1","tags":{},"securityLabels":{"data":[{"name":"Internal"}]}}`))
	if _, known := bare.Confidence.Get(); known || bare.TLP != indicator.Unlabelled {
		t.Errorf("what was never said is known: %+v", bare)
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]indicator.TLP{
		"TLP:RED": indicator.Red, "tlp-red": indicator.Red, "TLP Amber": indicator.Amber, "TLP:AMBER+STRICT": indicator.AmberStrict,
		"white": indicator.Clear, "TLP:CLEAR": indicator.Clear, "Internal": indicator.Unlabelled, "Redacted": indicator.Unlabelled,
	} {
		if got := labelled([]threatconnect.Label{{Name: name}}); got != want {
			t.Errorf("%q is %s, want %s", name, got, want)
		}
	}
}

// TestNetworkProtocolAnalysis: the forms people write; prose says nothing.
func TestNetworkProtocolAnalysis(t *testing.T) {
	t.Parallel()
	type answer struct {
		Protocol string
		Port     uint16
		OK       bool
	}
	for text, want := range map[string]answer{
		"tcp/443": {"tcp", 443, true}, "443/tcp": {"tcp", 443, true}, "TCP 443": {"tcp", 443, true}, "Port: 443, Protocol: TCP": {"tcp", 443, true},
		"port=443": {"", 443, true}, "8080": {"", 8080, true}, "udp": {"udp", 0, true}, "https": {"tcp", 443, true}, "DNS": {},
		"beacons over HTTPS to a CDN": {}, "tcp/70000": {}, "99999": {}, "": {}, "foo/443": {},
	} {
		p, port, ok := readProtocol(text)
		if diff := cmp.Diff(want, answer{p, port, ok}); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
	}
}

func TestLastSeenIsRead(t *testing.T) {
	t.Parallel()
	day := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-01-05": day, "01/05/2026": day, "Jan 5, 2026": day, "1767571200": day, "1767571200000": day, "soon": {}, "13/45/2026": {}, "12": {},
	} {
		if got, ok := readTime(text); ok != !want.IsZero() || ok && !got.Equal(want) {
			t.Errorf("%q: %v %v", text, got, ok)
		}
	}
}

// TestFilters: the clauses of the reference's fetch side; 0 and blank ask for nothing,
// but no false positives at all can be asked for; a query takes the filters' place.
func TestFilters(t *testing.T) {
	t.Parallel()
	none := 0
	for _, test := range []struct {
		c    Config
		want string
	}{
		{Config{}, ""},
		{Config{Owners: []string{"ACME"}}, `ownerName IN ("ACME")`},
		{Config{Types: []string{"MD5", "SHA256", "Email Address"}}, `typeName IN ("File", "EmailAddress")`},
		{Config{Owners: []string{`A "B"`}, Tags: []string{"rat", "c2"}, MinThreat: 500, MinConfidence: 50, MinRating: 2.5, FalsePositives: &none},
			`(ownerName IN ("A \"B\"")) AND (hasTag(summary IN ("rat", "c2"))) AND (threatAssessScore >= 500) AND (confidence >= 50) AND (rating >= 2.5) AND (falsePositiveCount <= 0)`},
		{Config{Owners: []string{"ACME"}, TQL: `typeName = "Host" or tag = "x"`}, `typeName = "Host" or tag = "x"`},
	} {
		if got := test.c.wanted(); got != test.want {
			t.Errorf("%s\nwant %s", got, test.want)
		}
		test.c.Page, test.c.Full = 1, time.Hour
		if errs := test.c.Validate(); len(errs) > 0 {
			t.Error(errs)
		}
	}
	c := Config{Owners: []string{"ACME"}, TQL: `tag = "x"`}
	if got := c.ignored(); len(got) != 1 || got[0] != "owners" {
		t.Errorf("ignored: %v", got)
	}
}

func FuzzReadProtocol(f *testing.F) {
	f.Add("Port: 443, Protocol: TCP")
	f.Fuzz(func(_ *testing.T, text string) {
		readProtocol(text)
		readTime(text)
		keysOf("File", text)
	})
}
