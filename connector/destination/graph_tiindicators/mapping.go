package graphti

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/ipset"
	"github.com/remeld/remeld/sdk"

	api "github.com/remeld/remeld/internal/microsoft/graph"
)

// maxAddresses is how many single addresses a CIDR or range may become at Defender;
// each one takes a slot of the tenant (SEMANTICS, defaults).
const maxAddresses = 8

// Map turns a record into tiIndicators: at Sentinel one for each CIDR of a range, at
// Defender one for each single address of a small one, and one for everything else.
func (t *target) Map(rec *indicator.Record) ([]sdk.Object, *sdk.Unfit) {
	if why := t.fits(rec); why != nil {
		return nil, why
	}
	ruled, action, life := t.rule(rec)
	var objects []sdk.Object
	parts := t.parts(rec)
	for _, part := range parts {
		one := *ruled
		one.Indicator = part
		o := t.object(&one, action)
		o.Life, o.Part = life, len(parts) > 1 && !rec.Kind.In(indicator.IP)
		objects = append(objects, o)
	}
	return objects, nil
}

// rule applies the node's rules to a record: what it is then, what is done on a match,
// and how long it lives, 0 for as long as its kind.
func (t *target) rule(rec *indicator.Record) (ruled *indicator.Record, action string, life time.Duration) {
	ruled, r := t.rules.Apply(rec)
	action = t.config.Action
	if r == nil {
		return ruled, action, 0
	}
	if r.Action != "" {
		action = r.Action
	}
	return ruled, action, r.Expiration
}

// Blocks tells whether what the node or the rule that counts does about the record
// stops something.
func (t *target) Blocks(rec *indicator.Record) bool {
	_, action, _ := t.rule(rec)
	return action == string(api.Block)
}

// Fit says what Map would refuse, without building a body.
func (t *target) Fit(rec *indicator.Record) string {
	if why := t.fits(rec); why != nil {
		return why.Code
	}
	return ""
}

func (t *target) fits(rec *indicator.Record) *sdk.Unfit {
	if !mapping.GraphKinds[t.config.Product][rec.Kind] {
		return &sdk.Unfit{Code: "unsupported_kind", Detail: t.config.Product + " takes no tiIndicator of kind " + rec.Kind.String()}
	}
	if why := t.config.Hashes.Fit(rec); why != nil {
		return why
	}
	if t.config.Product != api.Defender || !rec.Kind.In(indicator.IP) {
		return nil
	}
	from, to, _ := rec.Addrs()
	for a, n := from, 1; ; a, n = a.Next(), n+1 {
		switch {
		case n > maxAddresses:
			return &sdk.Unfit{Code: "range_too_wide", Detail: fmt.Sprintf("%s takes single addresses; %s is more than %d of them", api.Defender, rec.Value, maxAddresses)}
		case a.IsPrivate() || !a.IsGlobalUnicast():
			return &sdk.Unfit{Code: "not_public", Detail: a.String() + " is not a public address, which " + api.Defender + " refuses"}
		case a == to:
			return nil
		}
	}
}

// parts are the indicators that an object each is made of.
func (t *target) parts(rec *indicator.Record) []indicator.Indicator {
	from, to, ok := rec.Addrs()
	if !ok {
		return t.config.Hashes.Of(rec)
	}
	var parts []indicator.Indicator
	if t.config.Product == api.Defender {
		for a := from; ; a = a.Next() {
			if parts = append(parts, indicator.FromAddrs(a, a)); a == to {
				return parts
			}
		}
	}
	for p := range ipset.CIDRs(from, to) {
		parts = append(parts, network(p))
	}
	return parts
}

func network(p netip.Prefix) indicator.Indicator {
	i, _ := indicator.Parse(indicator.IP, p.String()) // what a prefix prints is one
	return i
}

func (t *target) object(rec *indicator.Record, action string) sdk.Object {
	ind := mapping.Graph.Fill(&mapping.In{Rec: rec, Value: rec.Value, Action: action, Say: &t.say})
	body, err := json.Marshal(ind)
	if err != nil { // texts and numbers always marshal
		panic(err)
	}
	slot := slotOf(&ind)
	return sdk.Object{
		Identity: slot + "|" + fixedOf(&ind), Slot: slot, Indicator: rec.Indicator, Action: action,
		Body: body, Hash: hashOf(&ind), Score: rec.Attrs.Confidence,
	}
}

