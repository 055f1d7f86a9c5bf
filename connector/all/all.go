// Package all links every connector into the program. Adding one is its folder
// and a line here.
package all

import (
	_ "github.com/remeld/remeld/connector/destination/defender"
	_ "github.com/remeld/remeld/connector/destination/feed"
	_ "github.com/remeld/remeld/connector/destination/graph_tiindicators"
	_ "github.com/remeld/remeld/connector/destination/sentinel"
	_ "github.com/remeld/remeld/connector/job/threatconnect"
	_ "github.com/remeld/remeld/connector/processor/aggregate"
	_ "github.com/remeld/remeld/connector/processor/ipaggregate"
	_ "github.com/remeld/remeld/connector/processor/warninglist"
	_ "github.com/remeld/remeld/connector/source/file"
	_ "github.com/remeld/remeld/connector/source/http"
	_ "github.com/remeld/remeld/connector/source/list"
	_ "github.com/remeld/remeld/connector/source/threatconnect"
	_ "github.com/remeld/remeld/connector/source/warninglist"
)
