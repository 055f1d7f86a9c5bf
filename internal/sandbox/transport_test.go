package sandbox

import (
	"crypto/tls"
	"net/http"
)

// transport trusts the sandbox and reaches it under every host name.
func transport(s *Sandbox) *http.Transport {
	return &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12},
		DialContext:        s.Dial,
		DisableCompression: true,
	}
}
