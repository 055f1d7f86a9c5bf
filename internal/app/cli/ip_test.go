package cli_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remeld/remeld/internal/app/cli"
)

// TestSetAlgebraOfTheCommandLine: what is printed, and that a question that cannot
// be answered is an error, not an empty answer.
func TestSetAlgebraOfTheCommandLine(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for name, text := range map[string]string{
		a: "\ufeff192.0.2.0/255.255.255.0 # all\r\n192.0.2.77\r\n2001:db8::1\r\n",
		b: "192.0.2.128-192.0.2.255\nno address\n",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args  string
		code  int
		out   string
		wrong string // in what is said beside
	}{
		{"ip collapse " + a, 0, "192.0.2.0/24\n2001:db8::1\n", ""},
		{"ip except --ranges " + a + " " + b, 0, "192.0.2.0-192.0.2.127\n2001:db8::1\n", "b: 1 lines are no addresses, the first is line 2: not an address"},
		{"ip common - " + b, 0, "192.0.2.200\n", ""},
		{"ip diff --json - " + a, 0, "[\n  \"192.0.2.0/25\",\n  \"192.0.2.128/26\",\n  \"192.0.2.192/29\",\n  \"192.0.2.201\",\n  \"192.0.2.202/31\",\n  \"192.0.2.204/30\",\n  \"192.0.2.208/28\",\n  \"192.0.2.224/27\",\n  \"2001:db8::1\"\n]\n", ""},
		{"ip diff - -", 1, "", "named twice"},
		{"extract - -", 1, "", "named twice"},
		{"ip collaps " + a, 1, "", "unknown command"},
		{"ip collapse " + a + ".none", 1, "", "no such file"},
	} {
		var out, said bytes.Buffer
		code := cli.Main(strings.Fields(c.args), strings.NewReader("192.0.2.200/32\n"), &out, &said)
		if code != c.code || out.String() != c.out || !strings.Contains(said.String(), c.wrong) {
			t.Errorf("%s: exit %d, %q, %q", c.args, code, out.String(), said.String())
		}
	}
}
