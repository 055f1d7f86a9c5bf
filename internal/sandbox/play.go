package sandbox

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/sandbox/fault"
	"github.com/remeld/remeld/internal/sandbox/wire"
)

// maxEndless bounds an endless body, in bytes.
const maxEndless = 4 << 30

// play runs the call through its faults: delay, refusal before the effect, the
// effect, refusal after it, journal, and the answer with its defects.
func (s *Sandbox) play(w http.ResponseWriter, r *http.Request, x *exchange, actions []fault.Action) {
	var refuse []fault.Refusal
	for _, a := range actions {
		if s.delay(r.Context(), time.Duration(a.Latency), a.LatencyMode) != nil {
			panic(http.ErrAbortHandler)
		}
		refuse = append(refuse, a.Refuse...)
	}
	x.req.Now = s.clock.Now()
	if before := strike(actions, false); before != nil {
		s.end(w, r, x, before, actions)
		return
	}
	x.serve(refuse)
	s.end(w, r, x, strike(actions, true), actions)
}

// strike returns the first action that answers instead of the service.
func strike(actions []fault.Action, after bool) *fault.Action {
	for i := range actions {
		a := &actions[i]
		if (a.Reset || a.Status != 0) && (a.When == fault.After) == after {
			return a
		}
	}
	return nil
}

// end journals the call, then answers it or cuts the connection.
func (s *Sandbox) end(w http.ResponseWriter, r *http.Request, x *exchange, instead *fault.Action, actions []fault.Action) {
	if instead != nil && !instead.Reset {
		x.reply = faultReply(instead)
	}
	x.entry.Time, x.entry.Status = x.req.Now, x.reply.Status
	if instead != nil && instead.Reset {
		x.entry.Status = 0
	}
	s.log.Add(x.entry)
	if instead != nil && instead.Reset {
		reset(w)
		return
	}
	s.write(w, r, x.reply, actions)
}

func faultReply(a *fault.Action) wire.Reply {
	reply := wire.Reply{Status: a.Status, Header: http.Header{}, Body: []byte(a.Body)}
	if strings.HasPrefix(a.Body, "{") {
		reply = reply.With("Content-Type", "application/json; charset=utf-8")
	}
	for k, v := range a.Headers {
		reply = reply.With(k, v)
	}
	if a.RetryAfter != "" {
		reply = reply.With("Retry-After", a.RetryAfter)
	}
	return reply
}

func (s *Sandbox) delay(ctx context.Context, d time.Duration, mode string) error {
	if d <= 0 {
		return ctx.Err()
	}
	switch mode {
	case fault.Advance:
		s.clock.Advance(d)
		return ctx.Err()
	case fault.Clock:
		return s.clock.Wait(ctx, d)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// reset closes the connection so that the client sees it reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	raw := conn
	if t, ok := conn.(*tls.Conn); ok {
		raw = t.NetConn()
	}
	if tcp, ok := raw.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // close then sends RST
	}
	_ = raw.Close()
}

// write sends the reply with the defects of the actions.
func (s *Sandbox) write(w http.ResponseWriter, r *http.Request, reply wire.Reply, actions []fault.Action) {
	h := w.Header()
	for k, v := range reply.Header {
		h[k] = v
	}
	h.Set("Date", s.clock.Now().Format(http.TimeFormat))
	body := compress(h, r, reply)
	out := defects(actions)
	if out.endless {
		s.endless(w, r, reply.Status, body)
		return
	}
	bodyless := reply.Status == http.StatusNoContent || reply.Status == http.StatusNotModified
	if !bodyless {
		h.Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(reply.Status)
	if bodyless || r.Method == http.MethodHead {
		return
	}
	cut := out.truncate != 0 && out.truncate < len(body)
	if cut {
		body = body[:max(out.truncate, 0)]
	}
	s.send(r.Context(), w, body, out)
	if cut {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
}

// defect is how a body is spoilt.
type defect struct {
	truncate, chunk int
	delay           time.Duration
	mode            string
	endless         bool
}

func defects(actions []fault.Action) defect {
	var d defect
	for _, a := range actions {
		if a.Truncate != 0 {
			d.truncate = a.Truncate
		}
		if a.Chunk > 0 {
			d.chunk, d.delay, d.mode = a.Chunk, time.Duration(a.ChunkDelay), a.LatencyMode
		}
		d.endless = d.endless || a.Endless
	}
	return d
}

// send writes body, in chunks with a delay if the defect says so.
func (s *Sandbox) send(ctx context.Context, w http.ResponseWriter, body []byte, d defect) {
	size := d.chunk
	if size == 0 {
		size = max(len(body), 1)
	}
	for len(body) > 0 {
		n := min(size, len(body))
		if _, err := w.Write(body[:n]); err != nil {
			panic(http.ErrAbortHandler)
		}
		if body = body[n:]; d.chunk == 0 || len(body) == 0 {
			continue
		}
		_ = http.NewResponseController(w).Flush()
		if s.delay(ctx, d.delay, d.mode) != nil {
			panic(http.ErrAbortHandler)
		}
	}
}

func (s *Sandbox) endless(w http.ResponseWriter, r *http.Request, status int, body []byte) {
	if len(body) == 0 {
		body = []byte("\n")
	}
	w.WriteHeader(status)
	for sent := 0; sent < maxEndless && r.Context().Err() == nil; sent += len(body) {
		if _, err := w.Write(body); err != nil {
			break
		}
	}
	panic(http.ErrAbortHandler)
}

// compress packs the body where the client takes gzip.
func compress(h http.Header, r *http.Request, reply wire.Reply) []byte {
	if h.Get("Content-Encoding") == "identity" { // the service wants it unpacked
		h.Del("Content-Encoding")
		return reply.Body
	}
	h.Add("Vary", "Accept-Encoding")
	if len(reply.Body) < 256 || !acceptsGzip(r.Header.Get("Accept-Encoding")) {
		return reply.Body
	}
	var b strings.Builder
	z, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
	if err != nil {
		return reply.Body
	}
	if _, err = z.Write(reply.Body); err == nil {
		err = z.Close()
	}
	if err != nil {
		return reply.Body
	}
	h.Set("Content-Encoding", "gzip")
	return []byte(b.String())
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			q = strings.ReplaceAll(q, " ", "")
			return q != "q=0" && q != "q=0.0"
		}
	}
	return false
}
