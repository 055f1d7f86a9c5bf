package indicator

import (
	"errors"
	"strings"
	"testing"
)

func TestParseCanonicalForms(t *testing.T) {
	long := strings.Repeat("a", 63)
	for _, c := range []struct {
		kind     Kind
		in, want string
		is       Kind
	}{
		{IPv4, " 10.1.2.3 ", "10.1.2.3", IPv4},
		{IPv4, "10.1.2.3/24", "10.1.2.0/24", IPv4},
		{IPv4, "10.1.2.3/32", "10.1.2.3", IPv4},
		{IP, "0.0.0.0/0", "0.0.0.0/0", IPv4},
		{IPv4, "10.0.0.0-10.0.0.255", "10.0.0.0/24", IPv4},
		{IPv4, "10.0.0.1 - 10.0.0.9", "10.0.0.1-10.0.0.9", IPv4},
		{IPv4, "10.0.0.1-10.0.0.1", "10.0.0.1", IPv4},
		{IPv6, "2001:DB8:0:0:1:0:0:1", "2001:db8::1:0:0:1", IPv6},
		{IPv6, "2001:db8::1/128", "2001:db8::1", IPv6},
		{IPv6, "2001:db8::1/32", "2001:db8::/32", IPv6},
		{IP, "::ffff:1.2.3.4", "1.2.3.4", IPv4},
		{IP, "::ffff:1.2.3.4/120", "1.2.3.0/24", IPv4},
		{IP, "::ffff:102:304", "1.2.3.4", IPv4},
		{Unknown, "2001:db8::-2001:db8::ffff", "2001:db8::/112", IPv6},
		{Domain, "WWW.Example.COM.", "www.example.com", Domain},
		{Domain, "_dmarc.example.com", "_dmarc.example.com", Domain},
		{Domain, "r3---sn-abc.example.com", "r3---sn-abc.example.com", Domain},
		{Domain, "Bücher.example", "xn--bcher-kva.example", Domain},
		{Domain, "xn--bcher-kva.Example", "xn--bcher-kva.example", Domain},
		{Domain, "faß.de", "xn--fa-hia.de", Domain},
		{Domain, "例え。テスト", "xn--r8jz45g.xn--zckzah", Domain},
		{Domain, long + ".example", long + ".example", Domain},
		{URL, "HTTP://Example.COM", "http://example.com/", URL},
		{URL, "http://example.com:80/a", "http://example.com/a", URL},
		{URL, "https://example.com:0443?q", "https://example.com/?q", URL},
		{URL, "http://example.com:443/", "http://example.com:443/", URL},
		{URL, "http://example.com./x", "http://example.com/x", URL},
		{URL, "http://example.com/A/../b/./%7Euser?B=1&a=%2B+#Frag", "http://example.com/A/../b/./%7Euser?B=1&a=%2B+#Frag", URL},
		{URL, "http://User:Pa@SS@Example.com/", "http://User:Pa@SS@example.com/", URL},
		{URL, "http://[2001:DB8::1]:8080/x", "http://[2001:db8::1]:8080/x", URL},
		{URL, "http://[::FFFF:1.2.3.4]/", "http://[::ffff:1.2.3.4]/", URL},
		{URL, "http://bücher.example/ü", "http://xn--bcher-kva.example/ü", URL},
		{URL, "http://localhost/x", "http://localhost/x", URL},
		{URL, "Example.com/Path", "example.com/Path", URL},
		{URL, "1.2.3.4:8080", "1.2.3.4:8080/", URL},
		{URL, "tcp://1.2.3.4:443", "tcp://1.2.3.4:443", URL},
		{URL, "http://h.example/?u=http://x.example/", "http://h.example/?u=http://x.example/", URL},
		{Email, "John.Doe@Example.COM", "John.Doe@example.com", Email},
		{Hash, "D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e", MD5},
		{JA3, "D41D8CD98F00B204E9800998ECF8427E", "d41d8cd98f00b204e9800998ecf8427e", JA3},
		{Certificate, "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD", "aabbccddeeff00112233445566778899aabbccdd", Certificate},
		{Certificate, "aa bb cc dd ee ff 00 11 22 33 44 55 66 77 88 99 aa bb cc dd", "aabbccddeeff00112233445566778899aabbccdd", Certificate},
		{ASN, "64500", "AS64500", ASN}, {ASN, "asn64500", "AS64500", ASN}, {ASN, "AS 1.10", "AS65546", ASN},
		{Unknown, "AS64500", "AS64500", ASN},
		{Unknown, "example.com/x", "example.com/x", URL},
		{Unknown, "a@example.com", "a@example.com", Email},
		{Unknown, "3:AIO9AJraNvsgzsVqSwHqp9n:AeOJraNvsgzsVqSwHqpV", "3:AIO9AJraNvsgzsVqSwHqp9n:AeOJraNvsgzsVqSwHqpV", SSDeep},
		{Unknown, `C:\Windows\x.exe`, `C:\Windows\x.exe`, FilePath},
		{Unknown, `HKLM\Software\Run`, `HKLM\Software\Run`, RegistryKey},
		{Mutex, `Global\Evil 1`, `Global\Evil 1`, Mutex},
	} {
		got, err := Parse(c.kind, c.in)
		if err != nil || got.Value != c.want || got.Kind != c.is {
			t.Errorf("Parse(%v, %q) = %v %q, %v; want %v %q", c.kind, c.in, got.Kind, got.Value, err, c.is, c.want)
		}
		if err != nil {
			continue
		}
		again, err := Parse(got.Kind, got.Value)
		if err != nil || again != got {
			t.Errorf("Parse of canonical %q = %v, %v: not a fixed point", got.Value, again, err)
		}
	}
}

