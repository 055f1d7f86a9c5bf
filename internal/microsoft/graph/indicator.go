package graph

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Indicator is the resource tiIndicator of the beta version with all properties
// that its metadata declares. Those the service stamps are read only. Empty ones are
// not written: the service then keeps its own default.
type Indicator struct {
	ID               string `json:"id,omitempty"`
	AzureTenantID    string `json:"azureTenantId,omitempty"`    // stamped
	IngestedDateTime string `json:"ingestedDateTime,omitempty"` // stamped

	Action                Action       `json:"action,omitempty"`
	ActivityGroupNames    []string     `json:"activityGroupNames,omitempty"`
	AdditionalInformation string       `json:"additionalInformation,omitempty"`
	Confidence            *Int         `json:"confidence,omitempty"` // 0–100
	Description           string       `json:"description,omitempty"`
	DiamondModel          DiamondModel `json:"diamondModel,omitempty"`
	ExpirationDateTime    string       `json:"expirationDateTime,omitempty"`
	ExternalID            string       `json:"externalId,omitempty"`
	IsActive              *bool        `json:"isActive,omitempty"`
	KillChain             []string     `json:"killChain,omitempty"`
	KnownFalsePositives   string       `json:"knownFalsePositives,omitempty"`
	LastReportedDateTime  string       `json:"lastReportedDateTime,omitempty"`
	MalwareFamilyNames    []string     `json:"malwareFamilyNames,omitempty"`
	PassiveOnly           *bool        `json:"passiveOnly,omitempty"`
	Severity              *Int         `json:"severity,omitempty"` // 0–5
	Tags                  []string     `json:"tags,omitempty"`
	TargetProduct         string       `json:"targetProduct,omitempty"`
	ThreatType            string       `json:"threatType,omitempty"`
	TLPLevel              TLPLevel     `json:"tlpLevel,omitempty"`

	EmailEncoding        string `json:"emailEncoding,omitempty"`
	EmailLanguage        string `json:"emailLanguage,omitempty"`
	EmailRecipient       string `json:"emailRecipient,omitempty"`
	EmailSenderAddress   string `json:"emailSenderAddress,omitempty"`
	EmailSenderName      string `json:"emailSenderName,omitempty"`
	EmailSourceDomain    string `json:"emailSourceDomain,omitempty"`
	EmailSourceIPAddress string `json:"emailSourceIpAddress,omitempty"`
	EmailSubject         string `json:"emailSubject,omitempty"`
	EmailXMailer         string `json:"emailXMailer,omitempty"`

	FileCompileDateTime string       `json:"fileCompileDateTime,omitempty"`
	FileCreatedDateTime string       `json:"fileCreatedDateTime,omitempty"`
	FileHashType        FileHashType `json:"fileHashType,omitempty"`
	FileHashValue       string       `json:"fileHashValue,omitempty"`
	FileMutexName       string       `json:"fileMutexName,omitempty"`
	FileName            string       `json:"fileName,omitempty"`
	FilePacker          string       `json:"filePacker,omitempty"`
	FilePath            string       `json:"filePath,omitempty"`
	FileSize            *Int         `json:"fileSize,omitempty"` // bytes
	FileType            string       `json:"fileType,omitempty"`

	DomainName                  string `json:"domainName,omitempty"`
	NetworkCidrBlock            string `json:"networkCidrBlock,omitempty"`
	NetworkDestinationAsn       *Int   `json:"networkDestinationAsn,omitempty"`
	NetworkDestinationCidrBlock string `json:"networkDestinationCidrBlock,omitempty"`
	NetworkDestinationIPv4      string `json:"networkDestinationIPv4,omitempty"`
	NetworkDestinationIPv6      string `json:"networkDestinationIPv6,omitempty"`
	NetworkDestinationPort      *Int   `json:"networkDestinationPort,omitempty"`
	NetworkIPv4                 string `json:"networkIPv4,omitempty"`
	NetworkIPv6                 string `json:"networkIPv6,omitempty"`
	NetworkPort                 *Int   `json:"networkPort,omitempty"`
	NetworkProtocol             *Int   `json:"networkProtocol,omitempty"` // of the IPv4 header: 6 TCP, 17 UDP
	NetworkSourceAsn            *Int   `json:"networkSourceAsn,omitempty"`
	NetworkSourceCidrBlock      string `json:"networkSourceCidrBlock,omitempty"`
	NetworkSourceIPv4           string `json:"networkSourceIPv4,omitempty"`
	NetworkSourceIPv6           string `json:"networkSourceIPv6,omitempty"`
	NetworkSourcePort           *Int   `json:"networkSourcePort,omitempty"`
	URL                         string `json:"url,omitempty"`
	UserAgent                   string `json:"userAgent,omitempty"`
}

