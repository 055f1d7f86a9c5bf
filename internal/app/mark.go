package app

import (
	"context"
	"errors"
	"fmt"
	"regexp"

	"github.com/remeld/remeld/internal/store"
)

// markShape is what minting makes: the instance's name, and 16 hexadecimal digits.
var markShape = regexp.MustCompile(`^\S+-[0-9a-f]{16}$`)

// MarkArgs may name the mark of a store that was lost.
type MarkArgs struct {
	Restore string `json:"restore"`
}

// MarkView is the mark on our rows.
type MarkView struct {
	Mark string `json:"mark"`
}

// Mark tells the owner mark. With Restore it gives this store the mark of one that was
// lost, so that its rows at the tenants are ours again and can be adopted (SEMANTICS
// D2): only while nothing was made under the mark it has.
func (a *App) Mark(ctx context.Context, args MarkArgs) (MarkView, error) {
	if args.Restore == "" || args.Restore == a.keys.mark {
		return MarkView{Mark: a.keys.mark}, nil
	}
	if !markShape.MatchString(args.Restore) {
		return MarkView{}, fmt.Errorf("%q is no owner mark: one looks like %s", args.Restore, a.keys.mark)
	}
	if a.running.Load() {
		return MarkView{}, errors.New("the mark is on every row this process makes: end remeld run, restore the mark, and start it again")
	}
	rows, err := a.deliver.Recorded(ctx)
	if err != nil {
		return MarkView{}, err
	}
	if rows > 0 {
		return MarkView{}, fmt.Errorf("this store has %d rows of its own under the mark %s, which would be foreign under another: restore a mark into an empty state directory only", rows, a.keys.mark)
	}
	_, err = a.store.Commit(ctx, &store.Commit{Writes: []store.Write{{Space: identitySpace, Key: []byte("mark"), Value: []byte(args.Restore)}}})
	if err != nil {
		return MarkView{}, fmt.Errorf("restore the mark: %w", err)
	}
	return MarkView{Mark: args.Restore}, nil
}
