// Command remeld pulls threat indicators from anywhere, melds them into one
// trusted set and keeps Microsoft Defender, Sentinel, Graph and firewalls in exact
// step with it.
package main

import (
	"os"

	"github.com/remeld/remeld/internal/app/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }
