package alert

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remeld/remeld/internal/condition"
	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/internal/schedule"
	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// box is people: it keeps the titles it was sent, and may be out of reach.
type box struct {
	mu     sync.Mutex
	down   bool
	titles []string
	last   Message
}

func (b *box) Send(_ context.Context, m *Message) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.down {
		return errors.New("connection refused")
	}
	b.titles, b.last = append(b.titles, m.Title), *m
	return nil
}

func (b *box) take() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := b.titles
	b.titles = nil
	return out
}

type rig struct {
	t     *testing.T
	store store.Store
	clock *sdktest.Clock
	set   *condition.Set
	a     *Alerter
}

func open(t *testing.T, routes ...Route) *rig {
	t.Helper()
	r := &rig{t: t, store: memstore.New(), clock: sdktest.NewClock(time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC))}
	set, err := condition.Open(t.Context(), r.store, r.clock)
	if err != nil {
		t.Fatal(err)
	}
	r.set = set
	r.restart(routes...)
	return r
}

func (r *rig) restart(routes ...Route) {
	r.a = New(Deps{Store: r.store, Clock: r.clock, Conditions: r.set, Instance: "soc"})
	r.a.Configure(routes)
}

func (r *rig) after(d time.Duration) {
	r.t.Helper()
	r.clock.Advance(d)
	if err := r.a.Look(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) raise(node, kind, id string) {
	r.t.Helper()
	if err := r.set.Raise(r.t.Context(), condition.Condition{Node: node, Kind: kind, ID: id, Message: "m", Help: "h"}); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) clear(node, kind string) {
	r.t.Helper()
	if err := r.set.Clear(r.t.Context(), node, kind); err != nil {
		r.t.Fatal(err)
	}
}

func want(t *testing.T, b *box, titles ...string) {
	t.Helper()
	if diff := cmp.Diff(titles, b.take()); diff != "" {
		t.Errorf("%s", diff)
	}
}

// TestF_ConditionsAreToldOnce: after ten minutes, again after a day, and their end;
// one that ends before is told of to nobody.
func TestF_ConditionsAreToldOnce(t *testing.T) {
	t.Parallel()
	b := &box{}
	r := open(t, Route{Name: "soc", Sender: b})
	r.raise("feed", "source_failing", "")
	r.raise("blip", "source_failing", "")
	r.after(9 * time.Minute)
	want(t, b)
	r.clear("blip", "source_failing")
	r.after(time.Minute)
	want(t, b, "[soc] needs you: source_failing at feed")
	r.restart(Route{Name: "soc", Sender: b}) // what was told survives the process
	r.after(23 * time.Hour)
	want(t, b)
	r.after(time.Hour)
	want(t, b, "[soc] still needs you: source_failing at feed")
	r.clear("feed", "source_failing")
	r.after(time.Minute)
	want(t, b, "[soc] over: source_failing at feed")
	r.after(time.Hour)
	want(t, b)
}

// TestF_OneMessageForMany: a hundred rows in trouble are one message.
func TestF_OneMessageForMany(t *testing.T) {
	t.Parallel()
	b := &box{}
	r := open(t, Route{Name: "soc", Sender: b})
	for i := range 100 {
		r.raise("defender", "foreign_touched", fmt.Sprint(i))
	}
	r.after(Wait)
	want(t, b, "[soc] needs you: 100 conditions")
	if text := b.last.Text(); strings.Count(text, "foreign_touched") != mostShown || !strings.Contains(text, "80 more") {
		t.Error(text)
	}
}

// TestNothingIsLost: a route that is down gets everything later, in order and once;
// that it is down is a condition, told of on the other route.
func TestNothingIsLost(t *testing.T) {
	t.Parallel()
	down, up := &box{down: true}, &box{}
	routes := []Route{{Name: "mail", Sender: down}, {Name: "chat", Sender: up}}
	r := open(t, routes...)
	r.raise("feed", "frozen", "")
	r.after(Wait)
	r.clear("feed", "frozen")
	r.after(10 * time.Second)
	r.restart(routes...)
	r.after(Wait)
	want(t, up, "[soc] needs you: frozen at feed", "[soc] over: frozen at feed", "[soc] needs you: route_failing at this installation")
	down.down = false
	r.after(time.Hour)
	want(t, down, "[soc] needs you: frozen at feed", "[soc] over: frozen at feed")
	r.after(time.Minute)
	want(t, up, "[soc] over: route_failing at this installation")
	r.after(time.Hour)
	want(t, down)
}

// TestWaitsGrow: a route that stays down is tried less and less, and given up on
// after a day.
func TestWaitsGrow(t *testing.T) {
	t.Parallel()
	tries := 0
	r := open(t, Route{Name: "soc", Sender: senderFunc(func() error { tries++; return errors.New("no") })})
	r.raise("feed", "frozen", "")
	r.after(Wait)
	for range 24 * 60 * 2 {
		r.after(30 * time.Second)
	}
	if tries < 24 || tries > 40 {
		t.Errorf("%d tries in a day", tries)
	}
}

type senderFunc func() error

func (f senderFunc) Send(context.Context, *Message) error { return f() }

// TestRunsAreTold: failures by default, everything or nothing where a route says so.
func TestRunsAreTold(t *testing.T) {
	t.Parallel()
	failed, all, none, other := &box{}, &box{}, &box{}, &box{}
	r := open(t, Route{Name: "f", Sender: failed}, Route{Name: "a", Sender: all, Runs: RunsAll},
		Route{Name: "n", Sender: none, Runs: RunsNone}, Route{Name: "o", Sender: other, Runs: RunsAll, Nodes: []string{"x"}})
	for _, s := range []schedule.Status{schedule.Done, schedule.Partial} {
		if err := r.a.Ended(t.Context(), schedule.Record{ID: "run-1", Job: "j", Status: s, Counts: map[string]int{"sent": 3}}); err != nil {
			t.Fatal(err)
		}
	}
	r.after(0)
	want(t, failed, "[soc] job j: partial")
	want(t, all, "[soc] job j: done", "[soc] job j: partial")
	want(t, none)
	want(t, other)
	if text := all.last.Text(); !strings.Contains(text, "- sent: 3") {
		t.Error(text)
	}
}

// TestWebhookShapes: the three bodies, and that the URL's path, which is a secret,
// shows in no error.
func TestWebhookShapes(t *testing.T) {
	t.Parallel()
	var body []byte
	status := 200
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		w.WriteHeader(status)
		fmt.Fprint(w, "no such hook "+r.URL.Path)
	}))
	t.Cleanup(srv.Close)
	client, err := httpx.New(httpx.Options{Clock: sdktest.NewClock(time.Now()), Retries: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.CloseIdle)
	m := &Message{Instance: "soc", Title: "T", Begun: []condition.Condition{{Node: "n", Kind: "k", Message: "m"}}}
	for shape, at := range map[Shape][]string{Plain: {"title"}, Slack: {"text"}, Teams: {"attachments", "0", "contentType"}} {
		hook := &Webhook{URL: sdk.Secret(srv.URL + "/hooks/fake-secret-path"), Shape: shape, HTTP: client}
		status = 200
		if err := hook.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(body, &got); err != nil {
			t.Fatal(err)
		}
		for _, step := range at {
			if l, ok := got.([]any); ok {
				got = l[0]
				continue
			}
			got = got.(map[string]any)[step]
		}
		if got == nil || !strings.Contains(string(body), "n: m (k") {
			t.Errorf("%s: %s", shape, body)
		}
		status = 404
		if err := hook.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "fake-secret") || !strings.Contains(err.Error(), "404") {
			t.Errorf("%s: %v", shape, err)
		}
	}
	gone := &Webhook{URL: "http://127.0.0.1:1/hooks/fake-secret-path", HTTP: client}
	if err := gone.Send(t.Context(), m); err == nil || strings.Contains(err.Error(), "fake-secret") {
		t.Error(err)
	}
}

