package manager

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// A Refresher gets a token: by a grant of RFC 6749, or by any other login.
//
// The manager calls Refresh on a goroutine of its own, at most once at a time
// for one name, from several goroutines for several names. The context is the
// manager's: it is cancelled at the Policy's time limit, and at Close where prev
// has no refresh token; it carries the name (see Refreshing).
//
// prev is the token to renew, the zero Token the first time; prev.RefreshToken,
// where there is one, is spent by the call. The manager takes a returned Token
// whatever error history came before; an error tells by its mark what to do
// next (see [Class]): NotSent, Answered, LoginSuspected, LoginRequired, Permanent, and
// RetryAfter besides. An unmarked error leaves the fate of prev.RefreshToken unknown.
// A panic becomes that refresh's error.
type Refresher interface {
	Refresh(ctx context.Context, name string, prev Token) (Token, error)
}

// RefresherFunc makes a function a Refresher.
type RefresherFunc func(ctx context.Context, name string, prev Token) (Token, error)

// Refresh calls f.
func (f RefresherFunc) Refresh(ctx context.Context, name string, prev Token) (Token, error) {
	return f(ctx, name, prev)
}

// A Grouper is a Refresher that names its authorization server. Credentials
// whose Policy has no Group of its own belong to the group it names.
type Grouper interface {
	Group() string
}

// A Revoker is a Refresher that can also end a login at its authorization server
// (RFC 7009). When Forget has the last word, the manager calls Revoke in the
// background, after the tombstone is stored, with the token that Forget put away,
// and with one that a refresh under way brings after that. The context ends at the
// Policy's time limit. Nobody waits for Revoke but Close; it is tried once, and an
// event says what came of it.
type Revoker interface {
	Revoke(ctx context.Context, name string, token Token) error
}

// An Asker is a Refresher that says as whom it asks, and for what. A refusal is
// about one refresh token and one asker: a client that was refused because it is the
// wrong one does not end the login of the right one. A stored token is used only by
// those who ask for the same. Refreshers that are no Asker all count as one asker
// that asks for anything.
type Asker interface {
	// TokenRequest is called once, by Manage.
	TokenRequest() TokenRequest
}

// A TokenRequest is who asks an authorization server, and what for. The manager
// stores hashes of it, never its text.
type TokenRequest struct {
	// Client is the client id, Endpoint the URL of the token endpoint without
	// its query, or the issuer. How the client authenticates is no part of it.
	Client, Endpoint string

	// Scopes, Audience and Resources are what the token is to be for, in any
	// order; Subject is on whose behalf it is asked for. Empty: not said.
	Scopes, Audience, Resources []string
	Subject                     string
}

// hashes returns those of the asker and of the whole request, which tell one from
// another; never 0. They are stored: what goes into them, and how, must not change.
func (r TokenRequest) hashes() (asker, asks uint64) {
	h := sha256.New()
	write := func(texts ...string) {
		sorted := slices.Sorted(slices.Values(texts))
		for _, text := range append([]string{strconv.Itoa(len(sorted))}, sorted...) {
			_, _ = fmt.Fprintf(h, "%d %s", len(text), text) // with its length, so that no two lists run together
		}
	}
	write(r.Client)
	write(r.Endpoint)
	asker = binary.BigEndian.Uint64(h.Sum(nil))
	write(r.Scopes...)
	write(r.Audience...)
	write(r.Resources...)
	write(r.Subject)
	return max(asker, 1), max(binary.BigEndian.Uint64(h.Sum(nil)), 1)
}

// refreshMark is what Permanent and its like wrap an error in. RetryAfter adds to
// the class: RetryAfter(NotSent(err), d) is both.
type refreshMark struct {
	err   error
	class Class // "": it names a time only
	after time.Duration
}

func (e *refreshMark) Error() string { return e.err.Error() }
func (e *refreshMark) Unwrap() error { return e.err }

// Is makes a LoginRequired error match ErrLoginRequired.
func (e *refreshMark) Is(target error) bool {
	return e.class == ClassFinal && target == ErrLoginRequired
}

func wrap(err error, m refreshMark) error {
	if err == nil {
		return nil
	}
	m.err = err
	return &m
}

// NotSent marks an error after which the refresh token is certainly unused: the
// request was never sent (dial or TLS failed), or it was declined unread (429).
// It may be sent again after a back-off, without the quiet time that an unknown
// outcome asks for. NotSent(nil) is nil.
func NotSent(err error) error { return wrap(err, refreshMark{class: ClassNotSent}) }

// Answered marks a complete answer that does not say what became of the refresh
// token: a 500, a page of HTML, a 404. The request is over as soon as it was
// answered, so that neither a sibling nor a restart waits for it; while the access
// token is usable the next attempt waits for the quiet time all the same, and then
// comes while there is still time. An answer that took longer than 5 s counts as
// unmarked. Answered(nil) is nil.
func Answered(err error) error { return wrap(err, refreshMark{class: ClassAnswered}) }

// LoginSuspected marks an answer that refuses the refresh token in words that are
// not known: a 400 with an empty body, invalid_request. It may mean that a login is needed,
// or trouble at the server. From the second such answer on, a minute after the
// first, callers without a usable token see [ErrLoginSuspected]; it is asked ever
// less often and never becomes final by itself. LoginSuspected(nil) is nil.
func LoginSuspected(err error) error { return wrap(err, refreshMark{class: ClassSuspected}) }

// LoginRequired marks an error that only a new login mends, as invalid_grant
// (RFC 6749 section 5.2) does. Callers see [ErrLoginRequired]. Where a refresh token
// was sent it is stored: that refresh token is not sent again by this [Asker], also
// after a restart, until Install or [Credential.Retry]. Where there was none it holds
// for this process only. LoginRequired(nil) is nil.
func LoginRequired(err error) error { return wrap(err, refreshMark{class: ClassFinal}) }

// Permanent marks an error that asking again soon will not mend: a wrong client
// secret, an unknown scope. Callers get it at once; it is kept in memory only and
// asked again after five minutes, doubled by each further one up to an hour.
// Permanent(nil) is nil.
func Permanent(err error) error { return wrap(err, refreshMark{class: ClassConfiguration}) }

// RetryAfter marks an error whose server named a time to wait (RFC 9110 section
// 10.2.3). It is honoured up to an hour, also after a restart where a refresh token
// is at stake. RetryAfter(nil, d) is nil.
func RetryAfter(err error, d time.Duration) error {
	return wrap(err, refreshMark{after: d})
}

type refreshingKey struct{}

// refreshing is what the context of a refresh carries.
type refreshing struct{ credential *Credential }

// Refreshing reports whether ctx is that of a refresh of c. A client that
// authorizes requests with c sends such a request bare: the refresh cannot wait
// for itself.
func (c *Credential) Refreshing(ctx context.Context) bool {
	r, ok := ctx.Value(refreshingKey{}).(refreshing)
	return ok && r.credential == c
}
