package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/diag"
)

func load(t *testing.T, text string) (*Config, diag.List) {
	t.Helper()
	return LoadBytes("test.yaml", []byte(text), withSecrets(t, testOptions()))
}

func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	cfg, found := load(t, text)
	if cfg == nil {
		t.Fatal(found.Err())
	}
	return cfg
}

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const listA = "nodes:\n  a: {class: list, config: {path: x}}\n"

func TestLoad_FolderIsMerged(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"20.yaml": "nodes:\n  f: {class: feed, inputs: [a]}\n", "10.yaml": "instance: x\n---\n" + listA,
		".hidden.yaml": "nonsense: [", "notes.txt": "nonsense: [", "30.yml": "web: {listen: \"[::1]:9\"}\n",
	})
	cfg, found := Load([]string{dir}, testOptions())
	if cfg == nil || len(found) > 0 {
		t.Fatal(found)
	}
	if cfg.Instance != "x" || len(cfg.Nodes) != 2 || cfg.BaseDir != dir || cfg.Web.Listen != "[::1]:9" {
		t.Errorf("%+v", cfg)
	}
	if got := strings.Join(cfg.Order, " "); got != "a f" {
		t.Errorf("order %s", got)
	}
}

func TestLoad_DuplicatesAcrossFilesNameBothPlaces(t *testing.T) {
	dir := writeFiles(t, map[string]string{"1.yaml": "instance: x\n" + listA, "2.yaml": "instance: y\n" + listA})
	cfg, found := Load([]string{filepath.Join(dir, "1.yaml"), filepath.Join(dir, "2.yaml")}, testOptions())
	text := fmt.Sprint(found.Err())
	for _, want := range []string{"2.yaml:1:1", "1.yaml:1:1", "nodes.a is given twice", "2.yaml:3:3", "1.yaml:3:3"} {
		if !strings.Contains(text, want) {
			t.Errorf("%s is not in\n%s", want, text)
		}
	}
	if cfg != nil || len(found) != 2 {
		t.Errorf("%v, %v", cfg, found)
	}
}

func TestLoad_WhatIsNoTextIsPlaced(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"instance: x\nnodes: # caf\xe9\n", "test.yaml:2:13: error: byte 0xE9 is not UTF-8"},
		{"instance: é\x00\n", "test.yaml:1:12: error: a control character (0x00)"},
		{"\x7fELF", "test.yaml:1:1: error: a control character (0x7F)"},
	} {
		_, found := load(t, c.text)
		if err := found.Err(); err == nil || !strings.Contains(err.Error(), c.want) || len(found) != 1 {
			t.Errorf("%q: %v", c.text, err)
		}
	}
}

func TestLoad_MessagesAreShort(t *testing.T) {
	_, found := load(t, "instance: "+strings.Repeat("x", 1<<20)+"\n"+listA)
	if len(found) != 1 || len(found[0].Msg) > maxMsg+10 || !strings.HasPrefix(found[0].Msg, "instance cannot be") {
		t.Errorf("%d findings, the first of %d bytes", len(found), len(found[0].Msg))
	}
}

func TestLoad_UnreadablePaths(t *testing.T) {
	empty := t.TempDir()
	for _, paths := range [][]string{{"/no/such/file.yaml"}, {empty}, {}} {
		cfg, found := Load(paths, testOptions())
		if cfg != nil || len(found) != 1 || found[0].Msg == "" {
			t.Errorf("%v: %v", paths, found)
		}
	}
	dir := writeFiles(t, map[string]string{"1.yaml": listA})
	file := filepath.Join(dir, "1.yaml")
	if cfg, found := Load([]string{file, dir}, testOptions()); cfg == nil {
		t.Errorf("a file named twice is read twice: %v", found)
	}
}

