package defender

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/defender"
)

// maxAddresses is how many single addresses a CIDR or range may become; each one
// takes a slot of the tenant (SEMANTICS, defaults).
const maxAddresses = 8

// Map turns a record into the API's indicators, one for each single address of a
// small range and one for everything else.
func (t *target) Map(rec *indicator.Record) ([]sdk.Object, *sdk.Unfit) {
	ruled, said := t.rule(rec)
	if why := t.fits(rec, said.action); why != nil {
		return nil, why
	}
	if from, to, isAddr := rec.Addrs(); isAddr {
		return t.mapAddresses(ruled, said, from, to), nil
	}
	said.action = t.actionFor(rec.Kind, said.action)
	var objects []sdk.Object
	parts := t.config.Hashes.Of(rec)
	for _, i := range parts {
		one := *ruled
		one.Indicator = i
		o := t.object(&one, i.Value, said)
		o.Part = len(parts) > 1
		objects = append(objects, o)
	}
	return objects, nil
}

// said is what config and rules say of one record: the API's action and how long it
// lives, 0 for as long as its kind.
type said struct {
	action string
	life   time.Duration
}

// rule applies the node's rules to a record.
func (t *target) rule(rec *indicator.Record) (*indicator.Record, said) {
	ruled, r := t.rules.Apply(rec)
	if r == nil {
		return rec, said{action: t.action}
	}
	s := said{action: t.action, life: r.Expiration}
	if r.Action != "" {
		s.action = actions[r.Action]
	}
	return ruled, s
}

const blockAndRemediate = "BlockAndRemediate"

// actionFor is the API's word for an action on a kind.
func (t *target) actionFor(kind indicator.Kind, action string) string {
	switch {
	case action != "Block":
		return action
	case kind == indicator.Certificate:
		return blockAndRemediate // the only block the service has for certificates
	case t.config.FileBlock == "block_and_remediate" && (kind == indicator.MD5 || kind == indicator.SHA1 || kind == indicator.SHA256):
		return blockAndRemediate // refused for addresses, domains and URLs
	}
	return action
}

// Fit says what Map would refuse, without building a body: a plan over a million
// records asks it of each. It returns the code of the Unfit, "" if there is none.
func (t *target) Fit(rec *indicator.Record) string {
	_, said := t.rule(rec)
	if why := t.fits(rec, said.action); why != nil {
		return why.Code
	}
	return ""
}

// fits is what the service takes of the hashes that are chosen.
func (t *target) fits(rec *indicator.Record, action string) *sdk.Unfit {
	if why := t.config.Hashes.Fit(rec); why != nil {
		return why
	}
	return fits(rec, action)
}

// fits names what the service is known to refuse.
func fits(rec *indicator.Record, action string) *sdk.Unfit {
	switch _, known := mapping.DefenderTypes[rec.Kind]; {
	case !known:
		return &sdk.Unfit{Code: "unsupported_kind", Detail: "Defender has no indicator of kind " + rec.Kind.String()}
	case rec.Kind == indicator.IPv4 || rec.Kind == indicator.IPv6:
		return fitsAddresses(rec)
	case mapping.Length(rec.Value) > api.MaxValueLen:
		return &sdk.Unfit{Code: "too_long", Detail: fmt.Sprintf("%d characters; Defender takes %d", mapping.Length(rec.Value), api.MaxValueLen)}
	case rec.Kind == indicator.Domain && (strings.HasPrefix(rec.Value, "_") || strings.Contains(rec.Value, "._")):
		return &sdk.Unfit{Code: "underscore_label", Detail: "Defender refuses domain labels that begin with _"}
	case rec.Kind == indicator.Certificate && action != actions["block"]:
		return &sdk.Unfit{Code: "action_not_for_kind", Detail: "certificates can only be blocked; " + action + " is not for them"}
	}
	return nil
}

// fitsAddresses: few enough single addresses, all of them public.
func fitsAddresses(rec *indicator.Record) *sdk.Unfit {
	from, to, _ := rec.Addrs()
	for a, n := from, 1; ; a, n = a.Next(), n+1 {
		if n > maxAddresses {
			return &sdk.Unfit{Code: "range_too_wide", Detail: fmt.Sprintf("Defender takes single addresses; %s is more than %d of them", rec.Value, maxAddresses)}
		}
		if a.IsPrivate() || !a.IsGlobalUnicast() {
			return &sdk.Unfit{Code: "not_public", Detail: a.String() + " is not a public address, which Defender refuses"}
		}
		if a == to {
			return nil
		}
	}
}

func (t *target) mapAddresses(rec *indicator.Record, said said, from, to netip.Addr) []sdk.Object {
	var objects []sdk.Object
	for a := from; ; a = a.Next() {
		one := *rec
		one.Indicator = indicator.FromAddrs(a, a)
		objects = append(objects, t.object(&one, spell(a), said))
		if a == to {
			return objects
		}
	}
}

// spell writes an address as the API wants it: IPv6 with all eight groups.
func spell(a netip.Addr) string {
	if a.Is4() {
		return a.String()
	}
	b := a.As16()
	groups := make([]string, 8)
	for i := range groups {
		groups[i] = fmt.Sprintf("%x", uint16(b[2*i])<<8|uint16(b[2*i+1]))
	}
	return strings.Join(groups, ":")
}

func (t *target) object(rec *indicator.Record, value string, said said) sdk.Object {
	ind := mapping.Defender.Fill(&mapping.In{Rec: rec, Value: value, Action: said.action, Say: &t.say})
	body, err := json.Marshal(ind)
	if err != nil { // strings and a bool always marshal
		panic(err)
	}
	slot := slotOf(ind.Type, value, t.groups)
	return sdk.Object{
		Identity: slot + "|" + ind.Action, Slot: slot, Indicator: rec.Indicator, Action: ind.Action,
		Body: body, Hash: hashOf(&ind), Score: rec.Attrs.Confidence, Life: said.life,
	}
}

// slotOf is the service's own notion of the same value: type, folded value and device
// groups (defender-sentinel reference 1.4); with the action it is one object.
func slotOf(kind, value string, groups []string) string {
	slot := kind + "|" + fold(value)
	if len(groups) > 0 { // scoped rows are objects of their own
		slot += "|" + scopeOf(groups)
	}
	return slot
}

// fold makes spellings of one value alike: letter case, and the groups of an IPv6
// address, which the service may list in another form than it takes.
func fold(value string) string {
	if a, err := netip.ParseAddr(value); err == nil {
		return a.String()
	}
	return strings.ToLower(value)
}

var scoreTail = regexp.MustCompile(`; confidence \d+$`)

// hashOf is over what makes a change worth a write (SEMANTICS D10, D15): not the
// expiry, not the owner mark, not the score, nor the undocumented fields, which a
// tenant may drop: they ride along with the next write. application is fixed at creation.
func hashOf(ind *api.Indicator) string {
	sum := sha256.New()
	alert := fmt.Sprint(ind.GenerateAlert)
	for _, field := range []string{ind.Value, ind.Type, ind.Action, ind.Title, scoreTail.ReplaceAllString(ind.Description, ""), ind.Severity, ind.RecommendedActions, alert} {
		fmt.Fprintf(sum, "%d:%s", len(field), field)
	}
	if ind.EducateURL != "" { // absent, the hash is that of rows sent before the field was known
		fmt.Fprintf(sum, "educate:%s", ind.EducateURL)
	}
	return hex.EncodeToString(sum.Sum(nil)[:16])
}
