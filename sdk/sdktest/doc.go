// Package sdktest is what a connector is tested with: a clock that never waits, a
// sink that remembers, a golden driver that replays polls from testdata, and the
// conformance suites every class must pass.
//
// Use TestSource in the test of each source class, with a config that works and a
// server or file behind it, and GoldenSource for what a class makes of real
// bodies.
package sdktest