func TestParseRefusals(t *testing.T) {
	for _, c := range []struct {
		kind Kind
		in   string
		want Reason
	}{
		{Unknown, "", ReasonEmpty}, {Domain, " \t", ReasonEmpty},
		{IPv4, "08.1.1.1", ReasonLeadingZero}, {IPv4, "1.1.1.00", ReasonLeadingZero},
		{IPv4, "010.1.1.1", ReasonOctal}, {IPv4, "0x7f.0.0.1", ReasonHex}, {Unknown, "0x7f.0.0.1", ReasonHex},
		{IPv4, "10.1", ReasonShortForm}, {IPv4, "2130706433", ReasonOctetRange}, {IPv4, "1.2.3", ReasonShortForm},
		{IPv4, "256.1.1.1", ReasonOctetRange}, {IPv4, "1.2.3.4.5", ReasonNotAddress}, {IPv4, "example.com", ReasonNotAddress},
		{IPv4, "1.2.3.", ReasonNotAddress}, {IPv4, "1.2.3.4:80", ReasonPort}, {Unknown, "1.2.3.4:33:1099", ReasonNotAddress},
		{IPv4, "10.0.0.0/33", ReasonPrefix}, {IPv4, "10.0.0.0/08", ReasonPrefix}, {IPv4, "10.0.0.0/255.0.0.0", ReasonPrefix},
		{IPv4, "10.0.0.0/", ReasonPrefix}, {IPv4, "10.0.0.0/-1", ReasonPrefix}, {IPv4, "010.0.0.0/8", ReasonOctal},
		{IPv4, "10.0.0.9-10.0.0.1", ReasonReversedRange}, {IP, "10.0.0.1-::5", ReasonMixedRange},
		{IPv4, "::1", ReasonWrongKind}, {IPv6, "1.2.3.4", ReasonWrongKind}, {IPv6, "::ffff:1.2.3.4", ReasonWrongKind},
		{IPv6, "fe80::1%eth0", ReasonZone}, {IPv6, "::ffff:010.1.1.1", ReasonOctal}, {IPv6, "1::2::3", ReasonNotAddress},
		{IPv6, "[::1]", ReasonNotAddress},
		{Domain, "localhost", ReasonSingleLabel}, {Domain, "com.", ReasonSingleLabel},
		{Domain, "a..example", ReasonEmptyLabel}, {Domain, ".example.com", ReasonEmptyLabel}, {Domain, "example.com..", ReasonEmptyLabel},
		{Domain, ".", ReasonEmptyLabel}, {Domain, "-a.example", ReasonLabel}, {Domain, "a-.example", ReasonLabel},
		{Domain, "a b.example", ReasonLabel}, {Domain, "a!b.example", ReasonLabel},
		{Domain, strings.Repeat("a", 64) + ".example", ReasonLabelLong},
		{Domain, strings.Repeat("abcdefg.", 32) + "com", ReasonTooLong},
		{Domain, "example.123", ReasonNumericTLD}, {Domain, "example.0x1f", ReasonNumericTLD}, {Domain, "1.2.3.4", ReasonWrongKind},
		{Domain, "x.y", ReasonTLD}, {Domain, "a.b_c", ReasonTLD},
		{Domain, "xn--a.example", ReasonIDN}, {Domain, "xn--zzzzzz--.example", ReasonIDN}, {Domain, "a\u200d.example", ReasonIDN},
		{Domain, "\xff\xfe.example", ReasonUTF8},
		{Domain, "*.example.com", ReasonWildcard}, {Domain, "example.com/x", ReasonHasPath}, {Domain, "example.com:80", ReasonPort},
		{Domain, "example[.]com", ReasonDefanged}, {Domain, "http://example.com", ReasonWrongKind}, {Domain, "a@example.com", ReasonWrongKind},
		{URL, "hxxp://example.com/", ReasonDefanged}, {URL, "http://example[.]com/", ReasonDefanged},
		{URL, "http://010.1.1.1/", ReasonOctal}, {URL, "http://0x7f.1/", ReasonHex}, {URL, "http://127.1/", ReasonShortForm},
		{URL, "http://256.1.1.1/", ReasonOctetRange}, {URL, "http://[fe80::1%25eth0]/", ReasonZone},
		{URL, "http:///x", ReasonHost}, {URL, "http://ex%61mple.com/", ReasonHost}, {URL, `http://a.example\b/`, ReasonHost}, {URL, `http://a.example\@b.example/`, ReasonHost},
		{URL, "http://a.example:99999/", ReasonBadPort}, {URL, "http://a.example:x/", ReasonBadPort},
		{URL, "http://a.example/a b", ReasonSpace}, {URL, "http://a.example/\x01", ReasonControl}, {URL, "http://a.example/\xff", ReasonUTF8},
		{URL, "example.com", ReasonNotURL}, {URL, "file/x", ReasonNotURL}, {URL, "://x.example/", ReasonScheme},
		{URL, "http://a.example/" + strings.Repeat("x", maxURL), ReasonTooLong},
		{Email, "example.com", ReasonNotEmail}, {Email, "@example.com", ReasonLocalPart}, {Email, "a b@example.com", ReasonLocalPart},
		{Email, "a@localhost", ReasonSingleLabel}, {Email, strings.Repeat("a", 65) + "@example.com", ReasonLocalPart},
		{MD5, "d41d8", ReasonHashLength}, {SHA1, strings.Repeat("g", 40), ReasonNotHex}, {Hash, "abc", ReasonHashLength},
		{ASN, "AS4294967296", ReasonASN}, {ASN, "AS-1", ReasonASN}, {ASN, "AS1.65536", ReasonASN},
		{FileName, "a\x00b", ReasonControl}, {FileName, "\xff", ReasonUTF8}, {CommandLine, strings.Repeat("a", maxText+1), ReasonTooLong},
		{Unknown, "hello", ReasonUnknownKind}, {Unknown, "256.1.1.1", ReasonOctetRange}, {Kind(200), "x", ReasonUnknownKind},
	} {
		i, err := Parse(c.kind, c.in)
		var why *Refusal
		if !errors.As(err, &why) || why.Reason != c.want || why.Detail == "" {
			t.Errorf("Parse(%v, %q) = %v, %v; want %s", c.kind, c.in, i, err, c.want)
		}
		if _, fault := AppendKey(nil, c.kind, []byte(c.in)); fault == nil || fault.Reason != c.want {
			t.Errorf("AppendKey(%v, %q): %v; want %s", c.kind, c.in, fault, c.want)
		}
	}
}

