// Package reason lists why delivery does not do something with an object: every
// code, its class and what a person should know about it. Use it wherever a
// reason is stored, counted, printed or documented; no other code exists.
//
// There are two ways of not sending (SEMANTICS D4): what is held out must not be
// at the tenant, so a live row of it is planned for deletion; what is frozen is
// left exactly as it is. Every code belongs to one of them.
package reason

import "strings"

// Class says what a code means for an object that is live at the tenant.
type Class string

// The classes.
const (
	HeldOut Class = "held-out"
	Frozen  Class = "frozen"
)

// Code is why an object is held out or frozen.
type Code string

// The codes of what must not be at the tenant.
const (
	Withdrawn        Code = "withdrawn"
	Removed          Code = "removed"
	AllowListed      Code = "allow_listed"
	Unblocked        Code = "unblocked"
	Retired          Code = "retired"
	Expired          Code = "expired"
	TLP              Code = "tlp"
	Filter           Code = "filter"
	Confidence       Code = "confidence"
	Protected        Code = "protected"
	SpecialPurpose   Code = "special_purpose"
	PublicSuffix     Code = "public_suffix"
	TooWide          Code = "too_wide"
	Warninglist      Code = "warninglist"
	Unfit            Code = "unfit"
	Conflict         Code = "conflict"
	Quota            Code = "quota"
	ForeignDuplicate Code = "foreign_duplicate"
	ForeignAllow     Code = "foreign_allow"
	RolledBack       Code = "rolled_back"
	NextRun          Code = "next_run"
)

// The codes of what is left as it is.
const (
	GuardDelete      Code = "guard_delete"
	GuardCreate      Code = "guard_create"
	GuardSource      Code = "guard_source"
	GuardProtective  Code = "guard_protective"
	Unsettled        Code = "unsettled"
	NoListing        Code = "no_listing"
	UnlistedStart    Code = "unlisted_start"
	AdoptFirst       Code = "adopt_first"
	AllowNotReady    Code = "allow_not_ready"
	AllowLifted      Code = "allow_lifted"
	ProtectionLifted Code = "protection_lifted"
	InDoubt          Code = "in_doubt"
	Rejected         Code = "rejected"
	ReplacementStuck Code = "replacement_stuck"
	ChangedByHand    Code = "changed_by_hand"
	UnknownOwn       Code = "unknown_own"
	ForeignTouched   Code = "foreign_touched"
	Later            Code = "later"
	Pinned           Code = "pinned"
)

// Doc is what is known of a code.
type Doc struct {
	Code  Code
	Class Class
	// Protective codes withdraw for somebody's safety or by somebody's word: their
	// withdrawals go first and have a count limit of their own (SEMANTICS D4).
	Protective bool
	Text       string // one sentence for people
}

var table = []Doc{
	{Withdrawn, HeldOut, false, "no source says it any more"},
	{Removed, HeldOut, true, "its source deleted it explicitly"},
	{AllowListed, HeldOut, true, "an allow edge covers it"},
	{Unblocked, HeldOut, true, "the ad hoc block was lifted or ran out"},
	{Retired, HeldOut, false, "the destination was removed with on_remove: withdraw"},
	{Expired, HeldOut, false, "its valid_until is past"},
	{TLP, HeldOut, true, "its TLP is above the destination's ceiling"},
	{Filter, HeldOut, false, "a keep condition of the destination does not hold; the name follows the slash"},
	{Confidence, HeldOut, false, "its confidence is unknown or below the destination's minimum"},
	{Protected, HeldOut, true, "it lies inside an own asset, or contains one"},
	{SpecialPurpose, HeldOut, true, "it lies inside or contains special-purpose address space"},
	{PublicSuffix, HeldOut, true, "the domain is a public suffix: blocking it blocks everybody below it"},
	{TooWide, HeldOut, true, "the network is wider than the widest that may be sent"},
	{Warninglist, HeldOut, true, "a warninglist knows it or something inside it; the list's name follows the slash"},
	{Unfit, HeldOut, false, "the destination cannot express it; the destination's own code follows the slash"},
	{Conflict, HeldOut, false, "one value is wanted with two actions; the other one is sent"},
	{Quota, HeldOut, false, "others rank higher and the budget is used up"},
	{ForeignDuplicate, HeldOut, false, "somebody else's row at the tenant already has this identity"},
	{ForeignAllow, HeldOut, false, "somebody else's allow row at the tenant names this value and would win"},
	{RolledBack, HeldOut, false, "a rollback took it out; it stays out until remeld rollback --release"},
	{NextRun, HeldOut, false, "it is a job's and waits for its next run"},

	{GuardDelete, Frozen, false, "a guard stopped deletions and replacements of this destination"},
	{GuardCreate, Frozen, false, "a guard stopped creations at this destination"},
	{GuardSource, Frozen, false, "a guard stopped withdrawals caused by this source"},
	{GuardProtective, Frozen, false, "a guard stopped an unusual number of protective withdrawals"},
	{Unsettled, Frozen, false, "the sources are not settled yet: nothing is deleted or evicted until they are"},
	{NoListing, Frozen, false, "there is no fresh complete listing of the tenant: nothing is created without one"},
	{UnlistedStart, Frozen, false, "the tenant cannot be listed and the ledger is empty: nothing is created until a person says that the tenant holds nothing of ours"},
	{AdoptFirst, Frozen, false, "the ledger is empty and the tenant holds rows of ours: nothing is created until remeld adopt took them over"},
	{AllowNotReady, Frozen, false, "an allow-list has not been read yet: nothing is created until it was"},
	{AllowLifted, Frozen, false, "it appeared because an allow-list shrank: needs approval"},
	{ProtectionLifted, Frozen, false, "it appeared because a protection list shrank: needs approval"},
	{InDoubt, Frozen, false, "a call about it had no answer and could not be resolved yet"},
	{Rejected, Frozen, false, "the service refused it for good; tried again when its content changes"},
	{ReplacementStuck, Frozen, false, "its replacement was refused, so the old object stays"},
	{ChangedByHand, Frozen, false, "somebody edited or deleted our row at the tenant; remeld drift --restore puts it back"},
	{UnknownOwn, Frozen, false, "the tenant has it with our mark but the ledger does not; adopt takes it over"},
	{ForeignTouched, Frozen, false, "the service answered our write with the id of a foreign row; it is never deleted"},
	{Later, Frozen, false, "the service asked to come back later"},
	{Pinned, Frozen, false, "a rollback restored it; it stays as it is until remeld rollback --release"},
}

var byCode = func() map[Code]Doc {
	m := make(map[Code]Doc, len(table))
	for _, d := range table {
		m[d.Code] = d
	}
	return m
}()

// All returns every code, held-out ones first.
func All() []Doc { return append([]Doc(nil), table...) }

// Base cuts the detail off a code: "filter/sure" is "filter".
func (c Code) Base() Code {
	base, _, _ := strings.Cut(string(c), "/")
	return Code(base)
}

// With adds a detail that is counted apart, such as the name of a condition.
func (c Code) With(detail string) Code {
	if detail == "" {
		return c
	}
	return c + "/" + Code(detail)
}

// Class returns the class of the code, "" for one that does not exist.
func (c Code) Class() Class { return byCode[c.Base()].Class }

// Protective reports whether withdrawals for this reason go first and have a
// limit of their own.
func (c Code) Protective() bool { return byCode[c.Base()].Protective }

// Text returns the sentence for people.
func (c Code) Text() string { return byCode[c.Base()].Text }
