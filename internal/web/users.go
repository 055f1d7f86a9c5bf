package web

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/remeld/remeld/sdk"
)

// User is a feed user. Password is a bcrypt or argon2id hash, known by its prefix,
// or the password itself.
type User struct {
	Name     string
	Password sdk.Secret
	Tags     []string
}

// maxPassword is the longest password looked at, in bytes (bcrypt's own limit).
const maxPassword = 72

// The most an argon2id hash may ask for: 256 MiB and 64 passes.
const (
	maxArgonMemory = 256 << 10 // KiB
	maxArgonTime   = 64
)

// users checks logins. A hash is made for slow checking, so what was right once is
// remembered under a keyed digest, and only two are checked at a time.
type users struct {
	byName map[string]*login
	decoy  verifier // checked for names that do not exist, so that they take as long
	key    [32]byte
	slots  chan struct{}

	mu    sync.Mutex
	right map[string][32]byte // by user: digest of the password that was right
}

type login struct {
	User
	verify verifier
}

// verifier compares a password in time that does not depend on it.
type verifier func(password string) bool

func newUsers(all []User) (*users, error) {
	u := &users{byName: map[string]*login{}, slots: make(chan struct{}, 2), right: map[string][32]byte{}}
	if _, err := rand.Read(u.key[:]); err != nil {
		return nil, fmt.Errorf("web: making a key for logins: %w", err)
	}
	u.decoy = plainVerifier(string(u.key[:]))
	for _, one := range all {
		if one.Name == "" || strings.ContainsRune(one.Name, ':') {
			return nil, fmt.Errorf("web: user %q: a name is needed, and no colon in it", one.Name)
		}
		if u.byName[one.Name] != nil {
			return nil, fmt.Errorf("web: user %q is given twice", one.Name)
		}
		v, hashed, err := newVerifier(one.Password.Reveal())
		if err != nil {
			return nil, fmt.Errorf("web: password of user %q: %w", one.Name, err)
		}
		if hashed {
			u.decoy = v // its answer is not looked at
		}
		u.byName[one.Name] = &login{one, v}
	}
	return u, nil
}

func newVerifier(stored string) (v verifier, hashed bool, err error) {
	switch {
	case stored == "":
		return nil, false, errors.New("it is empty")
	case hasAnyPrefix(stored, "$2a$", "$2b$", "$2y$"):
		if _, err := bcrypt.Cost([]byte(stored)); err != nil {
			return nil, false, errors.New("it begins like a bcrypt hash and is none")
		}
		return func(p string) bool { return bcrypt.CompareHashAndPassword([]byte(stored), []byte(p)) == nil }, true, nil
	case strings.HasPrefix(stored, "$argon2id$"):
		v, err := argonVerifier(stored)
		return v, true, err
	case hasAnyPrefix(stored, "$apr1$", "$1$", "$5$", "$6$", "$argon2i$", "$argon2d$", "{SHA}"):
		return nil, false, errors.New("this kind of hash is not supported; use bcrypt (htpasswd -B) or argon2id")
	}
	return plainVerifier(stored), false, nil
}

func hasAnyPrefix(s string, prefixes ...string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

func plainVerifier(stored string) verifier {
	want := sha256.Sum256([]byte(stored))
	return func(p string) bool {
		got := sha256.Sum256([]byte(p))
		return subtle.ConstantTimeCompare(got[:], want[:]) == 1
	}
}

// argonVerifier reads $argon2id$v=19$m=65536,t=3,p=2$salt$hash.
func argonVerifier(stored string) (verifier, error) {
	bad := errors.New("it begins like an argon2id hash and is none")
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return nil, bad
	}
	var memory, passes uint32
	var lanes uint8
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes); err != nil {
		return nil, bad
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil || len(salt) < 8 || len(want) < 16 || len(want) > 128 || passes < 1 || lanes < 1 {
		return nil, bad
	}
	if memory > maxArgonMemory || passes > maxArgonTime {
		return nil, errors.New("its argon2id parameters are above 256 MiB or 64 passes")
	}
	return func(p string) bool {
		got := argon2.IDKey([]byte(p), salt, passes, memory, lanes, uint32(len(want)))
		return subtle.ConstantTimeCompare(got, want) == 1
	}, nil
}

// login returns the user a request proves to come from, nil for nobody.
func (u *users) login(r *http.Request) *User {
	name, password, given := r.BasicAuth()
	if !given || len(password) > maxPassword {
		return nil
	}
	one := u.byName[name]
	if one != nil && u.wasRight(name, password) {
		return &one.User
	}
	select {
	case u.slots <- struct{}{}:
		defer func() { <-u.slots }()
	case <-r.Context().Done():
		return nil
	}
	if one == nil {
		u.decoy(password)
		return nil
	}
	if !one.verify(password) {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.right[name] = u.digest(name, password)
	return &one.User
}

func (u *users) wasRight(name, password string) bool {
	u.mu.Lock()
	want, ok := u.right[name]
	u.mu.Unlock()
	got := u.digest(name, password)
	return ok && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

func (u *users) digest(name, password string) (d [32]byte) {
	m := hmac.New(sha256.New, u.key[:])
	m.Write([]byte(name))
	m.Write([]byte{0})
	m.Write([]byte(password))
	m.Sum(d[:0])
	return d
}
