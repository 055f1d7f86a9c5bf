package compute

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/remeld/remeld/indicator"
)

// textNames are text even where they look like a number.
var textNames = map[string]bool{
	"value": true, "description": true, "external_id": true, "owner": true, "threat_type": true, "protocol": true,
}

// lookup returns an attribute in the types of the expression library: int,
// float64, string, bool, []any, or RFC 3339 text for times; nil if unknown.
func lookup(rec *indicator.Record, name string) any {
	switch name {
	case "kind":
		return rec.Kind.String()
	case "value":
		return rec.Value
	}
	v, ok := rec.Attrs.Get(name)
	if !ok {
		return nil
	}
	return input(name, v)
}

func input(name string, v any) any {
	switch v := v.(type) {
	case string:
		if textNames[name] {
			return v
		}
		return numeric(v)
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out
	case time.Time:
		return v.UTC().Format("2006-01-02T15:04:05.000Z07:00")
	case indicator.TLP:
		return v.String()
	case indicator.Score:
		if n, known := v.Get(); known {
			return n
		}
		return nil
	case int64:
		return int(v)
	case uint16:
		return int(v)
	case uint32:
		return int(v)
	default:
		return v
	}
}

// numeric turns decimal text into a number. Leading zeros (an id), exponents and
// hex stay text.
func numeric(s string) any {
	t := strings.TrimSpace(s)
	digits := strings.TrimPrefix(t, "-")
	if digits == "" || len(digits) > 18 || strings.Trim(digits, "0123456789.") != "" || digits[0] == '.' ||
		len(digits) > 1 && digits[0] == '0' && digits[1] != '.' {
		return s
	}
	if n, err := strconv.Atoi(t); err == nil {
		return n
	}
	if f, err := strconv.ParseFloat(t, 64); err == nil {
		return f
	}
	return s
}

// result narrows what an expression made to the types an attribute can hold.
func result(v any) (any, error) {
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case string:
		if len(v) > maxText {
			return nil, errTooLong
		}
		return v, nil
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("compute: the result %v is no number", v)
		}
		return v, nil
	case []any:
		out := make([]string, 0, len(v))
		for _, e := range v {
			s, ok := e.(string)
			if !ok {
				return nil, fmt.Errorf("compute: the result is a list with %T in it, only text is possible", e)
			}
			out = append(out, s)
		}
		return out, nil
	case []string:
		return v, nil
	}
	return nil, fmt.Errorf("compute: the result is a %T, only numbers, text, true/false and lists of text are possible", v)
}
