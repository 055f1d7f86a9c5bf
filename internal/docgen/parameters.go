package docgen

import (
	"strings"

	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/sdk"
)

// notOfTheApp stands in place of a label before a parameter that the app does not have.
const notOfTheApp = "Not of the app"

// Parameters is the generated part of the page about moving from ThreatConnect's app:
// the app's labels beside the keys of a form, from its doc tags ("Label: meaning").
func Parameters(form string) map[string]string {
	for _, f := range sdk.Forms() {
		if f.Name != form {
			continue
		}
		var rows [][]string
		for _, field := range config.FieldsOf(f.NewConfig()) {
			label, meaning, _ := strings.Cut(field.Doc, ": ")
			switch {
			case meaning == "":
				label, meaning = "", field.Doc
			case label == notOfTheApp, strings.HasPrefix(field.Path, "targets."), strings.HasPrefix(field.Path, "targets["):
				label = ""
			}
			rows = append(rows, []string{label, code(field.Path), defaultOf(field), meaning})
		}
		return map[string]string{"parameters": table([]string{"in the app", "here", "default", "meaning"}, rows)}
	}
	return nil
}
