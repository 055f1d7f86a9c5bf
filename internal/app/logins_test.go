package app

import (
	"testing"
	"time"
)

func TestExpiringLoginsAreToldInSteps(t *testing.T) {
	t.Parallel()
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	for left, want := range map[time.Duration]string{
		31 * 24 * time.Hour: "", 30 * 24 * time.Hour: "within 30 days", 8 * 24 * time.Hour: "within 30 days",
		7 * 24 * time.Hour: "within 7 days", time.Hour: "within 1 days", -time.Hour: "which is past",
	} {
		if got, near := within(now, now.Add(left)); got != want || near != (want != "") {
			t.Errorf("%s left: %q", left, got)
		}
	}
	if _, near := within(now, time.Time{}); near {
		t.Error("a login that does not end is near its end")
	}
}
