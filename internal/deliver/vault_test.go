package deliver

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
	"github.com/remeld/remeld/sdk/sdktest"
)

// vault is a twin of a service like Sentinel's upload: an object's id is made by the
// sender from identity and generation, a later modified wins, one that is not later is
// dropped without a word, and a withdrawn id never returns.
type vault struct {
	mu    sync.Mutex
	clock *sdktest.Clock
	rows  map[string]*vaultRow // by id
	order []string             // of bodies received, for what is repeated
	stale int                  // writes that were not later than the one before
	fault func(op sdk.OpName, phase string) error
	info  sdk.TargetInfo
	words string // part of the content
}

type vaultRow struct {
	Identity, Value, Note, Mark string
	Generation                  uint32
	Created, Modified, Expires  time.Time
	Withdrawn                   bool
}

func newVault(clock *sdktest.Clock) *vault {
	v := &vault{clock: clock, rows: map[string]*vaultRow{}}
	v.info = sdk.TargetInfo{Domain: "vault/w1", Quota: "vault/w1", ReadLag: 20 * time.Second, App: "app", MaxTLP: indicator.Amber, Connection: "contoso", Retires: true,
		Ops: map[sdk.OpName]sdk.Op{
			sdk.OpUpsert: {Batch: 10, PerMinute: 100, RateKey: "upload", Idempotent: true},
			sdk.OpDelete: {Batch: 10, PerMinute: 100, RateKey: "upload", Idempotent: true},
			sdk.OpList:   {Batch: 1000, PerMinute: 100, RateKey: "query"},
		},
		Expiry: map[indicator.Kind]time.Duration{indicator.Domain: 30 * day}}
	return v
}

func (v *vault) Info() sdk.TargetInfo { return v.info }

func (v *vault) Map(rec *indicator.Record) ([]sdk.Object, *sdk.Unfit) {
	note := v.words + rec.Attrs.Description
	body, err := json.Marshal(vaultRow{Identity: rec.Value, Value: rec.Value, Note: note})
	if err != nil {
		panic(err)
	}
	return []sdk.Object{{Identity: rec.Value, Slot: rec.Value, Indicator: rec.Indicator, Body: body, Hash: "h:" + note, Score: rec.Attrs.Confidence}}, nil
}

func vaultID(identity string, generation uint32) string {
	return fmt.Sprintf("%s#%d", identity, generation)
}

func (v *vault) List(ctx context.Context, gate sdk.Gate, fn func(sdk.Remote) error) (sdk.Listing, error) {
	if v.info.Blind != "" {
		panic("a tenant that cannot be listed was listed")
	}
	if err := gate(ctx, sdk.OpList); err != nil {
		return sdk.Listing{}, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	l := sdk.Listing{ServerTime: v.clock.Now()}
	for id, r := range v.rows {
		raw, err := json.Marshal(r)
		if err != nil {
			panic(err)
		}
		if !r.Withdrawn {
			l.Count++
		}
		err = fn(sdk.Remote{ID: id, Identity: r.Identity, Slot: r.Identity, Value: r.Value, Mark: r.Mark, App: "app", Expires: r.Expires, Hash: "h:" + r.Note, Raw: raw,
			Generation: r.Generation, Created: r.Created, Modified: r.Modified, Withdrawn: r.Withdrawn})
		if err != nil {
			return l, err
		}
	}
	return l, nil
}

func (v *vault) Encode(op sdk.OpName, items []sdk.SendItem) ([]byte, error) {
	rows := make([]vaultRow, len(items))
	for i, it := range items {
		if err := json.Unmarshal(it.Object.Body, &rows[i]); err != nil {
			return nil, fmt.Errorf("%s carries no body: %w", it.Object.Identity, err)
		}
		r := &rows[i]
		r.Mark, r.Generation, r.Created, r.Modified, r.Expires = it.Mark, it.Generation, it.Created, it.Modified, it.Expires
		r.Withdrawn = op == sdk.OpDelete
	}
	return json.Marshal(rows)
}

func (v *vault) Send(_ context.Context, op sdk.OpName, body []byte) (sdk.Answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.fault != nil {
		if err := v.fault(op, "before"); err != nil {
			v.order = append(v.order, string(body))
			return sdk.Answer{}, err
		}
	}
	var rows []vaultRow
	if err := json.Unmarshal(body, &rows); err != nil {
		panic(err)
	}
	repeated := slices.Contains(v.order, string(body))
	v.order = append(v.order, string(body))
	ans := sdk.Answer{ServerTime: v.clock.Now()}
	for i := range rows {
		v.upload(&rows[i], repeated)
		ans.Outcomes = append(ans.Outcomes, sdk.Outcome{Status: sdk.Accepted, RemoteID: vaultID(rows[i].Identity, rows[i].Generation)})
	}
	if v.fault != nil {
		if err := v.fault(op, "after"); err != nil {
			return sdk.Answer{}, err
		}
	}
	return ans, nil
}

// upload takes one object; the lock is held.
func (v *vault) upload(r *vaultRow, repeated bool) {
	id := vaultID(r.Identity, r.Generation)
	old := v.rows[id]
	if old != nil && !r.Modified.After(old.Modified) && !repeated {
		v.stale++
	}
	if old != nil && (old.Withdrawn || !r.Modified.After(old.Modified)) {
		return
	}
	v.rows[id] = r
}

// live are the values that stand, with their notes.
func (v *vault) live() map[string]string {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := map[string]string{}
	for _, r := range v.rows {
		if !r.Withdrawn && r.Expires.After(v.clock.Now()) {
			m[r.Value] = r.Note
		}
	}
	return m
}

// vaultRig is a rig whose destination is a vault.
func vaultRig(r *rig) *vault {
	v := newVault(r.clock)
	r.dests[0].Target = v
	r.configure()
	return v
}
