package extract

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/sampledata"
)

func found(t *testing.T, text string) map[indicator.Indicator]bool {
	t.Helper()
	out := map[indicator.Indicator]bool{}
	err := Scan(strings.NewReader(text), Options{}, func(m Match) error {
		out[m.Indicator] = true
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Every value of the Citizen Lab lists that is of a kind to find is found: in the
// CSV itself, in MISP JSON's escaped text, and in prose with the dots defanged.
func TestCitizenLabValuesAreFound(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(sampledata.Path(t, "feeds"), "citizenlab", "*", "iocs.csv"))
	if len(files) == 0 {
		t.Skip("no Citizen Lab lists among the shared feeds")
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		values := csvValues(t, string(text))
		var prose strings.Builder
		for _, i := range values {
			prose.WriteString("It spoke (see " + indicator.Defang(i) + "), and then slept.\n")
		}
		inCSV, inProse := found(t, string(text)), found(t, prose.String())
		for _, i := range values {
			if !inCSV[i] {
				t.Errorf("%s: %v not found in the CSV", file, i)
			}
			if !inProse[i] {
				t.Errorf("%s: %v not found in prose as %s", file, i, indicator.Defang(i))
			}
		}
		t.Logf("%s: %d values", filepath.Base(filepath.Dir(file)), len(values))
	}
}

func csvValues(t *testing.T, text string) []indicator.Indicator {
	t.Helper()
	rows := csv.NewReader(strings.NewReader(text))
	rows.LazyQuotes, rows.FieldsPerRecord = true, -1
	all, err := rows.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var out []indicator.Indicator
	for _, row := range all[1:] {
		kind, ok := indicator.ParseKind(row[3])
		if row[3] == "hostname" {
			kind = indicator.Domain
		}
		if !ok || kind > indicator.SHA512 && kind != indicator.IP {
			continue
		}
		i, err := indicator.Parse(kind, indicator.Refang(row[4]))
		if err != nil {
			t.Logf("not an indicator: %s %q: %v", row[3], row[4], err)
			continue
		}
		out = append(out, i)
	}
	return out
}

func TestESETValuesAreFound(t *testing.T) {
	dir := filepath.Join(sampledata.Path(t, "feeds"), "eset")
	for _, ending := range []string{"md5", "sha1", "sha256"} {
		kind, _ := indicator.ParseKind(ending)
		files, _ := filepath.Glob(filepath.Join(dir, "*."+ending))
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			all, lines := found(t, string(text)), 0
			for line := range strings.Lines(string(text)) {
				i, err := indicator.Parse(kind, line)
				if err != nil {
					continue
				}
				lines++
				if !all[i] {
					t.Errorf("%s: %v not found", file, i)
				}
			}
			t.Logf("%s: %d values", filepath.Base(file), lines)
		}
	}
}
