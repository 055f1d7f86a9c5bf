package indicator

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"
)

// MarshalJSON writes what is known under the attribute names; times are RFC 3339
// in UTC with milliseconds, what has no name of its own is under "extra".
func (a *Attributes) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for f := fieldConfidence; f <= fieldExtra; f++ {
		value, known := a.Get(attributeNames[f])
		if !known {
			continue
		}
		if set := a.setField(f); set != nil {
			value = sortedSet(*set)
		}
		if t, ok := value.(time.Time); ok {
			value = t.UTC().Format(timeFormat)
		}
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("write %s: %w", attributeNames[f], err)
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(append(append(b, '"'), attributeNames[f]...), '"', ':'), text...)
	}
	return append(b, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes, through Set: a value out of range
// is an error, and an unknown name goes to Extra.
func (a *Attributes) UnmarshalJSON(data []byte) error {
	var m map[string]any
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&m); err != nil {
		return fmt.Errorf("read attributes: %w", err)
	}
	*a = Attributes{}
	for name, value := range m {
		if err := a.Set(name, value); err != nil {
			return fmt.Errorf("read attributes: %w", err)
		}
	}
	return nil
}
