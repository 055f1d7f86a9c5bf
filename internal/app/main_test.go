package app_test

import (
	"os"
	"testing"

	"github.com/remeld/remeld/internal/app/cli"
)

// asCommand makes the test binary the real command, for tests that kill it.
const asCommand = "REMELD_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}