func TestRefusalTextIsBounded(t *testing.T) {
	_, err := Parse(Domain, strings.Repeat("é ", 10000))
	var why *Refusal
	if !errors.As(err, &why) || len(why.Text) > maxRefusedText+3 {
		t.Errorf("a refusal carries too much: %v", err)
	}
}

// Spellings that are different URLs to some server stay different.
func TestURLsAreNeverTurnedIntoAnother(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []string{
		"http://a.example/x", "http://a.example/x/", "http://a.example/X", "http://a.example/%78", "http://a.example/./x",
		"http://a.example/y/../x", "http://a.example//x", "http://a.example/x?", "http://a.example/x#", "http://a.example/x?#",
		"http://a.example/x?a+b", "http://a.example/x?a%20b", "http://a.example/x?a%2Bb", "http://a.example/x?a=1&b=2",
		"http://a.example/x?b=2&a=1", "https://a.example/x", "a.example/x", "http://a.example:8080/x", "http://@a.example/x",
		"http://u@a.example/x", "http://U@a.example/x", "http://u:@a.example/x", "http://a.example/x%2f", "http://a.example/x%2F",
		"http://1.2.3.4/", "http://[::ffff:1.2.3.4]/", "http://[::102:304]/",
	} {
		i, err := Parse(URL, s)
		if err != nil {
			t.Fatalf("%s: %v", s, err)
		}
		key := string(i.AppendKey(nil))
		if other, taken := seen[key]; taken {
			t.Errorf("%s and %s have one key", s, other)
		}
		seen[key] = s
		if i.Value != s {
			t.Errorf("%s became %s", s, i.Value)
		}
	}
}

