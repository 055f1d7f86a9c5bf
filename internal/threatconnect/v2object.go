package threatconnect

import "strings"

// renamedV2 are the fields that version 3 calls otherwise.
var renamedV2 = map[string]string{
	"falsePositiveCount": "falsePositives", "falsePositiveLastReported": "lastFalsePositive", "observationCount": "observations",
}

// flagsV2 come as text.
var flagsV2 = map[string]bool{"dnsActive": true, "whoisActive": true, "active": true, "activeLocked": true, "privateFlag": true}

// nestedV2 are the lists that version 3 wraps.
var nestedV2 = map[string]string{"tag": "tags", "attribute": "attributes", "securityLabel": "securityLabels"}

// valuesV2 hold the text of an indicator that comes without a summary, in the order of
// its parts.
var valuesV2 = map[string][]string{
	"Address": {"ip"}, "EmailAddress": {"address"}, "File": {"md5", "sha1", "sha256"}, "Host": {"hostName"}, "URL": {"text"},
	"ASN": {"AS Number"}, "CIDR": {"Block"}, "Email Subject": {"Subject"}, "Hashtag": {"Hashtag"}, "Mutex": {"Mutex"},
	"Registry Key": {"Key Name", "Value Name", "Value Type"}, "User Agent": {"User Agent String"},
}

// asV3 writes an object of version 2 as version 3 would.
func asV3(old map[string]any, q QueryV2) map[string]any {
	out := map[string]any{"type": q.Branch.Type, "ownerName": q.Owner}
	for name, v := range old {
		switch {
		case renamedV2[name] != "":
			name = renamedV2[name]
		case nestedV2[name] != "":
			name, v = nestedV2[name], map[string]any{"data": listed(v)}
		case name == "owner":
			if owner, ok := v.(map[string]any); ok {
				out["ownerId"], out["ownerName"] = owner["id"], owner["name"]
			}
			continue
		case flagsV2[name] && (v == "true" || v == "false"):
			v = v == "true"
		}
		out[name] = v
	}
	if summary, _ := out["summary"].(string); summary == "" {
		var parts []string
		for _, key := range valuesV2[q.Branch.Type] {
			if text, _ := out[key].(string); text != "" {
				parts = append(parts, text)
			}
		}
		out["summary"] = strings.Join(parts, " : ")
	}
	return out
}

// listed is a list as it is, one object as a list of it, and nothing as an empty one.
func listed(v any) []any {
	switch v := v.(type) {
	case []any:
		return v
	case nil:
		return []any{}
	default:
		return []any{v}
	}
}
