package indicator

// Kind says what an indicator is. The numbers are part of the on-disk key
// encoding: a kind may be added at the end, never renumbered.
type Kind uint8

// The kinds an Indicator can have. The first group is sent to tenants or served
// in feeds; the second is recognised and carried along.
const (
	Unknown     Kind = 0
	IPv4        Kind = 1 // address, CIDR or range
	IPv6        Kind = 2 // address, CIDR or range
	Domain      Kind = 3
	URL         Kind = 4
	Email       Kind = 5
	MD5         Kind = 6
	SHA1        Kind = 7
	SHA256      Kind = 8
	Certificate Kind = 9 // SHA-1 thumbprint of a leaf certificate

	SHA512        Kind = 10
	SSDeep        Kind = 11
	JA3           Kind = 12
	EmailSubject  Kind = 13
	UserAgent     Kind = 14
	FileName      Kind = 15
	FilePath      Kind = 16
	Mutex         Kind = 17
	RegistryKey   Kind = 18
	RegistryValue Kind = 19
	CommandLine   Kind = 20
	ASN           Kind = 21
)

// Families: only as an expectation given to Parse or AppendKey, never the Kind
// of an Indicator.
const (
	IP   Kind = 64 // IPv4 or IPv6
	Hash Kind = 65 // MD5, SHA1, SHA256 or SHA512, told apart by length
)
