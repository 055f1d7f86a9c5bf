package tql

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

// addressOf is the address of an indicator of type Address.
func addressOf(s any) (netip.Addr, bool) {
	o := object(s)
	if typeName, known := o.Text("type"); known && !strings.EqualFold(typeName, "Address") {
		return netip.Addr{}, false
	}
	text, ok := o.Text("ip", "summary")
	if !ok {
		return netip.Addr{}, false
	}
	a, err := netip.ParseAddr(text)
	return a.Unmap(), err == nil && a.Zone() == ""
}

func (s *Schema) addIndicatorAddress() {
	s.Add(Param{Name: "addressCidr", Type: Net, Doc: "the address lies inside the network", Net: func(s any) (from, to netip.Addr, ok bool) {
		a, ok := addressOf(s)
		return a, a, ok
	}})
	s.Add(Param{Name: "addressIpVal", Type: Number, Doc: "the IPv4 address as a number", Number: func(s any) (float64, bool) {
		a, ok := addressOf(s)
		if !ok || !a.Is4() {
			return 0, false
		}
		b := a.As4()
		return float64(binary.BigEndian.Uint32(b[:])), true
	}})
	s.Add(Param{Name: "addressIsIpv6", Type: Bool, Doc: "the address is IPv6", Bool: func(s any) (value, known bool) {
		a, ok := addressOf(s)
		return a.Is6(), ok
	}})
	s.Add(Param{Name: "addressAsn", Type: Number, Doc: "number of the autonomous system", Field: "geoLocation", Number: func(s any) (float64, bool) {
		text, _ := object(s).Text("geoLocation.asn", "whoIs.asn", "addressAsn")
		return parseNumber(strings.TrimPrefix(strings.ToUpper(text), "AS"))
	}})
}
