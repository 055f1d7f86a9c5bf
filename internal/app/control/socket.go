package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// socketName is the socket's file in the state directory.
const socketName = "remeld.sock"

// socketMode lets the group talk to the process, nobody else (SEMANTICS, defaults).
const socketMode = 0o660

// maxPath is the longest path the kernel takes for a socket.
const maxPath = 107

// ErrNoProcess says that nothing answers on the socket of this state directory.
var ErrNoProcess = errors.New("no remeld process answers")

// Path returns the socket of a state directory. A path the kernel would refuse is
// replaced by one in the temporary directory, named after the state directory.
func Path(state string) string {
	p := filepath.Join(state, socketName)
	if abs, err := filepath.Abs(p); err == nil {
		p = abs
	}
	if len(p) <= maxPath {
		return p
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("remeld-%x.sock", hash(p)))
}

// hash is FNV-1a: a short stable name, not a secret.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// Listen opens the socket of a state directory. The caller holds the store's
// lock, so a socket file that is there belongs to a process that is gone and is
// removed (SEMANTICS E15).
func Listen(state string) (net.Listener, error) {
	path := Path(state)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("remove the stale socket: %w", err)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		l.Close()
		return nil, fmt.Errorf("open the control socket: %w", err)
	}
	return l, nil
}

// Serve answers calls on l until ctx ends, then lets running ones finish for a
// moment.
func Serve(ctx context.Context, l net.Listener, m Methods) error {
	srv := &http.Server{Handler: m, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return ctx }}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if srv.Shutdown(grace) != nil {
			_ = srv.Close() // what did not end in time is cut off
		}
	})
	err := srv.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the control socket: %w", err)
}

// Client calls a running process. Safe for concurrent use.
type Client struct{ http *http.Client }

// Dial finds the process of a state directory; ErrNoProcess if none answers.
func Dial(ctx context.Context, state string) (*Client, error) {
	path := Path(state)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	}
	conn, err := dial(ctx, "", "")
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrNoProcess
	}
	if err != nil {
		return nil, fmt.Errorf("talk to the running process: %w", err)
	}
	conn.Close()
	return &Client{http: &http.Client{Transport: &http.Transport{DialContext: dial}}}, nil
}

// Close lets idle connections go.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Call runs a method of the process and decodes its result into out. Progress in
// ctx is passed on.
func (c *Client) Call(ctx context.Context, name string, args, out any) error {
	body, err := json.Marshal(args)
	if err != nil {
		return fmt.Errorf("write the arguments of %s: %w", name, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://remeld/v1/"+name, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("call %s: %w", name, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("call %s: %w", name, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("call %s: the running process does not know it (HTTP %d); is it another version?", name, resp.StatusCode)
	}
	return readAnswer(ctx, name, json.NewDecoder(bufio.NewReader(resp.Body)), out)
}

func readAnswer(ctx context.Context, name string, dec *json.Decoder, out any) error {
	for {
		var l line
		if err := dec.Decode(&l); err != nil {
			return fmt.Errorf("call %s: the process ended before it answered: %w", name, err)
		}
		switch {
		case l.Error != nil:
			return l.Error
		case l.Result != nil:
			return json.Unmarshal(l.Result, out)
		default:
			Report(ctx, "%s", l.Progress)
		}
	}
}
