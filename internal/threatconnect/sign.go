package threatconnect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
)

// Sign returns the Base64 HMAC-SHA256 of a request: its target exactly as it goes
// on the wire (path and query, percent-encoding as sent, no host), its method in
// upper case and the Unix seconds of its Timestamp header. The body is not signed
// (ThreatConnect, "Authenticating with HMAC").
func Sign(secret, target, method string, unix int64) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(target + ":" + method + ":" + strconv.FormatInt(unix, 10)))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
