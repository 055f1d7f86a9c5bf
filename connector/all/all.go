// Package all links every connector into the program. Adding one is its folder
// and a line here.
package all

import (
	_ "github.com/remeld/remeld/connector/destination/defender"
)