// Int is a whole number, which the service was seen to write as text too.
type Int int64

// UnmarshalJSON takes a number or its text.
func (n *Int) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "null" || text == "" {
		return nil
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is no whole number", data)
	}
	*n = Int(v)
	return nil
}

// Action is what the target product does on a match. As all enumerations here, the
// service writes it by name, and older answers by number.
type Action string

// TLPLevel is a label of TLP 1.0: white, green, amber, red.
type TLPLevel string

// DiamondModel is the part of the diamond model that an indicator is of.
type DiamondModel string

// FileHashType is the algorithm of a hash.
type FileHashType string

// The members that are sent.
const (
	Allow Action = "allow"
	Block Action = "block"
	Alert Action = "alert"
)

// UnmarshalJSON takes a name or a number.
func (a *Action) UnmarshalJSON(data []byte) error {
	return member(data, (*string)(a), "unknown", "allow", "block", "alert")
}

// UnmarshalJSON takes a name or a number.
func (l *TLPLevel) UnmarshalJSON(data []byte) error {
	return member(data, (*string)(l), "unknown", "white", "green", "amber", "red")
}

// UnmarshalJSON takes a name or a number.
func (d *DiamondModel) UnmarshalJSON(data []byte) error {
	return member(data, (*string)(d), "unknown", "adversary", "capability", "infrastructure", "victim")
}

// UnmarshalJSON takes a name or a number.
func (f *FileHashType) UnmarshalJSON(data []byte) error {
	return member(data, (*string)(f), "unknown", "sha1", "sha256", "md5", "authenticodeHash256", "lsHash", "ctph")
}

const unknownFuture = 127 // the number of unknownFutureValue in every enumeration

func member(data []byte, out *string, names ...string) error {
	var text string
	if json.Unmarshal(data, &text) != nil {
		text = string(data)
	}
	n, err := strconv.Atoi(text)
	switch {
	case text == "null":
		text = ""
	case err == nil && n >= 0 && n < len(names):
		text = names[n]
	case err == nil && n == unknownFuture:
		text = "unknownFutureValue"
	case err == nil:
		return fmt.Errorf("%d is no member of %s", n, strings.Join(names, ", "))
	}
	*out = text
	return nil
}

// Time writes a time as the service wants it.
func Time(t time.Time) string { return t.UTC().Truncate(time.Second).Format(time.RFC3339) }

// ThreatTypes are the words of threatType (Microsoft Graph, tiIndicator).
func ThreatTypes() []string {
	return []string{"Botnet", "C2", "CryptoMining", "Darknet", "DDoS", "MaliciousUrl", "Malware", "Phishing", "Proxy", "PUA", "WatchList"}
}

// Item is an indicator of an answer. Failed ones have an Error, and then no id that
// means anything.
type Item struct {
	Indicator
	Error string `json:"Error"`
	// Raw is the whole object.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the whole object in Raw besides reading the known fields.
func (i *Item) UnmarshalJSON(data []byte) error {
	type plain Item
	var p plain
	if err := json.Unmarshal(data, &p); err != nil {
		return err
	}
	*i = Item(p)
	i.Raw = append(json.RawMessage(nil), data...)
	return nil
}

// failedID is what the service writes in place of an id.
const failedID = "Failed to"

// Refusal returns the provider's code and words for an item that was not taken; ok
// is false for one that was.
func (i *Item) Refusal() (code, message string, ok bool) {
	if i.Error == "" && i.ID != "" && !strings.HasPrefix(i.ID, failedID) {
		return "", "", false
	}
	var nested struct {
		Error struct{ Code, Message string }
	}
	if json.Unmarshal([]byte(i.Error), &nested) == nil && nested.Error.Message != "" {
		return nested.Error.Code, nested.Error.Message, true
	}
	if i.Error == "" {
		return "no_id", "the service gave no id: " + i.ID, true
	}
	return "", i.Error, true
}

// Result is the verdict on one item of a bulk delete.
type Result struct {
	Code    Int    `json:"code"` // as an HTTP status; some answers have it as text
	Message string `json:"message"`
}
