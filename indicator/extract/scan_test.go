package extract

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/remeld/remeld/indicator"
)

// scan returns the finds as "kind value" and "!reason text".
func scan(t *testing.T, text string, kinds ...indicator.Kind) []string {
	t.Helper()
	var out []string
	err := Scan(strings.NewReader(text), Options{Kinds: kinds}, func(m Match) error {
		if m.Refusal != nil {
			out = append(out, fmt.Sprintf("!%s %s", m.Refusal.Reason, m.Text))
		} else {
			out = append(out, m.Indicator.Kind.String()+" "+m.Indicator.Value)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestScan(t *testing.T) {
	const sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, c := range []struct {
		name, text string
		want       []string
	}{
		{"prose", "It called evil.example.com, then 198.51.100.7. Later (see http://a.example.org/x) it slept.",
			[]string{"domain evil.example.com", "ipv4 198.51.100.7", "url http://a.example.org/x"}},
		{"defanged", "hxxps://evil[.]example[.]com/a and 1.2.3[.]4, evil(dot)example{.}net; bad[at]example[.]org hxxp[:]//x[.]example[.]com/y",
			[]string{"url https://evil.example.com/a", "ipv4 1.2.3.4", "domain evil.example.net", "email bad@example.org", "url http://x.example.com/y"}},
		{"defanged in brackets", "[1.2.3[.]4] (evil[.]sh) [hxxp://a[.]com/b]", []string{"ipv4 1.2.3.4", "domain evil.sh", "url http://a.com/b"}},
		{"csv", "1,evil.com,\"http://b.com/x,y;z\",md5,D41D8CD98F00B204E9800998ECF8427E\n",
			[]string{"domain evil.com", "url http://b.com/x,y;z", "md5 d41d8cd98f00b204e9800998ecf8427e"}},
		{"quoted list", `"1.1.1.1,2.2.2.2"`, []string{"ipv4 1.1.1.1", "ipv4 2.2.2.2"}},
		{"json", `{"u":"http:\/\/a.com\/x?a=1\u0026b=2","d":"line\nevil.com\tx.org","h":"` + sha256 + `"}`,
			[]string{"url http://a.com/x?a=1&b=2", "domain evil.com", "domain x.org", "sha256 " + sha256}},
		{"key=value", "src=10.0.0.1 dst=10.0.0.2:443 url=http://a.com/?b=c ip:1.2.3.4 mailto:x@y.com",
			[]string{"ipv4 10.0.0.1", "ipv4 10.0.0.2", "url http://a.com/?b=c", "ipv4 1.2.3.4", "email x@y.com"}},
		{"networks", "10.0.0.0/8 10.0.0.1-10.0.0.9 2001:db8::/32 2001:db8::1 [2001:db8::2]:80",
			[]string{"ipv4 10.0.0.0/8", "ipv4 10.0.0.1-10.0.0.9", "ipv6 2001:db8::/32", "ipv6 2001:db8::1", "ipv6 2001:db8::2"}},
		{"markdown and html", "[see](https://a.com/x_(y)) <a href=\"http://b.com/\">c.com</a> **d.com** `e.com`",
			[]string{"url https://a.com/x_(y)", "url http://b.com/", "domain c.com", "domain d.com", "domain e.com"}},
		{"typography", "“a.com”—b.com… ‘c.com’ «d.com»", []string{"domain a.com", "domain b.com", "domain c.com", "domain d.com"}},
		{"url without scheme", "a.com/x/y.php and b.org:8080/z, c.com:443", []string{"url a.com/x/y.php", "url b.org:8080/z", "domain c.com"}},
		{"idn", "bücher.com xn--bcher-kva.com", []string{"domain xn--bcher-kva.com", "domain xn--bcher-kva.com"}},
		{"certificate", "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD", []string{"certificate aabbccddeeff00112233445566778899aabbccdd"}},
		{"hash in a name", "VirusShare_d41d8cd98f00b204e9800998ecf8427e.exe " + sha256 + ".bin", []string{"md5 d41d8cd98f00b204e9800998ecf8427e", "sha256 " + sha256}},
		{"url with userinfo", "ftp://u:p@a.com:2121/x", []string{"url ftp://u:p@a.com:2121/x"}},
		{"no indicators", "invoice.pdf readme.md index.php run.sh e.g. i.e. 12:30:45 1.2.3 24/7 and/or a::b std::string N/A v1.2 node.js " +
			"00:11:22:33:44:55 2026-01-02 TCP/UDP /usr/lib/x.so C:\\Windows\\evil.dll co.uk com localhost 3.14 ...", nil},
		{"refused", "256.1.1.1 010.1.1.1 10.0.0.0/33 10.0.0.9-10.0.0.1 http://0x7f.1/ xn--a.com http://a.com:99999/ fe80::1%eth0",
			[]string{"!octet_range 256.1.1.1", "!octal 010.1.1.1", "!bad_prefix 10.0.0.0/33", "!reversed_range 10.0.0.9-10.0.0.1",
				"!hex http://0x7f.1/", "!bad_idn xn--a.com", "!bad_port http://a.com:99999/", "!zone fe80::1%eth0"}},
		{"bad bytes", "\xff\xfe1.2.3.4\x00evil.com\xe2", []string{"ipv4 1.2.3.4", "domain evil.com"}},
		{"byte order mark", "\ufeffevil.com", []string{"domain evil.com"}},
		{"windows line ends", "a.com\r\nb.com\r\n", []string{"domain a.com", "domain b.com"}},
		{"file endings with a path", "http://evil.sh/x evil.sh/x", []string{"url http://evil.sh/x", "url evil.sh/x"}},
		{"html entities", "<a href=&quot;http://a.com/?a=1&amp;b=2&quot;>b&#46;com &lt;http://c.com/&gt; d&#x2e;com&nbsp;x http://e.com/?a&b;c AT&T &#; &;",
			[]string{"url http://a.com/?a=1&b=2", "domain b.com", "url http://c.com/", "domain d.com", "url http://e.com/?a&b"}},
		{"characters without width", "ev\u200bil.example.com a\u00ad.b\u2060ad.com \u200fc.com\ufeff d.com\u00a0x",
			[]string{"domain evil.example.com", "domain a.bad.com", "domain c.com", "domain d.com"}},
		{"full stops of other scripts", "a．example．com b。example。com c․com d｡com 看 e.com。然后 f.com．", []string{
			"domain a.example.com", "domain b.example.com", "domain c.com", "domain d.com", "domain e.com", "domain f.com"}},
		{"names outside the public suffix list", "http://bad.example/q bad[.]internal c2.evil.test x7.onion bob@evil.example http://localhost/x invoice.pdf foo.internal", []string{
			"url http://bad.example/q", "domain bad.internal", "domain c2.evil.test", "domain x7.onion", "email bob@evil.example"}},
		{"full-width letters", "ＥＶＩＬ．com ＥＶＩＬ29．example x．ｃom", []string{"domain evil.com", "domain evil29.example", "domain x.com"}},
		{"netmask", "192.0.2.28/255.255.255.240", []string{"!bad_prefix 192.0.2.28/255.255.255.240"}},
		{"dots in words", "evil-dot-example-dot-com bob-at-example-dot-org x-dot-y.appspot.com hot-dot-matrix", []string{
			"domain evil.example.com", "email bob@example.org", "domain x-dot-y.appspot.com"}},
		{"underscores", "_dmarc.example.com _http://a.com/b_ _c.com_, __d.com__ **_e.com_**", []string{
			"domain _dmarc.example.com", "url http://a.com/b", "domain c.com", "domain d.com", "domain e.com"}},
		{"json escapes of dots", `{"v":"evil\u002eexample\u002ecom","u":"http:\/\/a\u002Ecom\/x\u003f"}`, []string{"domain evil.example.com", "url http://a.com/x"}},
		{"ssdeep and AS numbers", "96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:sF1LjEtHHlZDrJzrhuyZvHYm8tKp/RWO,x AS64500 (AS13335) AS400 ASAP 97:abcdefgh:ijkl 12:34:56",
			[]string{"ssdeep 96:s4Ud1Lj96tHHlZDrwciQmA+4uy1I0G4HYuL8N3TzS8QsO/wqWXLcMSx:sF1LjEtHHlZDrJzrhuyZvHYm8tKp/RWO", "asn AS64500", "asn AS13335"}},
		{"hashes and identifiers", "md5(d41d8cd98f00b204e9800998ecf8427e) sha1:DA39A3EE5E6B4B0D3255BFEF95601890AFD80709; {550e8400-e29b-41d4-a716-446655440000} d41d8cd98f00b204e9800998ecf8427 00-11-22-33-44-55 HKLM\\Software\\x",
			[]string{"md5 d41d8cd98f00b204e9800998ecf8427e", "sha1 da39a3ee5e6b4b0d3255bfef95601890afd80709"}},
		{"e-mail", "mailto:a+b@example.com?subject=x <c@example.org>, d@localhost e@example hxxp://f@g.com/", []string{
			"email a+b@example.com", "email c@example.org", "url http://f@g.com/"}},
		{"repeats", "a.com a.com", []string{"domain a.com", "domain a.com"}},
	} {
		if diff := cmp.Diff(c.want, scan(t, c.text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestScanKinds(t *testing.T) {
	got := scan(t, "a.com 1.2.3.4 2001:db8::1 http://b.com/ 256.1.1.1", indicator.IP)
	if diff := cmp.Diff([]string{"ipv4 1.2.3.4", "ipv6 2001:db8::1", "!octet_range 256.1.1.1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestPositions(t *testing.T) {
	const text = "x\n  (evil[.]com) url=hxxp://a[.]com/b,\n\té 1.2.3.4:80\n\"x,b.com\""
	var got []string
	err := Scan(strings.NewReader(text), Options{}, func(m Match) error {
		got = append(got, fmt.Sprintf("%d:%d %s", m.Line, m.Col, m.Text))
		return nil
	})
	want := []string{"2:4 evil[.]com", "2:20 hxxp://a[.]com/b", "3:5 1.2.3.4:80", "4:4 b.com"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestYieldEndsTheScan(t *testing.T) {
	stop, n := errors.New("stop"), 0
	err := Scan(strings.NewReader("a.com b.com"), Options{}, func(Match) error { n++; return stop })
	if !errors.Is(err, stop) || n != 1 {
		t.Errorf("got %v after %d", err, n)
	}
}

func TestReadErrorIsReported(t *testing.T) {
	broken := errors.New("cut off")
	err := Scan(io.MultiReader(strings.NewReader("a.com b.c"), brokenReader{broken}), Options{}, func(Match) error { return nil })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// repeat is n bytes of a pattern without a line end.
type repeat struct {
	pattern string
	left    int
}

func (r *repeat) Read(p []byte) (int, error) {
	if r.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && r.left > 0 {
		p[n] = r.pattern[r.left%len(r.pattern)]
		n, r.left = n+1, r.left-1
	}
	return n, nil
}

// Lines of junk cost neither memory nor more than linear time.
func TestEndlessLines(t *testing.T) {
	for _, pattern := range []string{"a", "a.", "(", ")", "[.]", "=", ":", "a:/", "http://", "[", "%", "@", "a@", "xn--", "\\", "é", "\x00", "a,", "://", "_", "_a", "&", "&#", "-dot-", "&amp;", "\u200b", "a\uff0e", "_*", "1.", "[[.]]", "()"} {
		err := Scan(&repeat{pattern, 1 << 20}, Options{}, func(Match) error { return nil })
		if err != nil {
			t.Errorf("%q: %v", pattern, err)
		}
	}
}

func TestOverlongURLIsRefused(t *testing.T) {
	got := scan(t, "hxxp://a[.]com/"+strings.Repeat("x", maxToken)+" b.com")
	if len(got) != 2 || !strings.HasPrefix(got[0], "!too_long ") || got[1] != "domain b.com" {
		t.Errorf("got %.200q", got)
	}
}

func FuzzScan(f *testing.F) {
	for _, s := range []string{"hxxp://a[.]com/x", "1.2.3.4-1.2.3.9", `{"a":"b\/c\u0026"}`, "(a.com)", "[::1]:80", "\xe2\x80\x9ca.com", "x@y.com", "a=b:c/d"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lines := strings.Count(string(data), "\n") + 1
		err := Scan(strings.NewReader(string(data)), Options{}, func(m Match) error {
			if m.Line < 1 || m.Line > lines || m.Col < 1 || m.Col > len(data)+1 {
				t.Fatalf("a find at %d:%d", m.Line, m.Col)
			}
			if m.Refusal == nil {
				if again, err := indicator.Parse(m.Indicator.Kind, m.Indicator.Value); err != nil || again != m.Indicator {
					t.Fatalf("%v is not canonical: %v, %v", m.Indicator, again, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkScan(b *testing.B) {
	text := strings.Repeat("The sample d41d8cd98f00b204e9800998ecf8427e talked to evil[.]example[.]com and hxxp://198.51.100.7/gate.php, we believe.\n", 1000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Scan(strings.NewReader(text), Options{}, func(Match) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkScanJunk(b *testing.B) {
	b.SetBytes(1 << 20)
	for b.Loop() {
		if err := Scan(&repeat{"a.b", 1 << 20}, Options{}, func(Match) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