func TestDefaults_SemanticsF(t *testing.T) {
	cfg := mustLoad(t, `
connections: {c: {type: entra, tenant_id: t, client_id: c, client_secret: "${env:CONTOSO_SECRET}"}}
nodes:
  s: {class: list, config: {path: x}}
  open: {class: feed, inputs: [s]}
  login: {class: feed, inputs: [s], tags: [soc]}
  d: {class: defender, inputs: [s], to: [c], config: {action: block}}
`)
	s, d := cfg.Nodes["s"], cfg.Nodes["d"]
	for what, ok := range map[string]bool{
		"jitter 10 %":              s.Jitter == 0.1,
		"interval of the class":    s.Interval == 0,
		"withdraw after 2 polls":   s.WithdrawAfter == 2,
		"freeze −50 %, −100, ≥ 20": s.Freeze == FreezeLimits{Limit{0.5, 100}, 20},
		"empty freezes":            s.Empty == "freeze",
		"no max_stale":             s.MaxStale == MaxStale{0, "keep"},
		"mode plan":                d.Mode == "plan",
		"confidence 70":            d.MinConfidence == 70,
		"deletes 10 %, 100":        d.Guard.Deletes == Limit{0.1, 100},
		"creates 50 %, 1000":       d.Guard.Creates == Limit{0.5, 1000},
		"source 20 %, 50":          d.Guard.Source == Limit{0.2, 50},
		"apply after 60 s":         d.Settle == time.Minute,
		"listing 1 h, drift 6 h":   d.ListingAge == time.Hour && d.DriftEvery == 6*time.Hour,
		"drift freezes":            d.OnDrift == "freeze",
		"renewed while wanted":     d.Renew == "while_wanted",
		"on_remove must be given":  d.OnRemove == "",
		"open feed green":          cfg.Nodes["open"].MaxTLP == indicator.Green,
		"login feed amber+strict":  cfg.Nodes["login"].MaxTLP == indicator.AmberStrict,
		"target as its class says": d.MaxTLP == indicator.Unlabelled,
		"feeds on loopback":        cfg.Web.Listen == "127.0.0.1:8088",
	} {
		if !ok {
			t.Errorf("default is not: %s", what)
		}
	}
}

func TestD7_ProtectionIsOnByDefault(t *testing.T) {
	p := mustLoad(t, listA).Protect
	if !p.SpecialPurpose || !p.PublicSuffixes || p.MaxCIDR != (MaxCIDR{16, 32}) || strings.Join(p.Warninglists, " ") != "microsoft public-dns" {
		t.Errorf("%+v", p)
	}
	p = mustLoad(t, listA+"protect: {lists: a, special_purpose: false, max_cidr: {ipv4: 8}, warninglists: []}\n").Protect
	if len(p.Warninglists) != 0 {
		t.Errorf("%v", p.Warninglists)
	}
	if p.SpecialPurpose || !p.PublicSuffixes || p.MaxCIDR != (MaxCIDR{8, 32}) || p.Lists[0] != "a" {
		t.Errorf("%+v", p)
	}
}

func TestE12_ClockInKeepIsRefused(t *testing.T) {
	for _, q := range []string{`first_seen > "NOW() - 1 DAY"`, `first_seen > "TODAY()"`, `last_seen > "2026-01-01"`, `lastModified is null`} {
		cfg, found := load(t, listA+"  f: {class: feed, inputs: [a], keep: {x: '"+q+"'}}\n")
		if cfg != nil || !strings.Contains(found.Err().Error(), "depends on the clock") {
			t.Errorf("%s: %v", q, found)
		}
	}
	if mustLoad(t, listA+"  f: {class: feed, inputs: [a], keep: {x: 'first_seen > \"2026-01-01\"'}}\n") == nil {
		t.Error("a fixed date is no clock")
	}
}

func TestE10_AllowListsAreEdges(t *testing.T) {
	cfg := mustLoad(t, listA+"  z: {class: list, config: {path: y}}\n  m: {class: aggregate, inputs: [a], allow: [z]}\n")
	if m := cfg.Nodes["m"]; len(m.Allow) != 1 || m.Allow[0] != "z" || cfg.Order[2] != "m" {
		t.Errorf("%+v, %v", m, cfg.Order)
	}
}

