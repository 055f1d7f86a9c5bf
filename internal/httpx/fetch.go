package httpx

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
)

// Download is a body on disk, decoded and unpacked.
type Download struct {
	NotModified bool
	Validators  Validators
	Path        string
	Size        int64
	SHA256      string // hex, of the file
}

// Fetch downloads rawURL into the file at path, which is replaced, repeating
// failed attempts as Options say. A file that is itself gzip or zstd is unpacked.
// If the transfer breaks off in the last attempt, the error comes with a Download
// of what did arrive (never with NotModified); nil if there was no body at all.
func (c *Client) Fetch(ctx context.Context, rawURL string, v Validators, path string) (*Download, error) {
	u, err := c.parse(rawURL)
	if err != nil {
		return nil, err
	}
	var d *Download
	err = c.retry(ctx, u, func() error {
		d, err = c.fetchOnce(ctx, u, v, path)
		return err
	})
	return d, err
}

func (c *Client) fetchOnce(ctx context.Context, u *url.URL, v Validators, path string) (*Download, error) {
	resp, err := c.attempt(ctx, u, v)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end or failed: nothing left to learn
	d := &Download{NotModified: resp.NotModified, Validators: resp.Validators, Path: path}
	if d.NotModified {
		return d, nil
	}
	plain, err := Unpack(resp.Body, c.o.MaxBody)
	if err != nil {
		return nil, c.failure(u, err)
	}
	defer func() { _ = plain.Close() }() // frees memory only
	d.Size, d.SHA256, err = spool(plain, path)
	var disk *diskError
	if errors.As(err, &disk) {
		return nil, err
	}
	if err != nil {
		return d, c.failure(u, err)
	}
	return d, nil
}

// diskError tells a failing disk from a failing transfer.
type diskError struct{ err error }

func (e *diskError) Error() string {
	return fmt.Sprintf("write the download to disk: %v: free some space or check the data folder's rights", e.err)
}
func (e *diskError) Unwrap() error { return e.err }

// spool copies r to a file. What arrived before an error stays in it.
func spool(r io.Reader, path string) (size int64, sum string, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, "", &diskError{err}
	}
	h := sha256.New()
	size, err = io.CopyBuffer(struct{ io.Writer }{diskWriter{f, h}}, r, make([]byte, 256<<10))
	if cerr := f.Close(); cerr != nil && err == nil {
		err = &diskError{cerr}
	}
	return size, hex.EncodeToString(h.Sum(nil)), err
}

type diskWriter struct{ file, hash io.Writer }

func (w diskWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		return n, &diskError{err}
	}
	return w.hash.Write(p[:n])
}
