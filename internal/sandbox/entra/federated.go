package entra

import (
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"

	"github.com/remeld/remeld/internal/sandbox/wire"
)

// Federated is a federated credential of an app: tokens of another issuer that it
// accepts as client assertions. Issuer, subject and audience are compared letter by
// letter.
type Federated struct {
	Issuer  string `json:"issuer"`
	Subject string `json:"subject"`
	// Audiences; default ExchangeAudience.
	Audiences []string `json:"audiences,omitempty"`
	// Keys are the RSA keys at the issuer's jwks_uri, which the sandbox does not fetch.
	Keys []JWK `json:"keys"`
}

// ExchangeAudience is the audience of tokens for federation in every cloud's default.
const ExchangeAudience = "api://AzureADTokenExchange"

// JWK is an RSA key of a JWKS document.
type JWK struct {
	Kid string `json:"kid,omitempty"`
	N   string `json:"n"`
	E   string `json:"e"`
}

// NewJWK returns the public key as a JWKS document has it.
func NewJWK(kid string, key *rsa.PublicKey) JWK {
	return JWK{Kid: kid, N: b64.EncodeToString(key.N.Bytes()), E: b64.EncodeToString(big.NewInt(int64(key.E)).Bytes())}
}

func (k JWK) key() (*rsa.PublicKey, error) {
	n, err := b64.DecodeString(k.N)
	e, err2 := b64.DecodeString(k.E)
	if err != nil || err2 != nil || len(n) == 0 || len(e) == 0 || len(e) > 4 {
		return nil, fmt.Errorf("key %q of a federated credential: n and e must be base64url", k.Kid)
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}, nil
}

// audience takes the text or list of texts of a JWT's aud.
type audience []string

// UnmarshalJSON implements json.Unmarshaler.
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// federatedClaims are what is read of a foreign token.
type federatedClaims struct {
	Iss string   `json:"iss"`
	Sub string   `json:"sub"`
	Aud audience `json:"aud"`
	Nbf float64  `json:"nbf"`
	Exp *float64 `json:"exp"`
}

// checkFederated judges a token of another issuer, in the order the service does:
// issuer, subject, audience, signature, times.
func (a *app) checkFederated(p *parsed, req *wire.Request) *failure {
	var c federatedClaims
	if json.Unmarshal(p.claims, &c) != nil {
		return fail(401, 50027, "invalid_client", "JWT token is invalid or malformed.")
	}
	mismatch := func(code int, what, value string) *failure {
		return fail(400, code, "invalid_request", "No matching federated identity record found for presented assertion %s '%s'. Check your federated identity credential Subject, Audience and Issuer against the presented assertion. https://docs.microsoft.com/azure/active-directory/develop/workload-identity-federation", what, clip(value))
	}
	found := slices.DeleteFunc(slices.Clone(a.Federated), func(f Federated) bool { return f.Issuer != c.Iss })
	if len(found) == 0 {
		return mismatch(700211, "issuer", c.Iss)
	}
	if found = slices.DeleteFunc(found, func(f Federated) bool { return f.Subject != c.Sub }); len(found) == 0 {
		return mismatch(700213, "subject", c.Sub)
	}
	found = slices.DeleteFunc(found, func(f Federated) bool {
		if f.Audiences == nil {
			f.Audiences = []string{ExchangeAudience}
		}
		return !slices.ContainsFunc(f.Audiences, func(x string) bool { return slices.Contains(c.Aud, x) })
	})
	if len(found) == 0 {
		return mismatch(700212, "audience", fmt.Sprint([]string(c.Aud)))
	}
	if !slices.ContainsFunc(found, func(f Federated) bool { return f.signed(p) }) {
		return fail(401, 50013, "invalid_client", "Assertion failed signature validation. [Reason - The key was not found.]")
	}
	return checkTimes(assertionClaims{Nbf: c.Nbf, Exp: c.Exp}, req.Now)
}

func (f *Federated) signed(p *parsed) bool {
	return slices.ContainsFunc(f.Keys, func(k JWK) bool {
		key, err := k.key()
		return err == nil && (k.Kid == "" || p.header.Kid == "" || k.Kid == p.header.Kid) && p.verify(key) == nil
	})
}
