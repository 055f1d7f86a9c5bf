package entra

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// maxToken bounds the tokens and assertions that are looked at.
const maxToken = 64 << 10

var b64 = base64.RawURLEncoding

type jwtHeader struct {
	Alg     string `json:"alg"`
	Typ     string `json:"typ,omitempty"`
	Kid     string `json:"kid,omitempty"`
	X5t     string `json:"x5t,omitempty"`
	X5tS256 string `json:"x5t#S256,omitempty"`
}

// sign returns a compact RS256 JWT.
func sign(key *rsa.PrivateKey, h jwtHeader, claims any) (string, error) {
	head, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("encode token header: %w", err)
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("encode token claims: %w", err)
	}
	text := b64.EncodeToString(head) + "." + b64.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return text + "." + b64.EncodeToString(sig), nil
}

// parsed is a JWT taken apart, not verified.
type parsed struct {
	header jwtHeader
	claims []byte
	signed []byte
	sig    []byte
}

var errMalformed = errors.New("not a signed JWT")

func parseJWT(token string) (*parsed, error) {
	parts := strings.Split(token, ".")
	if len(token) > maxToken || len(parts) != 3 {
		return nil, errMalformed
	}
	head, err1 := b64.DecodeString(parts[0])
	claims, err2 := b64.DecodeString(parts[1])
	sig, err3 := b64.DecodeString(parts[2])
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, fmt.Errorf("%w: %w", errMalformed, err)
	}
	p := &parsed{claims: claims, sig: sig, signed: []byte(parts[0] + "." + parts[1])}
	if err := json.Unmarshal(head, &p.header); err != nil {
		return nil, fmt.Errorf("%w: header: %w", errMalformed, err)
	}
	return p, nil
}

// verify checks the signature with key under the header's algorithm.
func (p *parsed) verify(key *rsa.PublicKey) error {
	sum := sha256.Sum256(p.signed)
	switch p.header.Alg {
	case "RS256":
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], p.sig)
	case "PS256":
		return rsa.VerifyPSS(key, crypto.SHA256, sum[:], p.sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
	}
	return fmt.Errorf("algorithm %q is neither RS256 nor PS256", p.header.Alg)
}

// thumbprint reads a thumbprint in either base64 alphabet, padded or not.
func thumbprint(s string) []byte {
	s = strings.TrimRight(s, "=")
	s = strings.NewReplacer("+", "-", "/", "_").Replace(s)
	b, err := b64.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}

// find returns the certificate that the assertion's header names.
func (a *app) find(h jwtHeader) (certificate, bool) {
	s1, s256 := thumbprint(h.X5t), thumbprint(h.X5tS256)
	for _, c := range a.certs {
		if (h.X5tS256 != "" && bytes.Equal(c.sha256[:], s256)) || (h.X5tS256 == "" && bytes.Equal(c.sha1[:], s1)) {
			return c, true
		}
	}
	return certificate{}, false
}
