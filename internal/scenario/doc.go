// Package scenario holds the stories the product is judged by, as tests: a whole
// installation in one process, with its store on disk and its real classes over
// TLS, against the sandbox tenant and its feed server, on one clock that the test
// moves. A month of renewals takes seconds.
//
// Use it when a promise is about what arrives at a tenant and not about one
// package: what is lost, repeated, left behind or deleted when feeds, services,
// people and clocks misbehave. Each test is named after the rule it holds. There
// is nothing to import.
package scenario
