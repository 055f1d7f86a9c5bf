package web

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func server(t *testing.T, change func(*Options)) *Server {
	t.Helper()
	o := Options{Listen: "127.0.0.1:0", Log: slog.New(slog.DiscardHandler), Clock: sdktest.NewClock(time.Time{})}
	if change != nil {
		change(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func says(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })
}

func ask(h http.Handler, path, user, password string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	if user != "" {
		r.SetBasicAuth(user, password)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func hashes(t *testing.T, password string) (bcrypted, argoned string) {
	t.Helper()
	b, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	salt := []byte("saltsaltsalt")
	sum := argon2.IDKey([]byte(password), salt, 1, 64, 1, 32)
	enc := base64.RawStdEncoding.EncodeToString
	return string(b), fmt.Sprintf("$argon2id$v=19$m=64,t=1,p=1$%s$%s", enc(salt), enc(sum))
}

func TestWhoMayReadWhat(t *testing.T) {
	b, a := hashes(t, "pw")
	feeds := []Feed{
		{"open", says("data"), []string{TagAnonymous}}, {"anyone", says("data"), []string{TagAny}},
		{"soc", says("data"), []string{"soc", "fw"}}, {"untagged", says("data"), nil},
	}
	users := []User{{"plain", "pw", []string{"fw"}}, {"bcrypt", sdk.Secret(b), []string{"soc"}}, {"argon", sdk.Secret(a), []string{"other"}}, {"none", "pw", nil}}
	s := server(t, nil)
	if err := s.Set(feeds, users); err != nil {
		t.Fatal(err)
	}
	h := s.Handler()
	for _, c := range []struct {
		feed, user, password string
		code                 int
	}{
		{"open", "", "", 200}, {"open", "plain", "wrong", 200},
		{"anyone", "", "", 401}, {"anyone", "none", "pw", 200}, {"anyone", "none", "wrong", 401}, {"anyone", "nobody", "pw", 401}, {"anyone", "plain", "", 401},
		{"soc", "", "", 401}, {"soc", "plain", "pw", 200}, {"soc", "bcrypt", "pw", 200}, {"soc", "bcrypt", "pw", 200}, {"soc", "bcrypt", "wrong", 401},
		{"soc", "argon", "pw", 401}, {"anyone", "argon", "pw", 200}, {"anyone", "argon", "pW", 401}, {"soc", "none", "pw", 401},
		{"anyone", "bcrypt", strings.Repeat("x", 100), 401},
		{"untagged", "plain", "pw", 401}, {"untagged", "", "", 401},
		{"missing", "", "", 401}, {"missing", "plain", "pw", 404}, {"missing", "plain", "wrong", 401},
	} {
		w := ask(h, "/feeds/"+c.feed, c.user, c.password)
		want := map[int]string{200: "data", 401: "<html><body>" + http.StatusText(http.StatusUnauthorized) + "</body></html>", 404: "<html><body>Unknown feed</body></html>"}[c.code]
		if w.Code != c.code || w.Body.String() != want || (w.Code == 401) != (w.Header().Get("WWW-Authenticate") != "") {
			t.Errorf("%s by %q %q: %d %q, want %d", c.feed, c.user, c.password, w.Code, w.Body, c.code)
		}
	}
}

// TestHashesAreCheckedOncePerPassword: a poll a minute must not cost a hash each.
func TestHashesAreCheckedOncePerPassword(t *testing.T) {
	u, err := newUsers([]User{{"fw", "pw", nil}})
	if err != nil {
		t.Fatal(err)
	}
	checked, plain := 0, u.byName["fw"].verify
	u.byName["fw"].verify = func(p string) bool { checked++; return plain(p) }
	for _, password := range []string{"pw", "pw", "pw", "no", "no", "pw"} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth("fw", password)
		if ok := u.login(r) != nil; ok != (password == "pw") {
			t.Errorf("%s: %v", password, ok)
		}
	}
	if checked != 3 {
		t.Errorf("checked %d times, want once for the right one and twice for the wrong one", checked)
	}
}

// TestWithoutUsers: on the first day, on this machine, feeds are open; anywhere
// else a feed is closed until somebody says otherwise.
func TestWithoutUsers(t *testing.T) {
	feeds := []Feed{{"f", says("data"), nil}, {"tagged", says("data"), []string{"soc"}}}
	for _, c := range []struct {
		name      string
		options   func(*Options)
		f, tagged int
		missing   int
		open      bool
	}{
		{"loopback", nil, 200, 401, 404, true},
		{"behind a proxy", func(o *Options) { o.BehindProxy = true }, 401, 401, 401, false},
	} {
		s := server(t, c.options)
		if err := s.Set(feeds, nil); err != nil {
			t.Fatal(err)
		}
		f, tagged, missing := ask(s.Handler(), "/feeds/f", "", ""), ask(s.Handler(), "/feeds/tagged", "", ""), ask(s.Handler(), "/feeds/x", "", "")
		if f.Code != c.f || tagged.Code != c.tagged || missing.Code != c.missing || s.Open(nil) != c.open || s.Open([]string{TagAny}) || !s.Open([]string{TagAnonymous}) {
			t.Errorf("%s: %d %d %d, open %v", c.name, f.Code, tagged.Code, missing.Code, s.Open(nil))
		}
	}
}

func TestSetIsAllOrNothing(t *testing.T) {
	s := server(t, nil)
	if err := s.Set([]Feed{{"a", says("one"), nil}}, nil); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]struct {
		feeds []Feed
		users []User
	}{
		"feed twice":       {feeds: []Feed{{"b", says(""), nil}, {"b", says(""), nil}}},
		"no handler":       {feeds: []Feed{{Name: "b"}}},
		"user twice":       {users: []User{{"u", "p", nil}, {"u", "q", nil}}},
		"empty password":   {users: []User{{"u", "", nil}}},
		"colon in a name":  {users: []User{{"u:v", "p", nil}}},
		"broken bcrypt":    {users: []User{{"u", "$2b$secretpart", nil}}},
		"broken argon2":    {users: []User{{"u", "$argon2id$v=19$m=1$secretpart$x", nil}}},
		"greedy argon2":    {users: []User{{"u", "$argon2id$v=19$m=99999999,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", nil}}},
		"apr1":             {users: []User{{"u", "$apr1$secretpart", nil}}},
		"sha":              {users: []User{{"u", "{SHA}secretpart", nil}}},
		"argon2 no passes": {users: []User{{"u", "$argon2id$v=19$m=64,t=0,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", nil}}},
	} {
		err := s.Set(bad.feeds, bad.users)
		if err == nil || strings.Contains(err.Error(), "secretpart") {
			t.Errorf("%s: error %v", name, err)
		}
	}
	if w := ask(s.Handler(), "/feeds/a", "", ""); w.Body.String() != "one" {
		t.Errorf("a failed Set changed the feeds: %d", w.Code)
	}
	if err := s.Set([]Feed{{"a", says("two"), nil}}, nil); err != nil {
		t.Fatal(err)
	}
	if w := ask(s.Handler(), "/feeds/a", "", ""); w.Body.String() != "two" {
		t.Errorf("not swapped: %q", w.Body)
	}
}

func TestNewRefusesToBeExposed(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", ":0", "[::]:0", "192.0.2.1:80", "example.com:80"} {
		if _, err := New(Options{Listen: listen}); !errors.Is(err, ErrExposed) {
			t.Errorf("%s: %v", listen, err)
		}
		if _, err := New(Options{Listen: listen, BehindProxy: true}); err != nil {
			t.Errorf("%s behind a proxy: %v", listen, err)
		}
	}
	for _, listen := range []string{"127.0.0.1:0", "[::1]:0", "localhost:0", "127.9.9.9:0"} {
		if _, err := New(Options{Listen: listen}); err != nil {
			t.Errorf("%s: %v", listen, err)
		}
	}
	for name, o := range map[string]Options{
		"no port": {Listen: "127.0.0.1"}, "key missing": {Listen: "127.0.0.1:0", Cert: "x"}, "no file": {Listen: "127.0.0.1:0", Cert: "/nonexistent", Key: "/nonexistent"},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestHealth(t *testing.T) {
	var sick error
	s := server(t, func(o *Options) { o.Health = func(context.Context) error { return sick } })
	if w := ask(s.Handler(), "/healthz", "", ""); w.Code != 200 || w.Body.String() != "ok\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	sick = errors.New("the store is read-only")
	if w := ask(s.Handler(), "/healthz", "", ""); w.Code != 503 || w.Body.String() != "the store is read-only\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
	if w := ask(s.Handler(), "/", "", ""); w.Code != 404 {
		t.Errorf("/: %d", w.Code)
	}
}

func TestAccessLogHoldsNoSecrets(t *testing.T) {
	var out bytes.Buffer
	s := server(t, func(o *Options) { o.Log, o.BehindProxy = slog.New(slog.NewTextHandler(&out, nil)), true })
	if err := s.Set([]Feed{{"f", says("12345"), []string{TagAny}}}, []User{{"fw", "hunter2", nil}}); err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodGet, "/feeds/f?token=hunter3", nil)
	r.SetBasicAuth("fw", "hunter2")
	r.Header.Set("X-Forwarded-For", "203.0.113.1, 198.51.100.2")
	s.Handler().ServeHTTP(httptest.NewRecorder(), r)
	line := out.String()
	for _, want := range []string{"method=GET", "path=/feeds/f", "status=200", "bytes=5", "user=fw", "from=198.51.100.2"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %s", want, line)
		}
	}
	if strings.Contains(line, "hunter") || strings.Contains(line, "Basic") {
		t.Errorf("a secret in %s", line)
	}
}

