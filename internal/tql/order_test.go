package tql

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestOrder(t *testing.T) {
	objects := v3Objects(t)
	for sorting, want := range map[string]string{
		"":                                     "1 2 3 4 5 6 7 8 9 10 11 12",
		"id DESC":                              "12 11 10 9 8 7 6 5 4 3 2 1",
		"rating desc id":                       "4 1 9 3 5 8 11 2 6 7 10 12",
		"RATING nullsfirst id desc":            "12 10 7 6 2 11 8 5 3 9 1 4",
		"ownerName asc confidence desc id asc": "1 5 3 8 12 11 6 7 9 10 2 4",
		"dateAdded  lastModified":              "5 4 3 6 7 8 9 10 11 1 2 12",
		"indicatorActive kind desc id":         "9 4 10 5 2 1 8 7 6 3 11 12",
	} {
		less, err := V3Indicators.Order(sorting)
		if err != nil {
			t.Errorf("%s: %v", sorting, err)
			continue
		}
		sorted := slices.Clone(objects)
		slices.SortStableFunc(sorted, func(a, b *Object) int { return less(a, b) })
		var ids []string
		for _, o := range sorted {
			id, _ := o.Text("id")
			ids = append(ids, id)
		}
		if got := strings.Join(ids, " "); got != want {
			t.Errorf("%s\n got %s\nwant %s", sorting, got, want)
		}
	}
	for sorting, col := range map[string]int{"asc": 1, "id asc ratng": 8, "tag": 1, "id addressCidr": 4} {
		var te *Error
		if _, err := V3Indicators.Order(sorting); !errors.As(err, &te) || te.Col != col {
			t.Errorf("%q: %v, want an error at %d", sorting, err, col)
		}
	}
}
