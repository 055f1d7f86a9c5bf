package docgen

import "github.com/remeld/remeld/internal/deliver/reason"

// Reasons is the generated part of docs/delivery.md: every reason code.
func Reasons() map[string]string {
	var rows [][]string
	for _, d := range reason.All() {
		class := string(d.Class)
		if d.Protective {
			class += ", protective"
		}
		rows = append(rows, []string{code(string(d.Code)), class, d.Text})
	}
	return map[string]string{"reasons": table([]string{"code", "class", "what it says"}, rows)}
}
