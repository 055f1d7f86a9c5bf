package sandbox

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"io"
	"net/http"
	"testing"
	"time"
)

// transport trusts the sandbox and reaches it under every host name.
func transport(s *Sandbox) *http.Transport {
	return &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12},
		DialContext:        s.Dial,
		DisableCompression: true,
	}
}

func sha1Thumb(der []byte) string {
	sum := sha1.Sum(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

func pack(t *testing.T, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpack(t *testing.T, b []byte) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func hours(n int) time.Duration { return time.Duration(n) * time.Hour }
