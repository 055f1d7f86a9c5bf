// Package format reads indicators out of feed bodies: lines, CSV, JSON, newline
// delimited JSON and prose. Every source that reads bodies embeds Options in its
// config and hands the body to a Parser, so that a format is configured in the
// same words and read by the same code wherever it comes from.
//
// A Parser bounds its memory whatever the body holds: a line beyond MaxLine is one
// refusal and the rest goes on. What is no indicator is refused with its line and
// reason, never fatal; but a body in which nothing at all is one ends with an
// error, so that a login page or an image is not taken for an empty feed.
package format
