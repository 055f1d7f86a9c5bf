package sdk

import (
	"context"
	"fmt"
	"sort"
	"sync"
	"time"
)

// Validator is implemented by config structs (pointer receiver). It returns all
// that is wrong; *FieldError values are shown at their place in the file.
type Validator interface{ Validate() []error }

// Spec describes a class: C is its config struct with yaml tags, N what New
// builds (Source, Processor, Feed or Target).
type Spec[C any, N any] struct {
	Name    string // as in class:
	Summary string // one line for lists
	Doc     string // Markdown, embedded from doc.md
	// Connections lists the connection types the class takes; empty = none.
	Connections []string
	// Service is what the class calls through its connection, in the words of
	// ConnectionType.Offers; "" = nothing that a connection could lack.
	Service string
	// Default returns the config before the user's YAML is laid over it.
	Default func() C
	New     func(cfg C, env Env) (N, error)
}

// Class is a registered class with its types erased, as the loader and the app
// see it.
type Class struct {
	Name        string
	Role        Role
	Summary     string
	Doc         string
	Connections []string
	Service     string
	// NewConfig returns a pointer to a fresh default config struct.
	NewConfig func() any
	// New builds the node from a pointer that NewConfig returned; the result is a
	// Source, Processor, Feed or Target by Role.
	New func(cfg any, env Env) (any, error)
}

// ConnectionType is a kind of login under connections:.
type ConnectionType struct {
	Name      string
	Summary   string
	NewConfig func() any
	// Offers says why a login cannot reach a service (Spec.Service), nil where it can:
	// what is known without a call, such as an API that its cloud does not have. nil =
	// it reaches everything.
	Offers func(cfg any, service string) *FieldError
	// Ends reads when the credential ends, from what lies on this machine; zero where
	// that cannot be known. An error says that the credential cannot be used. Paths
	// are relative to baseDir. nil = never known.
	Ends func(cfg any, baseDir string) (time.Time, error)
	// Files are what beside the configuration makes up a login, such as a certificate:
	// when one is replaced, the login is another. Not for files that are rotated all the
	// time and read again by themselves. nil = none.
	Files func(cfg any, baseDir string) []string
	// Check examines a login, as Checker does a node; nil = nothing to look at.
	Check func(ctx context.Context, cfg any, env Env, report func(Check))
}

var (
	mu          sync.Mutex
	classes     = map[string]Class{}
	connections = map[string]ConnectionType{}
)

// RegisterSource registers a source class; call it from init. A name taken twice
// panics.
func RegisterSource[C any](s Spec[C, Source]) { register(RoleSource, s) }

// RegisterProcessor registers a processor class.
func RegisterProcessor[C any](s Spec[C, Processor]) { register(RoleProcessor, s) }

// RegisterFeed registers a feed class.
func RegisterFeed[C any](s Spec[C, Feed]) { register(RoleFeed, s) }

// RegisterTarget registers a class of reconciled destinations; one Target is
// built for each connection in the node's to:.
func RegisterTarget[C any](s Spec[C, Target]) { register(RoleTarget, s) }

func register[C, N any](role Role, s Spec[C, N]) {
	mu.Lock()
	defer mu.Unlock()
	if _, taken := classes[s.Name]; taken || s.Name == "" || s.New == nil {
		panic(fmt.Sprintf("sdk: class %q: name empty or taken, or no New", s.Name))
	}
	classes[s.Name] = Class{
		Name: s.Name, Role: role, Summary: s.Summary, Doc: s.Doc, Connections: s.Connections, Service: s.Service,
		NewConfig: func() any {
			var c C
			if s.Default != nil {
				c = s.Default()
			}
			return &c
		},
		New: func(cfg any, env Env) (any, error) { return s.New(*cfg.(*C), env) },
	}
}

// RegisterConnection registers a connection type; call it from init.
func RegisterConnection(t ConnectionType) {
	mu.Lock()
	defer mu.Unlock()
	if _, taken := connections[t.Name]; taken || t.Name == "" {
		panic(fmt.Sprintf("sdk: connection type %q: name empty or taken", t.Name))
	}
	connections[t.Name] = t
}

// Classes returns the registered classes by name.
func Classes() []Class { return sorted(classes, func(c Class) string { return c.Name }) }

// ConnectionTypes returns the registered connection types by name.
func ConnectionTypes() []ConnectionType {
	return sorted(connections, func(c ConnectionType) string { return c.Name })
}

func sorted[T any](m map[string]T, name func(T) string) []T {
	mu.Lock()
	defer mu.Unlock()
	out := make([]T, 0, len(m))
	for _, v := range m {
		out = append(out, v)
	}
	sort.Slice(out, func(i, j int) bool { return name(out[i]) < name(out[j]) })
	return out
}
