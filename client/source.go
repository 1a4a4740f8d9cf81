package client

import (
	"context"
	"net/http"

	"example.com/tokenactor/manager"
)

// A Source is where a Transport gets its tokens: a *manager.Credential is one.
// All methods are called from several goroutines at once.
//
// Three more methods of *manager.Credential are used where a Source has them.
// Replayed(token *manager.Token, accepted bool) is told how each replay with a
// renewed token went. Refreshing(ctx context.Context) bool says that ctx is that
// of a refresh of this very Source, whose requests are then sent bare.
// Settling(of manager.Rejection) time.Duration says that a rejected token may be too
// new to be known, and after what time to send the request with it once more.
//
// A Source that picks a credential by ctx has none of these methods to pass on, since
// they have no ctx. Pick a Transport instead, in a RoundTripper that looks at
// Request.Context: one Transport for each credential.
type Source interface {
	// Token gives a usable token. ctx bounds this caller's wait.
	Token(ctx context.Context) (*manager.Token, error)

	// Renew gives a usable token that is not the rejected one, or an error.
	// ctx bounds this caller's wait, not the refresh, which others share.
	Renew(ctx context.Context, rejected *manager.Token) (*manager.Token, error)
}

// A Witness is a Source that judges a rejection by the resource that it came from, since an API
// answers 401 to what is not yours, too. *manager.Credential is one, and what embeds it; its
// methods say what each does. Renew is asked of the Source in any case, where Judge has nothing
// against it. A Source that is no Witness renews at each rejection.
type Witness interface {
	Begun() uint64
	Accepted(at manager.Resource, t *manager.Token, begun uint64, replay bool)
	Judge(ctx context.Context, of manager.Rejection) error
	ReplayRejected(at manager.Resource, t *manager.Token) (again bool)
}

var _ Witness = (*manager.Credential)(nil)

// New returns a client that authorizes its requests with tokens of source and
// otherwise behaves as the zero http.Client: no time limit, http.DefaultTransport
// beneath. For anything else fill in a Transport.
func New(source Source) *http.Client {
	return &http.Client{Transport: &Transport{Source: source}}
}
