package feed

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/remeld/remeld/sdk"
)

// staleAfter is how long a request waits for the body of a new version before it
// is served the last complete one, if there is one.
const staleAfter = 2 * time.Second

// maxForm bounds a form body, in bytes.
const maxForm = 64 << 10

// minZip is the size below which compressing is not worth a second file.
const minZip = 1400

// handler serves one table. A body is rendered whole, into a file, before the
// first byte of it is sent: no client ever sees an empty or a cut-off one.
type handler struct {
	node  *node
	table source
	cache *cache
	// renders bounds how many bodies are made at a time: each takes the table's
	// texts in memory.
	renders chan struct{}

	mu      sync.Mutex
	flights map[string]*flight
}

// source is the table in the form of a feed.
type source interface {
	Version() uint64
	list(ctx context.Context, payload payloadFunc) (*snapshot, error)
}

// tableSource makes a source of a node's table.
type tableSource struct{ sdk.Table }

func (t tableSource) list(ctx context.Context, payload payloadFunc) (*snapshot, error) {
	return readSnapshot(ctx, t.Table, payload)
}

// flight is a body being made, which any number of requests may wait for.
type flight struct {
	waiting int // under the handler's mu
	done    chan struct{}
	body    *body
	err     error
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		fail(w, &badQuery{http.StatusMethodNotAllowed, "Method not allowed"})
		return
	}
	v, err := values(r)
	if err != nil {
		fail(w, err)
		return
	}
	q, err := parseQuery(v)
	if err != nil {
		fail(w, err)
		return
	}
	// A body can be dropped between being chosen and opened, or its file be removed
	// by hand.
	for range 3 {
		b, err := h.body(r.Context(), q)
		if err == nil {
			err = h.serve(w, r, q, b)
		}
		if errors.Is(err, errGone) {
			h.cache.forget(b)
			continue
		}
		if err != nil && r.Context().Err() == nil {
			h.report(q, err)
			fail(w, err)
		}
		return
	}
	fail(w, errGone)
}

// report logs what is not the client's doing.
func (h *handler) report(q *query, err error) {
	var bad *badQuery
	if !errors.As(err, &bad) {
		h.node.env.Log.Error("the feed could not be served", "format", q.format, "error", err)
	}
}

// fail answers as MineMeld does: a sentence in HTML.
func fail(w http.ResponseWriter, err error) {
	bad := &badQuery{http.StatusInternalServerError, "Internal error"}
	errors.As(err, &bad)
	text := "<html><body>" + html.EscapeString(bad.msg) + "</body></html>"
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(bad.status)
	_, _ = io.WriteString(w, text)
}

// body returns the body for q: of the present version, or the last complete one if
// the present one takes too long or cannot be made.
func (h *handler) body(ctx context.Context, q *query) (*body, error) {
	key := q.key()
	last := h.cache.get(key)
	if last != nil && last.version == h.table.Version() {
		return last, nil
	}
	f := h.join(q, key)
	defer h.leave(f)
	if last == nil {
		select {
		case <-f.done:
			return f.body, f.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	late := make(chan struct{})
	go func() {
		defer close(late)
		_ = h.node.env.Clock.Sleep(waiting, staleAfter)
	}()
	select {
	case <-f.done:
	case <-late:
	}
	select {
	case <-f.done:
	default:
		return last, ctx.Err()
	}
	var bad *badQuery
	if f.err != nil && !errors.As(f.err, &bad) {
		h.report(q, f.err)
		return last, nil
	}
	return f.body, f.err
}

// join begins to make a body, or joins who does.
func (h *handler) join(q *query, key string) *flight {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f := h.flights[key]; f != nil {
		f.waiting++
		return f
	}
	f := &flight{waiting: 1, done: make(chan struct{})}
	if h.flights == nil {
		h.flights = map[string]*flight{}
	}
	h.flights[key] = f
	go func() {
		h.renders <- struct{}{}
		if h.wanted(f, key) {
			f.body, f.err = h.make(q, key)
		}
		<-h.renders
		h.mu.Lock()
		if h.flights[key] == f {
			delete(h.flights, key)
		}
		h.mu.Unlock()
		close(f.done)
	}()
	return f
}

func (h *handler) leave(f *flight) {
	h.mu.Lock()
	defer h.mu.Unlock()
	f.waiting--
}

// wanted says whether f is still worth making when its turn comes: somebody waits,
// or has been served the body before it. If not, f is closed to who comes now.
func (h *handler) wanted(f *flight, key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if f.waiting > 0 || h.cache.get(key) != nil {
		return true
	}
	delete(h.flights, key)
	return false
}

// make renders the body for q. It belongs to no single request, so that one client
// going away does not fail the others.
func (h *handler) make(q *query, key string) (*body, error) {
	version := h.table.Version()
	var payload payloadFunc
	if p := formats[q.format].payload; p != nil && h.node.cfg.Values {
		payload = p(q)
	}
	l, err := h.table.list(context.Background(), payload)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(h.cache.dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory for rendered bodies: %w", err)
	}
	file, err := os.CreateTemp(h.cache.dir, "body-*")
	if err != nil {
		return nil, fmt.Errorf("making a file for a rendered body: %w", err)
	}
	sum := sha256.New()
	r := &render{
		w: bufio.NewWriterSize(io.MultiWriter(file, sum), 256<<10), q: q, l: l, now: h.node.env.Clock.Now(),
		name: h.node.env.Node, values: h.node.cfg.Values, icon: h.node.icon, iconSmall: h.node.iconSmall,
	}
	err = r.body()
	size, seekErr := file.Seek(0, io.SeekCurrent)
	if err = errors.Join(err, seekErr, file.Close()); err != nil {
		_ = os.Remove(file.Name())
		return nil, err
	}
	b := &body{key: key, version: version, etag: hex.EncodeToString(sum.Sum(nil)[:16]), path: file.Name(), size: size}
	h.cache.put(b)
	return b, nil
}

// serve sends b: conditional, compressed or in part, as the client asked.
func (h *handler) serve(w http.ResponseWriter, r *http.Request, q *query, b *body) error {
	zipped := b.size >= minZip && r.Header.Get("Range") == "" && acceptsGzip(r.Header.Get("Accept-Encoding"))
	f, size, err := h.cache.open(b, zipped)
	if err != nil {
		return err
	}
	defer f.Close()
	header := w.Header()
	header.Set("Content-Type", formats[q.format].mime)
	header.Add("Vary", "Accept-Encoding")
	if zipped {
		header.Set("Etag", `"`+b.etag+`-gz"`)
		header.Set("Content-Encoding", "gzip")
		header.Set("Content-Length", strconv.FormatInt(size, 10))
	} else {
		header.Set("Etag", `"`+b.etag+`"`)
	}
	http.ServeContent(w, r, "", time.Time{}, f)
	return nil
}

// acceptsGzip says whether the client takes gzip, by name or as *.
func acceptsGzip(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		name, params, _ := strings.Cut(part, ";")
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "gzip" && name != "*" {
			continue
		}
		q, given := strings.CutPrefix(strings.ReplaceAll(params, " ", ""), "q=")
		weight, err := strconv.ParseFloat(q, 64)
		return !given || err != nil || weight > 0
	}
	return false
}

// readForm reads a form body of any method; the standard library reads those of
// POST, PUT and PATCH only.
func readForm(r *http.Request) (url.Values, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxForm+1))
	if err != nil {
		return nil, fmt.Errorf("reading the form: %w", err)
	}
	if len(raw) > maxForm {
		return nil, errors.New("the form is too large")
	}
	return parseForm(string(raw)), nil
}