func TestCycles_AreNamedWhole(t *testing.T) {
	_, found := load(t, `
nodes:
  a: {class: aggregate, inputs: [c]}
  b: {class: aggregate, inputs: [a]}
  c: {class: aggregate, inputs: [b]}
`)
	if len(found) != 1 || !strings.HasSuffix(found[0].Msg, "a -> b -> c -> a") || found[0].Line != 4 {
		t.Errorf("%v", found)
	}
}

func TestDefaults_RedNowhereAndOpenFeedsAreNamed(t *testing.T) {
	for text, want := range map[string]string{
		"{class: feed, inputs: [a], max_tlp: red}":                "cannot be red",
		"{class: feed, inputs: [a], max_tlp: amber}":              "is open and gives out",
		"{class: feed, inputs: [a], tags: [x]}":                   "nobody can read it",
		"{class: feed, inputs: [a], max_tlp: amber, tags: [soc]}": "",
		"{class: feed, inputs: [a]}":                              "",
	} {
		_, found := load(t, listA+"  f: "+text+"\nweb: {users: [{name: u, password: \"${env:CONTOSO_SECRET}\", tags: [soc]}]}\n")
		if len(found) != min(len(want), 1) || want != "" && !strings.Contains(found[0].Msg, want) {
			t.Errorf("%s: %v, want %q", text, found, want)
		}
	}
}

func TestKeepAndComputeWork(t *testing.T) {
	n := mustLoad(t, "nodes:\n  a: {class: list, config: {path: x}, keep: {b: 'rating > 2', a: 'lists >= 5'}, compute: {confidence: 'lists * 12'}, attributes: {severity: 3}}\n").Nodes["a"]
	rec := &indicator.Record{Attrs: n.Attributes.Clone()}
	rec.Attrs.Extra = map[string]any{"lists": "7"}
	for i, name := range []string{"b", "a"} {
		if n.Keep[i].Name != name || n.Keep[i].Filter.Match(rec, nil).String() != "true" {
			t.Errorf("keep %d: %+v", i, n.Keep[i])
		}
	}
	if v, err := n.Compute[0].Program.Run(rec); v != int64(84) || err != nil {
		t.Errorf("%v, %v", v, err)
	}
}

const loginConfig = `
connections: {c: {type: entra, tenant_id: %s, client_id: c, client_secret: "${env:CONTOSO_SECRET}"}}
nodes:
  s: {class: list, config: {path: %s}}
  u: {class: http, config: {url: https://x.example, auth: {user: u, password: "${env:PASSWORD}"}}}
  d: {class: defender, inputs: [s], to: [c], config: {action: block}}
`

func loadLogin(t *testing.T, tenant, path, secret, password, key string) *Config {
	t.Helper()
	opts := testOptions()
	opts.Key = []byte(key)
	opts.Env = func(name string) (string, bool) {
		return map[string]string{"CONTOSO_SECRET": secret, "PASSWORD": password}[name], true
	}
	cfg, found := LoadBytes("test.yaml", fmt.Appendf(nil, loginConfig, tenant, path), opts)
	if cfg == nil {
		t.Fatal(found)
	}
	return cfg
}

func TestFingerprints(t *testing.T) {
	base := loadLogin(t, "t", "x", "secret-1", "password-1", "k")
	prints := func(c *Config) [5]string {
		return [5]string{c.Nodes["s"].Fingerprint, c.Nodes["u"].Fingerprint, c.Nodes["d"].Fingerprint, c.Connections["c"].Fingerprint, c.Version}
	}
	was := prints(base)
	for name, c := range map[string]struct {
		cfg  *Config
		same [5]bool // s, u, d, connection, version
	}{
		"nothing":        {loadLogin(t, "t", "x", "secret-1", "password-1", "k"), [5]bool{true, true, true, true, true}},
		"rotated login":  {loadLogin(t, "t", "x", "secret-2", "password-1", "k"), [5]bool{true, true, true, false, true}},
		"other tenant":   {loadLogin(t, "t2", "x", "secret-1", "password-1", "k"), [5]bool{true, true, true, false, false}},
		"other path":     {loadLogin(t, "t", "y", "secret-1", "password-1", "k"), [5]bool{false, true, true, true, false}},
		"other password": {loadLogin(t, "t", "x", "secret-1", "password-2", "k"), [5]bool{true, false, true, true, false}},
		"other key":      {loadLogin(t, "t", "x", "secret-1", "password-1", "k2"), [5]bool{}},
	} {
		now := prints(c.cfg)
		for i := range now {
			if (now[i] == was[i]) != c.same[i] {
				t.Errorf("%s: fingerprint %d same: %v, want %v", name, i, now[i] == was[i], c.same[i])
			}
		}
	}
}

