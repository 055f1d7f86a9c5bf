package pebblestore_test

import (
	"os"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"go.uber.org/goleak"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/pebblestore"
	"github.com/remeld/remeld/internal/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_TO_HOLD"); dir != "" {
		holdStore(dir)
		return
	}
	// Pebble leaves this goroutine behind when its Open fails half-way.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction(
		"github.com/cockroachdb/pebble/v2.(*ConcurrencyLimitScheduler).periodicGranter"))
}

func medium(fs vfs.FS, dir string) storetest.Medium {
	return func() (store.Store, error) {
		s, err := pebblestore.Open(dir, pebblestore.Options{FS: fs, CacheSize: 8 << 20})
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Medium { return medium(vfs.NewMem(), "/var/store") })
}

func TestConformanceOnDisk(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Medium {
		t.Helper()
		return medium(nil, t.TempDir())
	})
}

func TestMetamorphic(t *testing.T) {
	storetest.Metamorphic(t, func() storetest.Medium { return medium(vfs.NewMem(), "/store") })
}
