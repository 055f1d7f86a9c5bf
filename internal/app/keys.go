package app

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"

	"github.com/remeld/remeld/internal/store"
)

// identitySpace holds what makes this store this store.
const identitySpace = "identity"

// keys are minted once for a store and never change.
type keys struct {
	// mark is the owner mark on every row this store makes (SEMANTICS D2): the
	// instance's name when it was minted and a random half. A renamed instance keeps
	// it, or its rows would be foreign.
	mark string
	// hash keys the fingerprints, so that a secret cannot be guessed from one.
	hash []byte
}

func loadKeys(ctx context.Context, s store.Store, instance string) (keys, error) {
	v, err := s.View()
	if err != nil {
		return keys{}, fmt.Errorf("read the store's identity: %w", err)
	}
	defer v.Close()
	mark, err := v.Get(ctx, identitySpace, []byte("mark"))
	if err != nil {
		return keys{}, fmt.Errorf("read the store's identity: %w", err)
	}
	hash, err := v.Get(ctx, identitySpace, []byte("hash"))
	if err != nil {
		return keys{}, fmt.Errorf("read the store's identity: %w", err)
	}
	if mark != nil && hash != nil {
		return keys{mark: string(mark), hash: hash}, nil
	}
	return mintKeys(ctx, s, instance)
}

func mintKeys(ctx context.Context, s store.Store, instance string) (keys, error) {
	random := make([]byte, 8+32)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	k := keys{mark: instance + "-" + hex.EncodeToString(random[:8]), hash: random[8:]}
	_, err := s.Commit(ctx, &store.Commit{Writes: []store.Write{
		{Space: identitySpace, Key: []byte("mark"), Value: []byte(k.mark)},
		{Space: identitySpace, Key: []byte("hash"), Value: k.hash},
	}})
	if err != nil {
		return keys{}, fmt.Errorf("mint the store's identity: %w", err)
	}
	return k, nil
}
