package feed

import (
	"bytes"
	"encoding/binary"
	"strconv"
	"strings"

	"github.com/remeld/remeld/indicator"
)

// csvPayload keeps the asked attributes, each as its length plus one and its text;
// 0 for one that is not known.
func csvPayload(q *query) payloadFunc {
	return func(dst []byte, kind indicator.Kind, a *indicator.Attributes) []byte {
		for _, f := range q.fields {
			v := attribute(kind, a, f.attribute)
			if f.attribute == "indicator" || v == nil {
				dst = append(dst, 0)
				continue
			}
			text := csvText(v)
			dst = append(binary.AppendUvarint(dst, uint64(len(text))+1), text...)
		}
		return dst
	}
}

// csvText writes a value as MineMeld's Python does.
func csvText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []string:
		return strings.Join(v, ",")
	case bool:
		if v {
			return "True"
		}
		return "False"
	case float64:
		s := strconv.FormatFloat(v, floatForm(v), -1, 64)
		if strings.Trim(s, "-0123456789") == "" {
			s += ".0"
		}
		return s
	}
	return string(appendJSONValue(nil, v))
}

func writeCSV(r *render, entries []entry) error {
	if r.q.mark {
		_, _ = r.w.WriteString("\xef\xbb\xbf")
	}
	// Of columns with one name, all show the last attribute that is known.
	index := map[string]int{}
	columns := make([]int, len(r.q.fields))
	row := make([][]byte, len(r.q.fields))
	for i, f := range r.q.fields {
		if _, ok := index[f.column]; !ok {
			index[f.column] = i
		}
		columns[i] = index[f.column]
		row[columns[i]] = []byte(f.column)
	}
	if r.q.header {
		r.csvRow(row, columns)
	}
	for i := range entries {
		r.each(&entries[i], func(text, payload []byte) {
			clear(row)
			for i, f := range r.q.fields {
				n := 0
				if len(payload) > 0 {
					l, used := binary.Uvarint(payload)
					payload, n = payload[used:], int(l)
				}
				if f.attribute == "indicator" {
					row[columns[i]] = text
				} else if n > 0 {
					row[columns[i]], payload = payload[:n-1], payload[n-1:]
				}
			}
			r.csvRow(row, columns)
		})
	}
	return nil
}

// csvRow writes a row with CRLF and no quotes but the necessary ones; an empty
// field that is alone in its row is quoted.
func (r *render) csvRow(row [][]byte, columns []int) {
	b := r.buffer[:0]
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		field := row[c]
		if !bytes.ContainsAny(field, ",\"\r\n") && (len(field) > 0 || len(columns) > 1) {
			b = append(b, field...)
			continue
		}
		b = append(b, '"')
		b = append(b, bytes.ReplaceAll(field, []byte(`"`), []byte(`""`))...)
		b = append(b, '"')
	}
	r.buffer = append(b, "\r\n"...)
	_, _ = r.w.Write(r.buffer)
}
