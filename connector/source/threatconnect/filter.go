package threatconnect

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/internal/tql"
)

// typeNames are ThreatConnect's names of the indicator types by the names a user
// may write, in lower case without spaces. The hashes are files there.
var typeNames = map[string]string{
	"address": "Address", "cidr": "CIDR", "emailaddress": "EmailAddress", "emailsubject": "Email Subject", "host": "Host",
	"md5": "File", "sha1": "File", "sha256": "File", "file": "File", "url": "URL", "useragent": "User Agent",
	"asn": "ASN", "mutex": "Mutex", "registrykey": "Registry Key",
}

func plain(name string) string { return strings.ToLower(strings.ReplaceAll(name, " ", "")) }

// knownTypes are the names as ThreatConnect and its app write them.
func knownTypes() []string {
	return []string{"Address", "ASN", "CIDR", "Email Address", "Email Subject", "File", "Host", "MD5", "Mutex", "Registry Key", "SHA1", "SHA256", "URL", "User Agent"}
}

// types are the API's names of the chosen types, each once.
func (c *Config) types() []string {
	var out []string
	for _, t := range c.Types {
		if name := typeNames[plain(t)]; !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// scope is where the source looks at all: what left it is found by asking in the
// scope without the other conditions.
func (c *Config) scope() string {
	if c.TQL != "" {
		return ""
	}
	return and(list("ownerName", c.Owners), list("typeName", c.types()))
}

// wanted is the whole condition, "" for everything.
func (c *Config) wanted() string {
	if c.TQL != "" {
		return c.TQL
	}
	return and(c.scope(), c.tagged(), least("threatAssessScore", float64(c.MinThreat)),
		least("confidence", float64(c.MinConfidence)), least("rating", c.MinRating), c.reported())
}

func least(name string, n float64) string {
	if n == 0 {
		return "" // ">= 0" would drop what was never rated
	}
	return name + " >= " + strconv.FormatFloat(n, 'f', -1, 64)
}

func list(name string, values []string) string {
	if len(values) == 0 {
		return ""
	}
	return name + " IN " + tql.QuoteList(values)
}

// and joins our own clauses and a user's query, each in its parentheses. They were
// checked by Validate.
func and(clauses ...string) string {
	q, err := tql.And(clauses...)
	if err != nil {
		panic(fmt.Sprintf("clauses %q: %v", clauses, err))
	}
	return q
}

func modifiedSince(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return "lastModified >= " + tql.Quote(t.UTC().Format(time.RFC3339))
}
