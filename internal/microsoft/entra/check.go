package entra

import (
	"context"

	"github.com/remeld/remeld/sdk"
)

func check(ctx context.Context, cfg any, env sdk.Env, report func(sdk.Check)) {}