// observable is the property an indicator is about, and its value.
func observable(i *api.Indicator) (name, value string) {
	for _, o := range []struct{ name, value string }{
		{string(i.FileHashType), i.FileHashValue}, {"url", i.URL}, {"domain", i.DomainName},
		{"ipv4", i.NetworkDestinationIPv4}, {"ipv6", i.NetworkDestinationIPv6},
		{"ipv4", i.NetworkIPv4}, {"ipv6", i.NetworkIPv6}, {"cidr", i.NetworkCidrBlock},
		{"email", i.EmailSenderAddress}, {"email_subject", i.EmailSubject}, {"user_agent", i.UserAgent},
		{"file_name", i.FileName}, {"file_path", i.FilePath}, {"mutex", i.FileMutexName},
	} {
		if o.value != "" {
			return o.name, o.value
		}
	}
	return "", ""
}

// slotOf is the value in question. Defender folds letter case; for Sentinel two paths
// of one URL in other letters are two.
func slotOf(i *api.Indicator) string {
	name, value := observable(i)
	if a, err := netip.ParseAddr(value); err == nil {
		value = a.String()
	}
	if i.TargetProduct == api.Defender {
		value = strings.ToLower(value)
	}
	return name + "|" + value
}

// fixedOf is what of an object no update may change, so that a change of it makes
// another object that replaces this one (SEMANTICS D14). At Defender that is the
// action: the product knows an indicator by value and action, and keeps none of the
// other properties that cannot be edited. At Sentinel the action can be edited, but
// not the threat type and whatever else describes the observable.
func fixedOf(i *api.Indicator) string {
	if i.TargetProduct == api.Defender {
		return string(i.Action)
	}
	c := *i
	clearEditable(&c)
	return digest(&c)
}

// clearEditable leaves what cannot be edited at Sentinel (Microsoft Graph, "Update
// multiple tiIndicators") and what the service stamps.
func clearEditable(c *api.Indicator) {
	c.ID, c.AzureTenantID, c.IngestedDateTime = "", "", ""
	c.Action, c.ActivityGroupNames, c.AdditionalInformation, c.Confidence, c.Description = "", nil, "", nil, ""
	c.DiamondModel, c.ExpirationDateTime, c.ExternalID, c.IsActive, c.KillChain = "", "", "", nil, nil
	c.KnownFalsePositives, c.LastReportedDateTime, c.MalwareFamilyNames, c.PassiveOnly = "", "", nil, nil
	c.Severity, c.Tags, c.TLPLevel = nil, nil, ""
}

// editableOnly leaves what an update may carry.
func editableOnly(i *api.Indicator) api.Indicator {
	if i.TargetProduct == api.Defender {
		return api.Indicator{TargetProduct: i.TargetProduct, Description: i.Description, Severity: i.Severity, ExpirationDateTime: i.ExpirationDateTime}
	}
	return api.Indicator{
		TargetProduct: i.TargetProduct, ExpirationDateTime: i.ExpirationDateTime, ExternalID: i.ExternalID,
		Action: i.Action, ActivityGroupNames: i.ActivityGroupNames, AdditionalInformation: i.AdditionalInformation, Confidence: i.Confidence,
		Description: i.Description, DiamondModel: i.DiamondModel, IsActive: i.IsActive, KillChain: i.KillChain,
		KnownFalsePositives: i.KnownFalsePositives, LastReportedDateTime: i.LastReportedDateTime, MalwareFamilyNames: i.MalwareFamilyNames,
		PassiveOnly: i.PassiveOnly, Severity: i.Severity, Tags: i.Tags, TLPLevel: i.TLPLevel,
	}
}

// hashOf is over what an update can change and is worth one (SEMANTICS D10): not the
// expiry, the external id, the confidence, nor counts and sightings.
func hashOf(i *api.Indicator) string {
	c := editableOnly(i)
	c.ExpirationDateTime, c.ExternalID, c.Confidence, c.KnownFalsePositives, c.LastReportedDateTime = "", "", nil, "", ""
	if c.Severity == nil { // the service says 3 of what says nothing
		c.Severity = new(api.Int)
		*c.Severity = defaultSeverity
	}
	if c.DiamondModel == unknownMember {
		c.DiamondModel = ""
	}
	if c.IsActive != nil && *c.IsActive { // as good as not said
		c.IsActive = nil
	}
	if c.PassiveOnly != nil && !*c.PassiveOnly {
		c.PassiveOnly = nil
	}
	return digest(&c)
}

const (
	defaultSeverity = 3
	// unknownMember is the member of every enumeration for what is not said.
	unknownMember = "unknown"
)

func digest(i *api.Indicator) string {
	body, err := json.Marshal(i)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:8])
}
