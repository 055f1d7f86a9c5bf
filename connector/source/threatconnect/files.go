package threatconnect

import (
	"context"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"
)

// hashKinds are the kinds a File may stand under.
var hashKinds = []indicator.Kind{indicator.MD5, indicator.SHA1, indicator.SHA256}

// formerHashes adds to what was touched the hashes under which a touched File stands
// here and no longer has: a File that lost its strongest hash is read anew under the
// next one, and nothing else would take the old one away before the next full read. A
// row is of a touched File if its object is, or if they share a hash: of a deleted File
// there is only the list of hashes it had in the end.
func (p *poll) formerHashes(ctx context.Context, touched map[value]bool, ids map[int64]bool) error {
	recaller, ok := p.out.(sdk.Recaller)
	has := map[string]bool{}
	for v := range touched {
		if v.typ == "File" {
			for _, h := range hashes(v.summary) {
				has[strings.ToLower(h)] = true
			}
		}
	}
	if delete(has, ""); len(has) == 0 || !ok {
		return nil
	}
	return recaller.Recall(ctx, hashKinds, func(key []byte, attrs *indicator.Attributes) error {
		id, _ := idOf(attrs)
		own := heldHashes(key, attrs)
		if len(own) == 0 || has[own[0]] {
			return nil // it is asked anew already
		}
		shared := ids[id]
		for _, h := range own {
			shared = shared || has[h]
		}
		if shared {
			touched[value{"File", strings.Join(own, " : ")}] = true
		}
		return nil
	})
}

// heldHashes are the hashes of a row that came from a File, the one it stands under
// first.
func heldHashes(key []byte, attrs *indicator.Attributes) []string {
	i, err := indicator.FromKey(key)
	if typ, _ := attrs.Extra["tc_type"].(string); err != nil || typ != "File" {
		return nil
	}
	own := []string{i.Value}
	for _, name := range []string{"md5", "sha1", "sha256"} {
		if h, _ := attrs.Extra[name].(string); h != "" && h != i.Value {
			own = append(own, h)
		}
	}
	return own
}