// mailServer is an SMTP server on this machine; got has what each session said.
func mailServer(t *testing.T) (port int, got chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	got = make(chan string, 8)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			got <- smtp(conn)
		}
	}()
	return l.Addr().(*net.TCPAddr).Port, got
}

// TestMail: a message arrives whole at an SMTP server; one without TLS is not spoken
// to unless that was asked for.
func TestMail(t *testing.T) {
	t.Parallel()
	port, got := mailServer(t)
	m := &Message{Instance: "soc", Title: "[soc] needs you", At: time.Now(), Begun: []condition.Condition{{Node: "n", Kind: "k", Message: "the feed is frozen"}}}
	s := &Mail{Host: "127.0.0.1", Port: port, From: "remeld@soc.example", To: []string{"a@soc.example", "b@soc.example"}, Plain: true}
	if err := s.Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	if text := <-got; !strings.Contains(text, "RCPT TO:<b@soc.example>") || !strings.Contains(text, "the feed is frozen") || !strings.Contains(text, "Subject: [soc] needs you") {
		t.Error(text)
	}
	s.Plain = false
	if err := s.Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "TLS") {
		t.Error(err)
	}
	if text := <-got; strings.Contains(text, "DATA") {
		t.Error("sent without TLS")
	}
}

// TestMailCheck: the doctor's look at a mail server tells what is in the way, says what to
// do, and sends nothing.
func TestMailCheck(t *testing.T) {
	t.Parallel()
	port, got := mailServer(t)
	for _, c := range []struct {
		mail       Mail
		name, want string
		state      sdk.CheckState
	}{
		{Mail{Host: "127.0.0.1", Port: port, Plain: true}, "TLS", "none, as plain: true says", sdk.CheckOK},
		{Mail{Host: "127.0.0.1", Port: port}, "TLS", "offers no STARTTLS", sdk.CheckFailed},
		{Mail{Host: "127.0.0.1", Port: port, Plain: true, Username: "u", Password: "fake-pass"}, "login", "does not support SMTP AUTH", sdk.CheckFailed},
		{Mail{Host: "no.such.invalid", Port: port}, "name", "no.such.invalid does not resolve", sdk.CheckFailed},
		{Mail{Host: "127.0.0.1", Port: port, CA: "/does/not/exist.pem"}, authorities, "read the mail server's authority", sdk.CheckFailed},
	} {
		c.mail.Clock = sdktest.NewClock(time.Now())
		var found sdk.Check
		c.mail.Check(t.Context(), func(check sdk.Check) {
			if check.Name == c.name {
				found = check
			}
			if check.State == sdk.CheckFailed && check.Name != c.name || strings.Contains(check.Detail+check.Fix, "fake-pass") {
				t.Errorf("%+v", check)
			}
		})
		if found.State != c.state || !strings.Contains(found.Detail, c.want) || c.state == sdk.CheckFailed && found.Fix == "" {
			t.Errorf("%s: %+v", c.name, found)
		}
		for len(got) > 0 {
			if said := <-got; strings.Contains(said, "MAIL FROM") || strings.Contains(said, "DATA") {
				t.Errorf("a message was begun: %s", said)
			}
		}
	}
}

