package sentinel

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/remeld/remeld/connector/mapping"
	"github.com/remeld/remeld/stix"
)

// The owner mark (SEMANTICS D2) travels in an external reference of its own:
// {"source_name":"remeld","external_id":"MARK/GENERATION"}. Of what the upload API
// keeps and a query gives back, this is the one place that nobody else reads: labels
// show as tags to analysts and are taken up in their queries, created_by_ref needs an
// identity object beside it, and the source system is the name by which the customer
// knows the feed, and two stores may share it.

func markRef(mark string, generation uint32) stix.ExternalReference {
	return stix.ExternalReference{SourceName: mapping.MarkSource, ExternalID: mark + "/" + strconv.FormatUint(uint64(generation), 10)}
}

// markOf reads the mark back; "" where there is none.
func markOf(refs []stix.ExternalReference) (mark string, generation uint32) {
	for _, r := range refs {
		i := strings.LastIndexByte(r.ExternalID, '/')
		if r.SourceName != mapping.MarkSource || i < 0 {
			continue
		}
		n, err := strconv.ParseUint(r.ExternalID[i+1:], 10, 32)
		if err == nil {
			return r.ExternalID[:i], uint32(n)
		}
	}
	return "", 0
}

func withoutMark(refs []stix.ExternalReference) []stix.ExternalReference {
	var out []stix.ExternalReference
	for _, r := range refs {
		if r.SourceName != mapping.MarkSource {
			out = append(out, r)
		}
	}
	return out
}

// lastOf is the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(b)*8; i++ {
		b[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b) // of a length that an address has
	return a
}