func TestSecretsAreNeverShown(t *testing.T) {
	cfg := loadLogin(t, "t", "x", "secret-1", "password-1", "k")
	data, err := json.Marshal(cfg)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(data), fmt.Sprintf("%v %+v", cfg.Nodes["u"].Config, cfg.Connections["c"].Config)} {
		if strings.Contains(text, "secret-1") || strings.Contains(text, "password-1") {
			t.Errorf("shown: %s", text)
		}
	}
	if got := cfg.Connections["c"].Config.(*entraConfig).Secret.Reveal(); got != "secret-1" {
		t.Errorf("the secret itself is %q", got)
	}
}

func TestSnippets_HideSecretsAndKeepTheCaret(t *testing.T) {
	m := &masker{}
	m.add("topsecret")
	for line, want := range map[string]string{
		`  client_secret: "abc def"  # c`:       `  client_secret: [secret]  # c`,
		`  {api_key: abc, other: x}`:            `  {api_key: [secret], other: x}`,
		`  url: https://u:pw@host/`:             `  url: https://[secret]@host/`,
		`  x: topsecret`:                        `  x: [secret]`,
		`  client_secret: "${env:X}"`:           `  client_secret: "${env:X}"`,
		`  secret_key: ${secret:acme}`:          `  secret_key: ${secret:acme}`,
		`  Authorization: Bearer abc.def, a: b`: `  Authorization: [secret], a: b`,
	} {
		if got, _ := m.line(line, 1); got != want {
			t.Errorf("%q shows as %q, want %q", line, got, want)
		}
	}
	line, col := m.line("a: topsecret, bad: 1", 15)
	if []rune(line)[col-1] != 'b' {
		t.Errorf("caret at %d of %q", col, line)
	}
}

func TestUsersFile(t *testing.T) {
	dir := writeFiles(t, map[string]string{
		"remeld.yaml": listA + "web: {users: [{name: a, password: \"${env:CONTOSO_SECRET}\"}], users_file: users.yaml}\n",
		"users.yaml":  "- {name: b, password: \"$2a$10$N9qo8uLOickgx2ZMRZoMye\", tags: [soc]}\n- {name: a, pasword: x}\n",
	})
	cfg, found := Load([]string{filepath.Join(dir, "remeld.yaml")}, testOptions())
	text := fmt.Sprint(found.Err())
	if cfg != nil || !strings.Contains(text, "users.yaml:2:13") || !strings.Contains(text, `"a" is given twice`) || strings.Contains(text, "users.yaml:1") {
		t.Errorf("%s", text)
	}
}

