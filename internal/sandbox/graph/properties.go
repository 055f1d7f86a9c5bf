package graph

import (
	"fmt"
	"strings"
)

// kind is the type of a property.
type kind int

const (
	text kind = iota
	integer
	long
	boolean
	moment
	texts
	member // of an enumeration
)

var kinds = map[string]kind{
	"Edm.String": text, "Edm.Int32": integer, "Edm.Int64": long, "Edm.Boolean": boolean,
	"Edm.DateTimeOffset": moment, "Collection(Edm.String)": texts,
}

// property is a declared property of the resource.
type property struct {
	name string
	edm  string
	kind kind
	enum []string // names by number
}

// enums are the members by their number; 127 is unknownFutureValue in all.
var enums = map[string][]string{
	"tiAction":     {"unknown", "allow", "block", "alert"},
	"tlpLevel":     {"unknown", "white", "green", "amber", "red"},
	"diamondModel": {"unknown", "adversary", "capability", "infrastructure", "victim"},
	"fileHashType": {"unknown", "sha1", "sha256", "md5", "authenticodeHash256", "lsHash", "ctph"},
}

// properties are the resource's own ones, in the order they are written; id
// comes before them, unknown ones after. Types are those of the metadata, where
// the pages differ (the AS numbers) the metadata is right.
var properties = declare(`
azureTenantId:Edm.String action:tiAction additionalInformation:Edm.String activityGroupNames:Collection(Edm.String)
confidence:Edm.Int32 description:Edm.String diamondModel:diamondModel domainName:Edm.String
emailEncoding:Edm.String emailLanguage:Edm.String emailRecipient:Edm.String emailSenderAddress:Edm.String
emailSenderName:Edm.String emailSourceDomain:Edm.String emailSourceIpAddress:Edm.String emailSubject:Edm.String
emailXMailer:Edm.String expirationDateTime:Edm.DateTimeOffset externalId:Edm.String
fileCompileDateTime:Edm.DateTimeOffset fileCreatedDateTime:Edm.DateTimeOffset fileHashType:fileHashType
fileHashValue:Edm.String fileMutexName:Edm.String fileName:Edm.String filePacker:Edm.String filePath:Edm.String
fileSize:Edm.Int64 fileType:Edm.String ingestedDateTime:Edm.DateTimeOffset isActive:Edm.Boolean
killChain:Collection(Edm.String) knownFalsePositives:Edm.String lastReportedDateTime:Edm.DateTimeOffset
malwareFamilyNames:Collection(Edm.String) networkCidrBlock:Edm.String networkDestinationAsn:Edm.Int64
networkDestinationCidrBlock:Edm.String networkDestinationIPv4:Edm.String networkDestinationIPv6:Edm.String
networkDestinationPort:Edm.Int32 networkIPv4:Edm.String networkIPv6:Edm.String networkPort:Edm.Int32
networkProtocol:Edm.Int32 networkSourceAsn:Edm.Int64 networkSourceCidrBlock:Edm.String networkSourceIPv4:Edm.String
networkSourceIPv6:Edm.String networkSourcePort:Edm.Int32 passiveOnly:Edm.Boolean severity:Edm.Int32
tags:Collection(Edm.String) targetProduct:Edm.String threatType:Edm.String tlpLevel:tlpLevel url:Edm.String
userAgent:Edm.String`)

// byName finds a property; names are case-sensitive, other spellings are
// unknown properties of an open type.
var byName = func() map[string]property {
	out := map[string]property{}
	for _, p := range properties {
		out[p.name] = p
	}
	return out
}()

func declare(words string) []property {
	var out []property
	for _, w := range strings.Fields(words) {
		name, edm, _ := strings.Cut(w, ":")
		p := property{name: name, edm: edm}
		k, ok := kinds[edm]
		if !ok {
			p.enum, k, p.edm = enums[edm], member, "microsoft.graph."+edm
			if p.enum == nil {
				panic(fmt.Sprintf("sandbox: property %s has the unknown type %s", name, edm))
			}
		}
		p.kind = k
		out = append(out, p)
	}
	return out
}

// stamped are set by the service alone; what a client sends for them is dropped.
var stamped = set("id azureTenantId ingestedDateTime")

// The target products; one indicator is for one of them.
const (
	sentinel = "Azure Sentinel"
	defender = "Microsoft Defender ATP"
)

// observables are what an indicator may be about, by product, in the order the
// journal prefers. The page lists userAgent among the properties only, but
// indicators of nothing else are in use.
var observables = map[string][]string{
	sentinel: strings.Fields(`fileHashValue url domainName networkDestinationIPv4 networkDestinationIPv6 networkIPv4 networkIPv6
		networkCidrBlock networkDestinationCidrBlock networkSourceIPv4 networkSourceIPv6 networkSourceCidrBlock
		emailSenderAddress emailSubject emailRecipient emailSenderName emailSourceDomain emailSourceIpAddress emailEncoding
		emailLanguage emailXMailer fileName filePath fileMutexName filePacker fileType fileCompileDateTime fileCreatedDateTime
		userAgent`),
	defender: strings.Fields("fileHashValue url domainName networkDestinationIPv4 networkDestinationIPv6"),
}

// editable are the properties that an update may change, by product.
var editable = map[string]map[string]bool{
	sentinel: set(`action activityGroupNames additionalInformation confidence description diamondModel expirationDateTime
		externalId isActive killChain knownFalsePositives lastReportedDateTime malwareFamilyNames passiveOnly severity tags tlpLevel`),
	defender: set("expirationDateTime severity description"),
}

var threatTypes = strings.Fields("Botnet C2 CryptoMining Darknet DDoS MaliciousUrl Malware Phishing Proxy PUA WatchList")

func set(words string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(words) {
		out[w] = true
	}
	return out
}
