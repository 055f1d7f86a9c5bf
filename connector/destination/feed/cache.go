package feed

import (
	"compress/gzip"
	"container/list"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// body is one rendered body on disk.
type body struct {
	key     string
	version uint64
	etag    string // of the content, without quotes
	path    string
	size    int64

	zip     sync.Mutex
	zipSize int64 // of path + ".gz", 0 before it is made
	gone    bool
}

// cache keeps the last body of each query, the least recently used first to go.
// It is safe for concurrent use.
type cache struct {
	dir   string
	limit int64

	mu     sync.Mutex
	byKey  map[string]*list.Element
	recent *list.List // of *body, most recent first
	used   int64
}

func newCache(dir string, limit int64) *cache {
	return &cache{dir: dir, limit: limit, byKey: map[string]*list.Element{}, recent: list.New()}
}

// get returns the last body of a query, nil if there is none.
func (c *cache) get(key string) *body {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.byKey[key]
	if e == nil {
		return nil
	}
	c.recent.MoveToFront(e)
	return e.Value.(*body)
}

// put makes b the body of its query and makes room.
func (c *cache) put(b *body) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.byKey[b.key]; old != nil {
		c.drop(old)
	}
	c.byKey[b.key] = c.recent.PushFront(b)
	c.used += b.size
	c.shrink()
}

// grow counts n more bytes of a body that is kept.
func (c *cache) grow(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.used += n
	c.shrink()
}

// shrink drops bodies until the limit is kept; the most recent one always stays.
func (c *cache) shrink() {
	for c.used > c.limit && c.recent.Len() > 1 {
		c.drop(c.recent.Back())
	}
}

// forget drops b, whose file is gone, unless another body took its place.
func (c *cache) forget(b *body) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.byKey[b.key]; e != nil && e.Value.(*body) == b {
		c.drop(e)
	}
}

func (c *cache) drop(e *list.Element) {
	b := c.recent.Remove(e).(*body)
	delete(c.byKey, b.key)
	b.zip.Lock()
	defer b.zip.Unlock()
	b.gone = true
	c.used -= b.size + b.zipSize
	_ = os.Remove(b.path) // who has it open goes on reading
	if b.zipSize > 0 {
		_ = os.Remove(b.path + ".gz")
	}
}

// errGone: the body was dropped between get and open.
var errGone = errors.New("the rendered body was dropped from the cache")

// open opens the body, compressed if zipped.
func (c *cache) open(b *body, zipped bool) (*os.File, int64, error) {
	if !zipped {
		f, err := os.Open(b.path)
		if errors.Is(err, os.ErrNotExist) {
			return nil, 0, errGone
		}
		return f, b.size, err
	}
	f, size, made, err := b.openZip()
	if made > 0 {
		c.grow(made)
	}
	return f, size, err
}

// openZip opens the compressed body, making it first where needed.
func (b *body) openZip() (f *os.File, size, made int64, err error) {
	b.zip.Lock()
	defer b.zip.Unlock()
	if b.gone {
		return nil, 0, 0, errGone
	}
	if b.zipSize == 0 {
		if b.zipSize, err = zipFile(b.path, b.path+".gz"); err != nil {
			return nil, 0, 0, fmt.Errorf("compressing a rendered body: %w", err)
		}
		made = b.zipSize
	}
	f, err = os.Open(b.path + ".gz")
	return f, b.zipSize, made, err
}

func zipFile(from, to string) (size int64, err error) {
	in, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err == nil {
		_, err = io.Copy(z, in)
		err = errors.Join(err, z.Close())
	}
	if err == nil {
		size, err = out.Seek(0, io.SeekCurrent)
	}
	if err = errors.Join(err, out.Close()); err != nil {
		_ = os.Remove(to)
		return 0, err
	}
	return size, nil
}