// run starts a server and returns how to stop it.
func run(t *testing.T, s *Server) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	if err := s.Listen(ctx); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return func() error { cancel(); return <-done }
}

func TestShutdownFinishesWhatIsUnderWay(t *testing.T) {
	s := server(t, nil)
	begun, goOn := make(chan struct{}), make(chan struct{})
	slow := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(begun)
		<-goOn
		_, _ = io.WriteString(w, "whole")
	})
	if err := s.Set([]Feed{{"f", slow, nil}}, nil); err != nil {
		t.Fatal(err)
	}
	stop := run(t, s)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	body := make(chan string, 1)
	go func() {
		resp, err := client.Get("http://" + s.Addr().String() + "/feeds/f")
		if err != nil {
			body <- err.Error()
			return
		}
		defer resp.Body.Close()
		b, _ := io.ReadAll(resp.Body)
		body <- string(b)
	}()
	<-begun
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	close(goOn)
	if got := <-body; got != "whole" {
		t.Errorf("the request under way got %q", got)
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestAddressInUseIsAnErrorAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := server(t, func(o *Options) { o.Listen = l.Addr().String() })
	if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("error %v", err)
	}
}

func writeCertificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(serial), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &k.PublicKey, k)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, b := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
		stamp := time.Unix(serial*1000, 0) // so that the file changes whatever the clock does
		if err := os.Chtimes(path, stamp, stamp); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, 1)
	clock := sdktest.NewClock(time.Time{})
	s := server(t, func(o *Options) { o.Cert, o.Key, o.Clock = cert, key, clock })
	stop := run(t, s)
	serial := func() int64 {
		conn, err := tls.Dial("tcp", s.Addr().String(), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
	}
	if got := serial(); got != 1 {
		t.Errorf("serial %d", got)
	}
	writeCertificate(t, dir, 2)
	if got := serial(); got != 1 {
		t.Errorf("looked at the files again at once: serial %d", got)
	}
	clock.Advance(certificateAge)
	if got := serial(); got != 2 {
		t.Errorf("serial %d after the renewal", got)
	}
	if err := os.WriteFile(cert, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	clock.Advance(certificateAge)
	if got := serial(); got != 2 {
		t.Errorf("serial %d after a broken renewal", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func FuzzPasswordHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHQ$c2FsdHNhbHRzYWx0c2FsdA", "pw")
	f.Add("$2b$04$abcdefghijklmnopqrstuv", "pw")
	f.Add("plain", "plain")
	f.Fuzz(func(t *testing.T, stored, password string) {
		if strings.HasPrefix(stored, "$2") || strings.Contains(stored, "m=") && len(stored) > 4 && !strings.Contains(stored, "m=64,t=1,p=1") {
			return // costs what it says
		}
		v, _, err := newVerifier(stored)
		if err != nil {
			return
		}
		if v(password) && !strings.HasPrefix(stored, "$") && stored != password {
			t.Errorf("%q lets %q in", stored, password)
		}
	})
}
