package oauth

import (
	"context"

	"example.com/tokenactor/manager"
)

// A grant is what every constructor returns. All it knows is inside a function,
// where no way of printing a Refresher finds it.
type grant struct {
	origin  string
	refresh manager.RefresherFunc
}

// Refresh implements manager.Refresher.
func (g grant) Refresh(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
	return g.refresh(ctx, name, prev)
}

// Group implements manager.Grouper: the origin of the token endpoint.
func (g grant) Group() string { return g.origin }