func TestFields_AreTheReference(t *testing.T) {
	byPath := map[string]Field{}
	for _, f := range append(NodeFields(), FieldsOf(testClasses()[0].NewConfig())...) {
		byPath[f.Path] = f
		if f.Doc == "" && len(f.Roles) > 0 {
			t.Errorf("engine key %s has no doc", f.Path)
		}
	}
	for path, want := range map[string]string{
		"guard.deletes.share": "10%", "settle": "1m", "mode": "plan", "max_body": "256MB", "timeout": "1m",
		"verify_tls": "true", "freeze.count": "100", "columns[].name": "", "auth.password": "", "url": "",
	} {
		f, ok := byPath[path]
		if !ok || f.Default != want {
			t.Errorf("%s: %+v, want default %q", path, f, want)
		}
	}
	if f := byPath["mode"]; strings.Join(f.Enum, "|") != "plan|auto" || f.Roles[0] != "target" || f.Type != "text" {
		t.Errorf("%+v", f)
	}
	if !byPath["url"].Required || !byPath["auth.password"].Secret {
		t.Errorf("%+v, %+v", byPath["url"], byPath["auth.password"])
	}
	if got := Fields(reflect.TypeFor[entraConfig]()); len(got) != 3 || got[0].Path != "tenant_id" || got[0].Doc != "Tenant." {
		t.Errorf("%+v", got)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"30d": 720 * time.Hour, "90m": 90 * time.Minute, "1h30m": 90 * time.Minute, "2w": 336 * time.Hour,
		"1d12h": 36 * time.Hour, "1.5h": 90 * time.Minute, "0": 0, "500ms": 500 * time.Millisecond,
	} {
		got, err := ParseDuration(text)
		if err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
		if again, err := ParseDuration(FormatDuration(got)); err != nil || again != got {
			t.Errorf("%s is written %s", text, FormatDuration(got))
		}
	}
	for _, text := range []string{"", "5", "-5m", "m", "1 h", "1y", "1h30", "99999999999d", "1e5s", "NaNs"} {
		if d, err := ParseDuration(text); err == nil {
			t.Errorf("%q is %v", text, d)
		}
	}
}

func TestSecretStore_NamesOnly(t *testing.T) {
	for _, name := range []string{"../x", "a/b", "", ".hidden", "/etc/passwd"} {
		_, found := load(t, "nodes: {a: {class: list, config: {path: \"${secret:"+name+"}\"}}}")
		if !found.HasErrors() || strings.Contains(found[0].Msg, "root:") {
			t.Errorf("%q: %v", name, found)
		}
	}
}

func TestValidate_IsNotAskedAfterWrongValues(t *testing.T) {
	_, found := load(t, "nodes: {a: {class: http, config: {url: \"${env:NOPE}\", auth: {password: \"${env:CONTOSO_SECRET}\"}}}}")
	if len(found) != 1 {
		t.Errorf("follow-up errors: %v", found)
	}
}

func TestSDKConnection(t *testing.T) {
	cfg := loadLogin(t, "t", "x", "secret-1", "password-1", "k")
	if c := cfg.Connections["c"].SDK(); c.Type != "entra" || c.Name != "c" || c.Config.(*entraConfig).Tenant != "t" {
		t.Errorf("%+v", c)
	}
}

func FuzzLoad(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	for _, s := range []string{"\xff\xfe", "nodes: [", "nodes: {a: {class: http, keep: {x: \"\\", "? ? ?", "- - - -", "%YAML 9.9\n---\na", "nodes: !!binary |\n  x", "a: &a [*a]", "<<: [*x]", "nodes:\n  a: {class: feed, inputs: a, keep: {x: |\n y}}"} {
		f.Add([]byte(s))
	}
	opts := withSecrets(f, testOptions())
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, found := LoadBytes("fuzz.yaml", data, opts)
		if (cfg == nil) != found.HasErrors() {
			t.Fatalf("config %v with %v", cfg != nil, found)
		}
		var text strings.Builder
		if err := found.Print(&text, false); err != nil {
			t.Fatal(err)
		}
		if cfg != nil {
			if _, err := json.Marshal(cfg); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestD7_ATenantCanProtectMore(t *testing.T) {
	const text = `
connections:
  c: {type: entra, tenant_id: t, client_id: c, client_secret: "${env:CONTOSO_SECRET}", protect: [%s]}
nodes:
  theirs: {class: list, config: {path: a.yaml}}
`
	if got := mustLoad(t, fmt.Sprintf(text, "theirs")).Connections["c"].Protect; len(got) != 1 || got[0] != "theirs" {
		t.Errorf("%v", got)
	}
	if _, found := load(t, fmt.Sprintf(text, "theirz")); !strings.Contains(found[0].Error(), `there is no node "theirz" to protect`) {
		t.Errorf("%v", found)
	}
}
