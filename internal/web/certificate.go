package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/remeld/remeld/sdk"
)

// certificateAge is how long a certificate is used without looking at its files.
const certificateAge = 10 * time.Second

// certificate is read again when its files change, so that a renewal needs no
// restart. One that cannot be read does not replace one that could.
type certificate struct {
	cert, key string
	clock     sdk.Clock
	log       *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	looked  time.Time
	stamp   string // of the files that current, or the last failure, came from
}

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.clock.Now()
	if c.current != nil && now.Sub(c.looked) < certificateAge && !now.Before(c.looked) {
		return c.current, nil
	}
	c.looked = now
	stamp := stampOf(c.cert) + stampOf(c.key)
	if c.current != nil && stamp == c.stamp {
		return c.current, nil
	}
	c.stamp = stamp
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.current = &pair
		return c.current, nil
	}
	if c.current == nil {
		return nil, fmt.Errorf("web: reading the certificate: %w", err)
	}
	c.log.Error("the new certificate cannot be read; the one before it stays in use", "file", c.cert, "error", err)
	return c.current, nil
}

// stampOf changes when a file does.
func stampOf(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprint(info.Size(), info.ModTime().UnixNano())
}
