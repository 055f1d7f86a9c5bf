package sentinel

import "fmt"

// What Sentinel's tables grow by: each create, update and withdrawal appends a row,
// and every live object is published again every 7 to 10 days, about four times a
// month. A row holds the whole object beside its columns: about 2 kB of ours.
const (
	republished = 4 // rows a month of a live object, at most
	rowBytes    = 2000
)

// Cost implements sdk.Coster.
func (t *target) Cost(writes, live int) string {
	monthly := live * republished
	return fmt.Sprintf("%d rows (%s) written now; %d live indicators are published again every 7 to 10 days: about %d rows (%s) a month in ThreatIntelIndicators",
		writes, gigabytes(writes), live, monthly, gigabytes(monthly))
}

// gigabytes writes the size of rows in the unit that ingestion is billed by.
func gigabytes(rows int) string { return fmt.Sprintf("%.3f GB", float64(rows)*rowBytes/1e9) }
