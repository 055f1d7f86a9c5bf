package sentinel

import (
	"slices"
	"strings"
	"time"
)

// operators is the vocabulary of clauses. Equality and order mind case, the
// String operators do not.
var operators = map[string]operator{
	"Equals":           compared(func(c int) bool { return c == 0 }, false),
	"NotEquals":        compared(func(c int) bool { return c != 0 }, true),
	"LessThan":         compared(func(c int) bool { return c < 0 }, false),
	"LessThanEqual":    compared(func(c int) bool { return c <= 0 }, false),
	"GreaterThan":      compared(func(c int) bool { return c > 0 }, false),
	"GreaterThanEqual": compared(func(c int) bool { return c >= 0 }, false),

	"StringContains":      texts(strings.Contains, false),
	"StringNotContains":   texts(strings.Contains, true),
	"StringStartsWith":    texts(strings.HasPrefix, false),
	"StringNotStartsWith": texts(strings.HasPrefix, true),
	"StringEndsWith":      texts(strings.HasSuffix, false),
	"StringNotEndsWith":   texts(strings.HasSuffix, true),
	"StringIsEmpty":       unary(func(f any) bool { return f == nil || f == "" }),

	"IsNull":  unary(func(f any) bool { return f == nil }),
	"IsTrue":  unary(func(f any) bool { return f == true }),
	"IsFalse": unary(func(f any) bool { return f == false }),

	"ArrayContains":    arrays(false),
	"ArrayNotContains": arrays(true),

	"OnOrAfterRelative":  times(relative, func(c int) bool { return c >= 0 }),
	"AfterRelative":      times(relative, func(c int) bool { return c > 0 }),
	"OnOrBeforeRelative": times(relative, func(c int) bool { return c <= 0 }),
	"BeforeRelative":     times(relative, func(c int) bool { return c < 0 }),
	"OnOrAfterAbsolute":  times(absolute, func(c int) bool { return c >= 0 }),
	"AfterAbsolute":      times(absolute, func(c int) bool { return c > 0 }),
	"OnOrBeforeAbsolute": times(absolute, func(c int) bool { return c <= 0 }),
	"BeforeAbsolute":     times(absolute, func(c int) bool { return c < 0 }),
}

// compared tests the order of field and value; what cannot be compared differs.
func compared(want func(int) bool, negative bool) operator {
	return operator{negative: negative, test: func(field any, value string, _ time.Time) bool {
		c, ok := order(field, value)
		if !ok {
			return negative
		}
		return want(c)
	}}
}

func texts(is func(s, part string) bool, negative bool) operator {
	return operator{negative: negative, test: func(field any, value string, _ time.Time) bool {
		s, ok := field.(string)
		return ok && is(strings.ToLower(s), strings.ToLower(value)) != negative || !ok && negative
	}}
}

func arrays(negative bool) operator {
	return operator{negative: negative, test: func(field any, value string, _ time.Time) bool {
		l, _ := field.([]string)
		return slices.Contains(l, value) != negative
	}}
}

func unary(is func(field any) bool) operator {
	return operator{unary: true, test: func(field any, _ string, _ time.Time) bool { return is(field) }}
}

func times(parse func(string, time.Time) (time.Time, bool), want func(int) bool) operator {
	return operator{parse: parse, test: func(field any, value string, now time.Time) bool {
		t, ok := moment(field)
		limit, good := parse(value, now)
		return ok && good && want(t.Compare(limit))
	}}
}
