package indicator

import "time"

// Score is a small number that may be unknown. The zero Score is unknown, which
// is not the same as a known 0.
type Score uint8

// Known returns the Score for n, clamped to 0–254.
func Known(n int) Score { return Score(max(0, min(n, 254)) + 1) }

// Get returns the number and whether it is known.
func (s Score) Get() (n int, known bool) { return int(s) - 1, s != 0 }

// TLP is a Traffic Light Protocol 2.0 label, ordered from most to least
// shareable. White of TLP 1.0 is Clear.
type TLP uint8

// The labels; Unlabelled sorts below all of them and means "not said".
const (
	Unlabelled TLP = iota
	Clear
	Green
	Amber
	AmberStrict
	Red
)

// Attributes is what is known about an indicator. The zero value knows nothing.
// Times are UTC with millisecond precision. Extra holds what has no field of its
// own; its values are string, bool, int64, float64 or []string.
type Attributes struct {
	Confidence     Score // 0–100
	Severity       Score // 0–5
	TLP            TLP
	Port           uint16
	Protocol       string
	ThreatType     string
	Description    string
	ExternalID     string
	Owner          string
	Tags           []string
	KillChain      []string
	References     []string
	Sources        []string
	FirstSeen      time.Time
	LastSeen       time.Time
	ValidUntil     time.Time
	FalsePositives uint32
	Extra          map[string]any
	// Backing is kept by Merge: the confidence behind a scalar where that is not
	// Confidence. Without it, merging what was merged would forget who spoke.
	Backing map[string]Score
}
