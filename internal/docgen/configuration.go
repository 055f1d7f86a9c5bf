package docgen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remeld/remeld/indicator"
	"github.com/remeld/remeld/internal/config"
	"github.com/remeld/remeld/prototypes"
	"github.com/remeld/remeld/sdk"
)

// Configuration returns the generated parts of docs/configuration.md. It knows the
// classes and connection types that are registered.
func Configuration() map[string]string {
	return map[string]string{
		"nodes":        nodeKeys(config.NodeFields()),
		"connections":  connections(sdk.ConnectionTypes()),
		"protect":      keys(config.ProtectFields()),
		"web":          keys(config.WebFields()),
		"jobs":         keys(config.JobFields()),
		"notify":       keys(config.NotifyFields()),
		"forms":        forms(sdk.Forms()),
		"classes":      classes(sdk.Classes()),
		"attributes":   attributes(),
		"warninglists": warninglists(),
	}
}

// keys is the table of config fields.
func keys(fields []config.Field) string {
	if len(fields) == 0 {
		return "No keys."
	}
	rows := make([][]string, len(fields))
	for i, f := range fields {
		rows[i] = []string{code(f.Path), typeOf(f), defaultOf(f), meaning(f)}
	}
	return table([]string{"key", "type", "default", "meaning"}, rows)
}

func typeOf(f config.Field) string {
	if len(f.Enum) > 0 {
		return codes(f.Enum)
	}
	for _, article := range []string{"a ", "an "} {
		if word, ok := strings.CutPrefix(f.Type, article); ok {
			return word
		}
	}
	return f.Type
}

// defaultOf shows what holds where a key is not given. Keys of list items and map
// values have no default of their own; neither has a key that must be given.
func defaultOf(f config.Field) string {
	switch {
	case f.Required:
		return "required"
	case f.Absent:
		return ""
	case f.Default != "":
		return code(f.Default)
	case f.Type == "true or false":
		return code("false")
	case f.Type == "a whole number" && !strings.ContainsAny(f.Path, "[N"):
		return code("0")
	}
	return ""
}

func meaning(f config.Field) string {
	text := f.Doc
	if f.Secret && !strings.Contains(text, "reference") {
		text += " Give a reference: `${env:NAME}`, `${file:PATH}` or `${secret:NAME}`."
	}
	return text
}

// nodeKeys groups the engine keys by the roles they are for.
func nodeKeys(fields []config.Field) string {
	var order []string
	groups := map[string][]config.Field{}
	for _, f := range fields {
		roles := strings.Join(f.Roles, ",")
		if strings.Contains(f.Path, ".") { // follows its parent
			roles = rolesOfParent(fields, f)
		}
		if groups[roles] == nil {
			order = append(order, roles)
		}
		groups[roles] = append(groups[roles], f)
	}
	slices.SortStableFunc(order, func(a, b string) int { return rolesPlace(a) - rolesPlace(b) })
	var b strings.Builder
	for _, roles := range order {
		fmt.Fprintf(&b, "### %s\n\n%s\n", rolesTitle(roles), keys(groups[roles]))
	}
	return b.String()
}

func rolesOfParent(fields []config.Field, f config.Field) string {
	parent, _, _ := strings.Cut(f.Path, ".")
	for _, p := range fields {
		if p.Path == strings.TrimSuffix(parent, "[]") {
			return strings.Join(p.Roles, ",")
		}
	}
	return strings.Join(f.Roles, ",")
}

// rolesPlace puts keys of all nodes first, then those of several roles.
func rolesPlace(roles string) int {
	if roles == "" {
		return 0
	}
	return 10*(5-len(strings.Split(roles, ","))) + slices.Index([]string{"source", "processor", "feed", "target"}, strings.Split(roles, ",")[0])
}

func rolesTitle(roles string) string {
	if roles == "" {
		return "Keys of every node"
	}
	words := strings.Split(roles, ",")
	for i := range words {
		words[i] += "s"
	}
	last := len(words) - 1
	if last == 0 {
		return "Keys of " + words[0]
	}
	return "Keys of " + strings.Join(words[:last], ", ") + " and " + words[last]
}

func connections(types []sdk.ConnectionType) string {
	var b strings.Builder
	for _, t := range types {
		fmt.Fprintf(&b, "### `type: %s`\n\n%s.\n\n%s\n", t.Name, capital(t.Summary), keys(config.FieldsOf(t.NewConfig())))
	}
	return b.String()
}

// classes is one section a class, sources first.
func classes(all []sdk.Class) string {
	var b strings.Builder
	roles := []sdk.Role{sdk.RoleSource, sdk.RoleProcessor, sdk.RoleFeed, sdk.RoleTarget}
	var index [][]string
	for _, role := range roles {
		for _, c := range all {
			if c.Role == role {
				index = append(index, []string{fmt.Sprintf("[`%s`](#%s)", c.Name, c.Name), string(role), capital(c.Summary)})
			}
		}
	}
	b.WriteString(table([]string{"class", "role", "what it is"}, index) + "\n")
	for _, role := range roles {
		for _, c := range all {
			if c.Role == role {
				b.WriteString(class(c))
			}
		}
	}
	return b.String()
}

// forms are the forms of jobs with their parameters.
func forms(all []sdk.Form) string {
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "### `%s`\n\n%s\n\n#### Keys of `%s` under `config:`\n\n%s\n", f.Name, embed(f.Doc), f.Name, keys(config.FieldsOf(f.NewConfig())))
	}
	return b.String()
}

func class(c sdk.Class) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### `%s`\n\nRole: %s.", c.Name, c.Role)
	if len(c.Connections) > 0 {
		fmt.Fprintf(&b, " Takes a connection of type %s.", codes(c.Connections))
	}
	fmt.Fprintf(&b, "\n\n%s\n\n#### Keys of `%s` under `config:`\n\n%s\n", embed(c.Doc), c.Name, keys(config.FieldsOf(c.NewConfig())))
	return b.String()
}

// embed takes a class's own page into the reference: its title goes, its headings
// stand two levels lower, and its examples are marked as parts of a configuration.
func embed(doc string) string {
	var out []string
	inCode := false
	for _, line := range strings.Split(strings.TrimSpace(doc), "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			if !inCode && line == "```yaml" {
				out = append(out, FragmentMark)
			}
			inCode = !inCode
		case inCode:
		case strings.HasPrefix(line, "# "):
			continue
		case strings.HasPrefix(line, "#"):
			line = "##" + line
		}
		out = append(out, line)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

// FragmentMark stands above an example that is a part of a configuration: nodes it
// names and does not define stand elsewhere.
const FragmentMark = "<!-- fragment -->"

func attributes() string {
	var kinds []string
	for _, k := range indicator.Kinds() {
		kinds = append(kinds, k.String())
	}
	return "Kinds: " + codes(kinds) + ". Families: `ip` (ipv4, ipv6), `hash` (md5, sha1, sha256, sha512).\n\nAttributes: " +
		codes(indicator.AttributeNames()) + ". Any other name is a free attribute.\n"
}

// warninglists lists the built-in ones, and the names that stand for several.
func warninglists() string {
	names := slices.Sorted(slices.Values(prototypes.Names()))
	text := codes(names) + "."
	for _, name := range names {
		if all := prototypes.Expand(name); len(all) > 1 {
			text += fmt.Sprintf(" %s stands for %s.", code(name), strings.Join(strings.Split(codes(all), ", "), " and "))
		}
	}
	return text
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + strings.TrimSuffix(s[1:], ".")
}