// TestMailTLSFromTheStart: on port 465 TLS begins with the first byte, and the password
// goes through it.
func TestMailTLSFromTheStart(t *testing.T) {
	t.Parallel()
	trusted := httptest.NewTLSServer(http.NotFoundHandler()) // for its certificate
	t.Cleanup(trusted.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:465", &tls.Config{Certificates: trusted.TLS.Certificates})
	if err != nil {
		t.Skipf("port 465 cannot be listened on here: %v", err)
	}
	t.Cleanup(func() { l.Close() })
	got := make(chan string, 8)
	go func() {
		for conn, err := l.Accept(); err == nil; conn, err = l.Accept() {
			got <- smtp(conn)
		}
	}()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: trusted.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Mail{Host: "127.0.0.1", Port: 465, CA: ca, Username: "u", Password: "fake-pass", From: "a@soc.example", To: []string{"b@soc.example"}, Clock: sdktest.NewClock(time.Now())}
	s.Check(t.Context(), func(c sdk.Check) {
		if c.State == sdk.CheckFailed {
			t.Errorf("%+v", c)
		}
	})
	if first, second := <-got, <-got; strings.Contains(first, "AUTH") || !strings.Contains(second, "AUTH PLAIN") {
		t.Errorf("%q, then %q", first, second)
	}
	if err := s.Send(t.Context(), &Message{Title: "x", At: time.Now()}); err != nil {
		t.Error(err)
	}
	if text := <-got; !strings.Contains(text, "DATA") {
		t.Error(text)
	}
}

// smtp speaks the server's part of one session and returns what the client said.
func smtp(conn net.Conn) string {
	defer conn.Close()
	var said strings.Builder
	fmt.Fprint(conn, "220 mail.soc.example\r\n")
	data := false
	for sc := bufio.NewScanner(conn); sc.Scan(); {
		line := sc.Text()
		said.WriteString(line + "\n")
		switch {
		case data && line == ".":
			data = false
			fmt.Fprint(conn, "250 taken\r\n")
		case data:
		case strings.HasPrefix(line, "EHLO") && conn.LocalAddr().(*net.TCPAddr).Port == implicitTLS:
			fmt.Fprint(conn, "250-mail.soc.example\r\n250 AUTH PLAIN\r\n")
		case strings.HasPrefix(line, "AUTH"):
			fmt.Fprint(conn, "235 welcome\r\n")
		case strings.HasPrefix(line, "DATA"):
			data = true
			fmt.Fprint(conn, "354 go on\r\n")
		case strings.HasPrefix(line, "QUIT"):
			fmt.Fprint(conn, "221 bye\r\n")
			return said.String()
		default:
			fmt.Fprint(conn, "250 ok\r\n")
		}
	}
	return said.String()
}

// TestADeadServerDelaysNoRun: the end of a run is posted, and a configuration taken,
// while a server keeps a message waiting.
func TestADeadServerDelaysNoRun(t *testing.T) {
	t.Parallel()
	called, release := make(chan struct{}), make(chan struct{})
	r := open(t, Route{Name: "soc", Runs: RunsAll, Sender: senderFunc(func() error {
		close(called)
		<-release
		return nil
	})})
	r.raise("feed", "frozen", "")
	r.clock.Advance(Wait)
	looked := make(chan error, 1)
	go func() { looked <- r.a.Look(t.Context()) }()
	<-called
	if err := r.a.Ended(t.Context(), schedule.Record{ID: "run-1", Job: "j", Status: schedule.Done}); err != nil {
		t.Error(err)
	}
	up := &box{}
	r.a.Configure([]Route{{Name: "soc", Runs: RunsAll, Sender: up}})
	close(release)
	if err := <-looked; err != nil {
		t.Fatal(err)
	}
	r.after(0)
	want(t, up, "[soc] job j: done")
}

// TestQuotedTextIsTame: what a feed answered neither calls a channel in Slack nor fills
// a message.
func TestQuotedTextIsTame(t *testing.T) {
	t.Parallel()
	m := &Message{Title: "T", Begun: []condition.Condition{{Node: "n", Kind: "k", Message: "<!channel> & " + strings.Repeat("<td>\n", 10_000)}}}
	body, err := json.Marshal((&Webhook{Shape: Slack}).body(m))
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Text string }
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(got.Text, "<") || !strings.Contains(got.Text, "&lt;!channel&gt; &amp; &lt;td&gt; &lt;td&gt;") || strings.Count(m.Text(), "\n") != 2 {
		t.Error(got.Text)
	}
	if n := len([]rune(m.Text())); n > 2*mostText {
		t.Errorf("%d characters for one condition", n)
	}
}
