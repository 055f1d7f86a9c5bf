package indicator_test

import (
	"errors"
	"fmt"

	"github.com/remeld/remeld/indicator"
)

func ExampleParse() {
	i, _ := indicator.Parse(indicator.Unknown, indicator.Refang("hxxps://Evil[.]Example[.]com:443/Login"))
	fmt.Println(i.Kind, i.Value)

	_, err := indicator.Parse(indicator.IPv4, "010.1.1.1")
	var why *indicator.Refusal
	if errors.As(err, &why) {
		fmt.Println(why.Reason)
	}
	// Output:
	// url https://evil.example.com/Login
	// octal
}

func ExampleMerge() {
	a := indicator.Attributes{Confidence: indicator.Known(40), TLP: indicator.Amber, Tags: []string{"c2"}, Description: "seen once"}
	b := indicator.Attributes{Confidence: indicator.Known(80), TLP: indicator.Green, Tags: []string{"botnet"}}
	out := indicator.Merge(nil, []indicator.Contribution{{Order: 0, Attrs: &a}, {Order: 1, Attrs: &b}})
	text, _ := out.MarshalJSON()
	fmt.Println(string(text))
	// Output:
	// {"confidence":80,"tlp":"amber","description":"seen once","tags":["botnet","c2"]}
}
