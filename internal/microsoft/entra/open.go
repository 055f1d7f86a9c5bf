package entra

import (
	"fmt"

	"github.com/remeld/remeld/internal/httpx"
	"github.com/remeld/remeld/sdk"
)

// maxAnswer caps one answer of an API in bytes; a full page of Defender's listing, the
// largest there is, is about 10 MB.
const maxAnswer = 64 << 20

// unpaced: the services' own windows are kept by delivery (SEMANTICS D12).
const unpaced = -1

// Open resolves the connection a node of class was built with and prepares the calls
// of its login: paths from the configuration's folder, one attempt a call, tokens. It
// makes no call. The error says which connection cannot be used, and why.
func Open(class string, env sdk.Env) (*Connection, *httpx.Client, *TokenSource, error) {
	var conn *Connection
	if env.Connection != nil {
		conn, _ = env.Connection.Config.(*Connection)
	}
	if conn == nil {
		return nil, nil, nil, fmt.Errorf("class %s needs a connection of type %s under to", class, Type)
	}
	conn = conn.Rooted(env.BaseDir)
	client, err := httpx.New(httpx.Options{
		Clock: env.Clock, Log: env.Log, CAFile: conn.CA, MaxBody: maxAnswer, Retries: -1,
		PerSecond: unpaced, UserAgent: "Remeld",
	})
	if err != nil {
		return nil, nil, nil, fmt.Errorf("connection %s: %w", env.Connection.Name, err)
	}
	return conn, client, NewTokenSource(*conn, client), nil
}
