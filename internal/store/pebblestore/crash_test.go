package pebblestore_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/remeld/remeld/internal/store/storetest"
)

// crashDisk is a disk that loses what was not synced.
func crashDisk(onWrite func()) storetest.CrashDisk {
	mem := vfs.NewCrashableMem()
	fs := errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			onWrite()
		}
		return nil
	}))
	return storetest.CrashDisk{
		Open: medium(fs, "/var/lib/store"),
		Cut: func(rng *rand.Rand) storetest.Medium {
			keep := []int{0, 0, 20, 80}[rng.IntN(4)]
			left := mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: keep, RNG: rng})
			return medium(left, "/var/lib/store")
		},
	}
}

func TestE1_D20_AcknowledgedCommitsSurvivePowerCuts(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { storetest.Crash(t, seed, crashDisk) })
	}
}
