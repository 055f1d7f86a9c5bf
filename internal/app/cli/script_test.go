package cli_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remeld/remeld/internal/app/cli"
	"github.com/remeld/remeld/internal/sampledata"
)

// update rewrites golden parts of the scripts.
var update = flag.Bool("update", false, "rewrite the golden parts of the scripts")

// scriptsAtOnce: scripts wait for processes most of the time.
const scriptsAtOnce = "4"

func TestMain(m *testing.M) {
	// The test binary is the command as well: Main runs it where it is called by
	// the name remeld.
	if err := flag.Set("test.parallel", scriptsAtOnce); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){
		"remeld": func() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts runs the real command against a sandbox, as a user would. A script
// finds the configuration folder etc with base.yaml (instance, login, door) and adds
// its nodes in a file of its own; state is in state. See commands for what scripts
// can say beside testscript's own words.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/scripts", Setup: setup, Cmds: commands, Condition: condition,
		UpdateScripts: *update, RequireExplicitExec: true, RequireUniqueNames: true,
	})
}

// base is what every script's configuration begins with.
const base = `instance: script
connections:
  tenant: {type: entra, tenant_id: "${env:SANDBOX_TENANT}", client_id: "${env:SANDBOX_APP}", client_secret: "${env:SANDBOX_SECRET}", authority: "${env:SANDBOX_URL}", defender: "${env:SANDBOX_URL}", ca: "${env:SANDBOX_CA}"}
web: {listen: "127.0.0.1:0"}
`

func setup(e *testscript.Env) error {
	etc := filepath.Join(e.WorkDir, "etc")
	if err := os.MkdirAll(etc, 0o750); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(etc, "base.yaml"), []byte(base), 0o600); err != nil {
		return err
	}
	root, err := sampledata.FindRoot()
	if err != nil {
		return err
	}
	e.Setenv("REMELD_CONFIG", etc)
	e.Setenv("REMELD_STATE", filepath.Join(e.WorkDir, "state"))
	e.Setenv("ROOT", root)
	e.Setenv("FEEDS", filepath.Join(filepath.Dir(root), "shared", "data", "feeds"))
	e.Values[roomKey{}] = &room{}
	return nil
}

// condition: [realfeeds] holds where the folder with the public feeds is there.
func condition(name string) (bool, error) {
	if name != "realfeeds" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	root, err := sampledata.FindRoot()
	if err != nil {
		return false, err
	}
	_, err = os.Stat(filepath.Join(filepath.Dir(root), "shared", "data", "feeds", "ipsum", "ipsum.txt"))
	return err == nil, nil
}
