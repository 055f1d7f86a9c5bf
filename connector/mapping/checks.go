package mapping

import (
	"fmt"
	"time"

	"github.com/remeld/remeld/sdk"
)

// MinLife keeps an expiration from lapsing between two applies.
const MinLife = time.Hour

// CheckLives says which expirations, by their keys in the config, are too short.
func CheckLives(lives map[string]time.Duration) []error {
	var errs []error
	for path, d := range lives {
		if d < MinLife {
			errs = append(errs, &sdk.FieldError{Path: path, Msg: fmt.Sprintf("%s is too short", d), Help: "at least 1h, so that a renewal can come in time"})
		}
	}
	return errs
}

// CheckTexts says which templates, by their keys in the config, have a placeholder that
// is not known.
func CheckTexts(templates map[string]string) []error {
	var errs []error
	for path, template := range templates {
		if msg := CheckText(template); msg != "" {
			errs = append(errs, &sdk.FieldError{Path: path, Msg: msg})
		}
	}
	return errs
}
