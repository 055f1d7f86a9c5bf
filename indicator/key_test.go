package indicator

import (
	"bytes"
	"encoding/hex"
	"testing"

	"pgregory.net/rapid"
)

// The encoding is on disk: these bytes may never change.
func TestE9_KeyBytesAreFrozen(t *testing.T) {
	for _, c := range []struct {
		kind     Kind
		in, want string
	}{
		{IPv4, "1.2.3.4", "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04\x80"},
		{IPv4, "10.0.0.0/8", "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x0a\x00\x00\x00\x68"},
		{IPv4, "1.2.3.4-1.2.3.6", "\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x06"},
		{IPv6, "::/0", "\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"},
		{Domain, "www.example.com", "\x03com.example.www."},
		{URL, "https://u:p@www.example.com:8443/a?b#c", "\x04com.example.www./a?b#c\x00https:8443@u:p"},
		{URL, "http://example.com", "\x04com.example./\x00http"},
		{URL, "example.com/x", "\x04com.example./x\x00"},
		{URL, "http://1.2.3.4/x", "\x04\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04/x\x00http"},
		{URL, "http://[::ffff:1.2.3.4]/x", "\x04\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\x01\x02\x03\x04/x\x00[http"},
		{Email, "Me@example.com", "\x05com.example.@Me"},
		{MD5, "000102030405060708090a0b0c0d0e0f", "\x06\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"},
		{Mutex, "M", "\x11M"},
		{ASN, "AS1", "\x15AS1"},
	} {
		i, err := Parse(c.kind, c.in)
		if err != nil {
			t.Fatal(err)
		}
		if got := i.AppendKey(nil); string(got) != c.want {
			t.Errorf("key of %s is %q, want %q", c.in, got, c.want)
		}
		if back, err := FromKey([]byte(c.want)); err != nil || back != i {
			t.Errorf("FromKey of %s = %v, %v", c.in, back, err)
		}
	}
}

func TestE9_FromKeyUndoesAppendKey(t *testing.T) {
	check(t, func(t *rapid.T) {
		i := genIndicator(t)
		key := i.AppendKey([]byte("x"))[1:]
		if back, err := FromKey(key); err != nil || back != i {
			t.Fatalf("%v: key %q came back as %v, %v", i, key, back, err)
		}
		if KeyKind(key) != i.Kind {
			t.Fatalf("KeyKind of %v is %v", i, KeyKind(key))
		}
		fast, fault := AppendKey(nil, i.Kind, []byte(i.Value))
		if fault != nil || !bytes.Equal(fast, key) {
			t.Fatalf("%v: fast key %q, %v; want %q", i, fast, fault, key)
		}
	})
}

// What Covers says is found in the ranges of Covered, and a domain's ranges hold
// nothing else.
func TestE9_CoverIsAKeyRange(t *testing.T) {
	check(t, func(t *rapid.T) {
		outer := genIndicator(t)
		for range 20 {
			checkCovered(t, outer, genIndicator(t))
		}
	})
	for _, pair := range coverPairs {
		outer, inner := mustDetect(t, pair.outer), mustDetect(t, pair.inner)
		checkCovered(t, outer, inner)
	}
}

func checkCovered(t interface{ Fatalf(string, ...any) }, outer, inner Indicator) {
	key, in := inner.AppendKey(nil), false
	for _, r := range outer.Covered() {
		in = in || bytes.Compare(r.From, key) <= 0 && (r.To == nil || bytes.Compare(key, r.To) < 0)
	}
	covers := Covers(outer, inner)
	if covers && !in {
		t.Fatalf("%v covers %v, but its key is not in the ranges", outer, inner)
	}
	if in && !covers && !outer.Kind.In(IP) {
		t.Fatalf("%v does not cover %v, but its key is in the ranges", outer, inner)
	}
}

