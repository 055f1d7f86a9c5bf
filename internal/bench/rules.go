package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/indicator/warninglist"
	"github.com/remeld/remeld/internal/deliver/protect"
	"github.com/remeld/remeld/prototypes"
)

// rules protects by every built-in warninglist, a generated rank list of popular
// names, and some own assets.
func rules(listed int) (*protect.Rules, error) {
	p := &protect.Rules{}
	for _, name := range prototypes.Names() {
		data, _ := prototypes.Warninglist(name)
		l, err := warninglist.Parse(bytes.NewReader(data))
		if err != nil {
			return nil, err
		}
		p.Warninglists = append(p.Warninglists, protect.Warninglist{Name: name, List: l})
	}
	r := rand.New(rand.NewPCG(seed, 5))
	doc := struct {
		Name string   `json:"name"`
		Type string   `json:"type"`
		List []string `json:"list"`
	}{Name: "Top sites", Type: "hostname"}
	for range listed {
		doc.List = append(doc.List, string(appendDomain(nil, r)))
	}
	data, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	l, err := warninglist.Parse(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	p.Warninglists = append(p.Warninglists, protect.Warninglist{Name: "top", List: l, Rank: true})
	var own []indicator.Indicator
	for i := range 1000 {
		own = append(own, indicator.Indicator{Kind: indicator.Domain, Value: fmt.Sprintf("host%d.corp.example", i)})
	}
	p.Own = append(p.Own, protect.NewOwn("own_assets", own))
	return p, nil
}
