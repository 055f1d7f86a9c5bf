package threatconnect

import "time"

// Indicator is one indicator object of version 3 of the API, with the fields we ask
// for. Pointers are nil where the instance says nothing: an indicator that was never
// rated is not one rated 0.
type Indicator struct {
	ID           int64     `json:"id"`
	OwnerID      int64     `json:"ownerId"`
	OwnerName    string    `json:"ownerName"`
	Type         string    `json:"type"`
	Summary      string    `json:"summary"`
	WebLink      string    `json:"webLink"`
	Description  string    `json:"description"`
	Source       string    `json:"source"`
	DateAdded    time.Time `json:"dateAdded"`
	LastModified time.Time `json:"lastModified"`
	Rating       *float64  `json:"rating"`
	Confidence   *int      `json:"confidence"`
	Active       *bool     `json:"active"`

	// The values of the types, under the keys of the API.
	IP         string `json:"ip"`
	Address    string `json:"address"`
	MD5        string `json:"md5"`
	SHA1       string `json:"sha1"`
	SHA256     string `json:"sha256"`
	HostName   string `json:"hostName"`
	Text       string `json:"text"`
	Block      string `json:"Block"`
	Subject    string `json:"Subject"`
	UserAgent  string `json:"User Agent String"`
	ASNumber   string `json:"AS Number"`
	Mutex      string `json:"Mutex"`
	Hashtag    string `json:"Hashtag"`
	KeyName    string `json:"Key Name"`
	ValueName  string `json:"Value Name"`
	DNSActive  *bool  `json:"dnsActive"`
	WhoisAlive *bool  `json:"whoisActive"`

	// Present where the listing asked for them.
	ThreatAssessScore *int       `json:"threatAssessScore"`
	FalsePositives    *int       `json:"falsePositives"`
	Observations      *int       `json:"observations"`
	FirstSeen         *time.Time `json:"firstSeen"`
	LastSeen          *time.Time `json:"lastSeen"`
	ExternalExpires   *time.Time `json:"externalDateExpires"`

	Tags       List[Tag]       `json:"tags"`
	Labels     List[Label]     `json:"securityLabels"`
	Attributes List[Attribute] `json:"attributes"`
}

// List is a nested collection; the API writes an empty one as {} or leaves it out.
type List[T any] struct {
	Data []T `json:"data"`
}

// Tag is a tag; one of MITRE ATT&CK carries its technique's id ("T1055.005").
type Tag struct {
	Name        string `json:"name"`
	TechniqueID string `json:"techniqueId"`
}

// Label is a security label: one of the TLP, or an organisation's own.
type Label struct {
	Name string `json:"name"`
}

// Attribute is one attribute; several may have the same type.
type Attribute struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Deleted is the record of a deletion. It carries no id: what was deleted is found
// by owner, type and summary (a File's summary lists its hashes).
type Deleted struct {
	OwnerName string    `json:"ownerName"`
	Type      string    `json:"type"`
	Summary   string    `json:"summary"`
	DateAdded time.Time `json:"dateAdded"` // of the record
}

// Owner is an organisation, community or source the API user may read.
type Owner struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
	// Indicators is what the API user may do with the owner's indicators: NONE, READ,
	// BUILD or FULL; "" where the instance does not say.
	Indicators string `json:"permIndicator"`
}