func TestKindNames(t *testing.T) {
	for _, k := range append(Kinds(), IP, Hash) {
		if got, ok := ParseKind(k.String()); !ok || got != k {
			t.Errorf("ParseKind(%q) = %v, %v", k.String(), got, ok)
		}
	}
	for name, want := range map[string]Kind{
		"ip-src": IP, "FileSha256": SHA256, "CertificateThumbprint": Certificate, "EmailAddress": Email,
		"ipv4-addr": IPv4, "domain-name": Domain, "Registry Key": RegistryKey, "Host": Domain, "File": Hash, "Url": URL,
		"DomainName": Domain, "IpAddress": IP, "x509-fingerprint-sha1": Certificate, "User Agent": UserAgent,
	} {
		if got, ok := ParseKind(name); !ok || got != want {
			t.Errorf("ParseKind(%q) = %v, %v, want %v", name, got, ok, want)
		}
	}
	if _, ok := ParseKind("unknown"); ok {
		t.Error("unknown is a kind")
	}
	if !IPv4.In(IP) || !SHA512.In(Hash) || IPv4.In(Hash) || !URL.In(URL) || JA3.In(Hash) {
		t.Error("families are wrong")
	}
}

func TestTLP(t *testing.T) {
	for in, want := range map[string]TLP{
		"white": Clear, "TLP:AMBER+STRICT": AmberStrict, "tlp:Clear": Clear, "Red": Red, "amber_strict": AmberStrict, "TLP GREEN": Green,
	} {
		if got, ok := ParseTLP(in); !ok || got != want {
			t.Errorf("ParseTLP(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "tlp", "purple"} {
		if _, ok := ParseTLP(in); ok {
			t.Errorf("ParseTLP(%q) is a label", in)
		}
	}
}