func mustDetect(t *testing.T, text string) Indicator {
	t.Helper()
	i, err := Parse(Unknown, text)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

var coverPairs = []struct {
	outer, inner string
	want         bool
}{
	{"example.com", "www.example.com", true}, {"example.com", "example.com", true}, {"www.example.com", "example.com", false},
	{"example.com", "badexample.com", false}, {"example.com", "http://example.comet.example/", false}, {"example.com", "example.com0.example", false}, {"example.com", "http://a.example.com:81/x", true},
	{"example.com", "http://badexample.com/", false}, {"example.com", "a@example.com", false},
	{"10.0.0.0/8", "10.1.0.0/16", true}, {"10.0.0.0/8", "10.1.2.3", true}, {"10.1.0.0/16", "10.0.0.0/8", false},
	{"10.0.0.0/8", "http://10.1.2.3/x", true}, {"10.0.0.0/8", "http://[::ffff:10.1.2.3]/x", true}, {"::/0", "10.1.2.3", false},
	{"10.0.0.1-10.0.0.6", "10.0.0.2/31", true}, {"10.0.0.1-10.0.0.6", "10.0.0.4/30", false}, {"10.0.0.0/8", "10.255.0.0-11.0.0.0", false},
	{"http://a.example/", "http://a.example/x", false}, {"http://a.example/", "http://a.example", true},
	{"0.0.0.0/0", "255.255.255.255", true}, {"::/0", "2001:db8::/32", true},
}

func TestCovers(t *testing.T) {
	for _, c := range coverPairs {
		if got := Covers(mustDetect(t, c.outer), mustDetect(t, c.inner)); got != c.want {
			t.Errorf("Covers(%s, %s) = %v", c.outer, c.inner, got)
		}
	}
}

func FuzzFromKey(f *testing.F) {
	for _, s := range []string{"", "\x03com.example.", "\x04com.example./a\x00http:80@u", "\x01", "\x05com.example.@a", "\x04\x01aaaaaaaaaaaaaaaa/\x00", "\x09abc"} {
		f.Add([]byte(s))
	}
	v4, _ := hex.DecodeString("0100000000000000000000ffff0a00000068")
	f.Add(v4)
	f.Fuzz(func(t *testing.T, key []byte) {
		i, err := FromKey(key)
		if err != nil {
			return
		}
		// Bytes that AppendKey never made may give a value that is not canonical;
		// the key of a canonical one is always its own.
		p, err := Parse(i.Kind, i.Value)
		if err != nil || p != i {
			return
		}
		if back, err := FromKey(i.AppendKey(nil)); err != nil || back != i {
			t.Fatalf("%v comes back from its key as %v, %v", i, back, err)
		}
	})
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.1.2.3/24", "1.2.3.4-1.2.3.9", "::ffff:1.2.3.4", "Bücher.example", "http://u:p@[::1]:80/x", "a@b.example",
		"d41d8cd98f00b204e9800998ecf8427e", "AS64500", "3:abc:def", "xn--a.example", "0x7f.1", "example.com:80/x"} {
		for _, k := range []Kind{Unknown, IP, Domain, URL, Email, Hash, Certificate} {
			f.Add(byte(k), s)
		}
	}
	f.Fuzz(func(t *testing.T, k byte, s string) {
		kind := Kind(k)
		i, err := Parse(kind, s)
		key, fault := AppendKey(nil, kind, []byte(s))
		if (err == nil) != (fault == nil) {
			t.Fatalf("Parse: %v, AppendKey: %v", err, fault)
		}
		if err != nil {
			return
		}
		if !bytes.Equal(key, i.AppendKey(nil)) {
			t.Fatalf("%v: keys %q and %q", i, key, i.AppendKey(nil))
		}
		if again, err := Parse(i.Kind, i.Value); err != nil || again != i {
			t.Fatalf("%v parses to %v, %v", i, again, err)
		}
		if back, err := FromKey(key); err != nil || back != i {
			t.Fatalf("%v comes back from its key as %v, %v", i, back, err)
		}
		// A path may hold by itself what is taken for defanging.
		if i.Kind > Email || Refang(i.Value) != i.Value {
			return
		}
		if got, err := Parse(i.Kind, Refang(Defang(i))); err != nil || got != i {
			t.Fatalf("%v defanged %q refangs to %q: %v, %v", i, Defang(i), Refang(Defang(i)), got, err)
		}
	})
}
