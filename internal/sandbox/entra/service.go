package entra

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/internal/sandbox/switches"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// signingKey is made once a process: it takes longer than starting a sandbox,
// and tokens of another sandbox are told apart by their instance claim.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// Config is what a Service is made of.
type Config struct {
	Tenants []Tenant
	// Resources are the APIs a token can be asked for, without "/.default".
	Resources []string
	// Own adds the sandbox's own addresses to Resources; it is asked per request.
	Own func(req *wire.Request) []string
	// Hosts are the host names instance discovery knows.
	Hosts []string
	// Lifetime of a token.
	Lifetime time.Duration
	// Instance tells tokens of this sandbox from those of another.
	Instance string
	Switches func() switches.Set
}

// Service is the token service. It is safe for concurrent use.
type Service struct {
	cfg Config
	key *rsa.PrivateKey
	kid string

	mu      sync.Mutex
	tenants map[string]*tenant // by lower-case id and domain
	list    []*tenant
}

// New returns a service for the tenants.
func New(cfg Config) (*Service, error) {
	key, err := signingKey()
	if err != nil {
		return nil, fmt.Errorf("make signing key: %w", err)
	}
	sum := sha256.Sum256(key.N.Bytes())
	s := &Service{cfg: cfg, key: key, kid: b64.EncodeToString(sum[:20]), tenants: map[string]*tenant{}}
	for _, t := range cfg.Tenants {
		if _, ok := s.tenants[strings.ToLower(t.ID)]; ok {
			return nil, fmt.Errorf("tenant %s is given twice", t.ID)
		}
		if err := s.SetTenant(t); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// SetTenant adds a tenant, or replaces its names and apps. Tokens that were
// issued stay valid until they expire, as in real life.
func (s *Service) SetTenant(t Tenant) error {
	c, err := newTenant(t)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range append([]string{t.ID}, t.Domains...) {
		if old := s.tenants[strings.ToLower(name)]; old != nil && !strings.EqualFold(old.ID, t.ID) {
			return fmt.Errorf("tenant %s: the name %s belongs to tenant %s", t.ID, name, old.ID)
		}
	}
	s.list = slices.DeleteFunc(s.list, func(o *tenant) bool { return strings.EqualFold(o.ID, t.ID) })
	s.list = append(s.list, c)
	for name, o := range s.tenants {
		if strings.EqualFold(o.ID, t.ID) {
			delete(s.tenants, name)
		}
	}
	for _, name := range append([]string{t.ID}, t.Domains...) {
		s.tenants[strings.ToLower(name)] = c
	}
	return nil
}

// Tenants returns the tenants as configured, in order. The secrets are in it.
func (s *Service) Tenants() []Tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Tenant, 0, len(s.list))
	for _, t := range s.list {
		out = append(out, t.Tenant)
	}
	return out
}

// Resolve returns the id of the tenant with that id or domain.
func (s *Service) Resolve(name string) (id string, ok bool) {
	t := s.tenant(name)
	if t == nil {
		return "", false
	}
	return t.ID, true
}

func (s *Service) tenant(name string) *tenant {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tenants[strings.ToLower(name)]
}

type tokenClaims struct {
	Aud      string   `json:"aud"`
	Iss      string   `json:"iss"`
	Iat      int64    `json:"iat"`
	Nbf      int64    `json:"nbf"`
	Exp      int64    `json:"exp"`
	AppID    string   `json:"appid"`
	Azp      string   `json:"azp,omitempty"`
	AppName  string   `json:"app_displayname"`
	IDTyp    string   `json:"idtyp"`
	Oid      string   `json:"oid"`
	Roles    []string `json:"roles,omitempty"`
	Sub      string   `json:"sub"`
	Tid      string   `json:"tid"`
	Uti      string   `json:"uti"`
	Ver      string   `json:"ver"`
	Instance string   `json:"xms_sandbox"`
}

// Reasons why Verify refuses a token.
var (
	ErrInvalidToken = errors.New("token is missing, malformed or not signed by this sandbox")
	ErrExpiredToken = errors.New("token has expired")
)

// Verify checks signature and times of a bearer token and returns who it
// speaks for. The audience is for the caller to judge.
func (s *Service) Verify(token string, now time.Time) (Principal, error) {
	p, err := parseJWT(token)
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	if p.header.Alg != "RS256" || p.verify(&s.key.PublicKey) != nil {
		return Principal{}, ErrInvalidToken
	}
	var c tokenClaims
	if err := json.Unmarshal(p.claims, &c); err != nil || c.Instance != s.cfg.Instance {
		return Principal{}, ErrInvalidToken
	}
	who := Principal{Tenant: c.Tid, App: c.AppID, AppName: c.AppName, Roles: c.Roles, Audience: c.Aud}
	if now.Unix() >= c.Exp || now.Unix() < c.Nbf {
		return who, ErrExpiredToken
	}
	return who, nil
}

// keys is the JWKS document.
func (s *Service) keys() wire.Reply {
	return wire.JSON(200, map[string]any{"keys": []map[string]any{{
		"kty": "RSA", "use": "sig", "kid": s.kid, "x5t": s.kid, "alg": "RS256",
		"n": b64.EncodeToString(s.key.N.Bytes()),
		"e": b64.EncodeToString(big.NewInt(int64(s.key.E)).Bytes()),
	}}})
}
