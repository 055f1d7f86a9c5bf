package pebblestore

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
)

const (
	// defaultCache lies in the collected heap (the product is built without cgo), so each
	// of its megabytes costs half a one more until the collector runs. Twice as much
	// serves no merge of tables that are larger anyway and puts a job over half a million
	// indicators above 300 MB (docs/performance.md).
	defaultCache = 64 << 20
	memTable     = 16 << 20
	blockSize    = 8 << 10
	tableSize    = 8 << 20 // in the upper levels; it doubles per level below
)

// tune sets Pebble up for sorted batches of about 10,000 rows, sequential merges over
// whole spaces, and a process of a few hundred megabytes on two cores.
func tune(o Options, fs vfs.FS, h *health) *pebble.Options {
	p := &pebble.Options{
		FS:                 fs,
		FormatMajorVersion: pebble.FormatNewest,
		CacheSize:          o.CacheSize,
		MemTableSize:       memTable,
		// Memory tables are taken from the cache's budget.
		MemTableStopWritesThreshold: 4,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       1000,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                1000,
		Logger:                      h,
		EventListener:               h.listener(),
		ReadOnly:                    o.ReadOnly,
		ErrorIfNotExists:            o.ReadOnly,
		WALBytesPerSync:             1 << 20,
	}
	if p.CacheSize == 0 {
		p.CacheSize = defaultCache
	}
	p.CompactionConcurrencyRange = func() (int, int) { return 1, 2 }
	p.TargetFileSizes[0] = tableSize
	for i := range p.Levels {
		p.Levels[i].BlockSize = blockSize
		p.Levels[i].IndexBlockSize = 64 << 10
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
	}
	// Measured with 3 M rows and 10,000 sorted keys spread over them: a get costs 12 µs
	// so, 18 with zstd at the bottom and 27 with zstd and blocks of 16 kB; zstd saves a
	// tenth of the disk.
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionFastest })
	p.EnsureDefaults()
	return p
}
