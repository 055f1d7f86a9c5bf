package memstore_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/remeld/remeld/internal/store"
	"github.com/remeld/remeld/internal/store/memstore"
	"github.com/remeld/remeld/internal/store/storetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func medium() storetest.Medium {
	d := memstore.NewDisk()
	return func() (store.Store, error) {
		s, err := d.Open()
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

func TestConformance(t *testing.T) {
	storetest.Run(t, func(*testing.T) storetest.Medium { return medium() })
}

// A caller that keeps a slice of a callback must be found out.
func TestKeptSlicesAreSpoiled(t *testing.T) {
	s := memstore.New()
	ctx := t.Context()
	if _, err := s.Commit(ctx, &store.Commit{Writes: []store.Write{{Space: "s", Key: []byte("key")}}}); err != nil {
		t.Fatal(err)
	}
	v, err := s.View()
	if err != nil {
		t.Fatal(err)
	}
	var kept []byte
	err = v.Scan(ctx, "s", store.Range{}, func(k, _ []byte) error { kept = k; return nil })
	if err != nil || string(kept) == "key" {
		t.Fatalf("kept slice still reads %q (error %v)", kept, err)
	}
}
