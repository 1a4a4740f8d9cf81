// Package manager keeps expiring tokens fresh for any number of concurrent
// callers: one goroutine owns every token, nobody refreshes twice, nobody waits
// without need, and no refresh token is lost.
//
// For most programs the shortest use is the whole of it:
//
//	m, err := manager.New(manager.Config{Store: db})
//	...
//	defer m.Close()
//	billing := m.Manage("billing", login)
//	token, err := billing.Token(ctx)
//
// where login is a [Refresher]: a grant of package oauth, or any function that
// signs in. Package client puts such tokens on HTTP requests and renews them on
// a 401; package persist keeps them in a file.
//
// # Model
//
// A [Credential] is one client, one grant and one scope set under one name. The
// actor, one goroutine for all credentials of a [Manager], takes messages from a
// mailbox, gives them to the machine of their credential, and carries out the
// effects that the machine answers with. Refreshes, saves and hooks run on other
// goroutines and come back as messages, so the actor never blocks.
//
// A token is fresh until its renewal window opens, then due, and expired at
// expiry - skew; fresh and due tokens are usable. It is renewed in the background
// when due, whether or not somebody reads it, unless Policy.Idle says otherwise.
// A credential comes to life at its first use, or by [Manager.Scan]. Lives are counted from the moment
// a refresh was sent, in a time that also grows while the machine sleeps.
//
// # Concurrency
//
//  1. [Credential.Token] is one atomic load while a token is usable.
//  2. At most one refresh of a credential is in flight, however many callers ask
//     and however many 401s they report. One that ignores its time limit keeps
//     its place until it returns.
//  3. A refresh belongs to no caller: it has its own context and time limit.
//     A caller's context bounds that caller's wait and nothing else.
//  4. All who waited for a refresh get its outcome, good or bad.
//  5. A rejection names its token: [Credential.Renew] of one that was replaced
//     already answers with the newer one, and nothing is refreshed.
//  6. A failed renewal never takes away a token that is still usable.
//  7. A Refresher, Store, Locker or hook that blocks delays nobody but those who
//     wait for its result; one that panics gives an error.
//
// # Durability
//
// A refresh token that works once is never put at risk for speed. Before one is
// sent, a [Mark] that says so is stored; the answer is stored before any caller sees
// it. Where an answer may have been lost, by a crash, a time-out or a broken
// connection, the same refresh token is not sent again before the first request
// is surely over (the quiet time: the time limit, at most an hour, and a second), and
// then only until the server has said yes or no. A store that fails is retried while the
// new token is used from memory ([ErrNotSaved], or withheld with
// Policy.FailClosed). Tokens without a refresh token can be had again at no risk:
// they are shown first and stored after, and of their failures nothing is stored.
//
// # When a login ends
//
// A login ends only when a server that knows it has said so in words that mean it: an
// error marked [LoginRequired], about one refresh token and one [Asker]. What else an
// error may mean, and what follows, is the table of [Class]. A refusal in words that are
// not known is a suspicion: callers without a usable token are told so ([ErrLoginSuspected])
// from the second on, it is asked ever more seldom, and a success ends it.
// [Credential.Retry] asks at once. A process that manages a name with a nil Refresher is a
// reader: it sends nothing and stores nothing but its own Install and Forget.
//
// What a token endpoint says to one credential its whole group hears: while it is in
// trouble one asks, and the others wait ([EventHeldBack], Policy.Group).
//
// # Errors
//
// What a caller of Token or Renew can get, and what to do:
//
//	ctx.Err()            your context ended while you waited; the refresh goes on
//	*RefreshError        no usable token; RetryAt says when the next attempt may begin,
//	                     Class what the error means
//	  ErrLoginRequired   nothing will be tried again: log in and Install, or Retry
//	    Lost             ... because the answer to our own refresh was lost
//	  ErrLoginSuspected  the server refuses in words that are not known: offer a login,
//	                     delete nothing; it is tried again
//	  ErrNoRefresher     this process cannot refresh, and the store has no usable token
//	  ErrTimeLimit       the Refresher exceeded Policy.Limit
//	  ErrBornExpired     it returned a token that had expired, or of which less is left than
//	                     Policy.Skew keeps back: look at the clocks
//	  ErrNoToken         it returned nothing: a defect of the Refresher
//	  ErrQuietTime       an earlier refresh may still be under way: wait until RetryAt
//	  ErrNotSaved        the store failed, and Policy.FailClosed is set
//	  anything else      what the Refresher returned
//	ErrStillRejected     new tokens are rejected as well: not the token's fault
//	an error of the Store  the snapshot could not be read: mend the store; it is tried again
//	ErrReleased          Release was called: Manage the name again
//	another error        the call came from the credential's own refresh, which cannot wait
//	                     for itself: see Credential.Refreshing
//	ErrClosed            the manager was closed
//
// Install and Forget return ErrNotSaved (in use, not stored yet), ctx.Err() (the
// order stands), ErrReleased or ErrClosed. Close and Shutdown join a [NameError]
// for each credential that could not be finished: ErrNotSaved or ErrTimeLimit.
//
// # Limits
//
// A token that a resource server revokes is used until somebody reports it. What
// no client can prevent: a process paused, between its last check and its write
// to the socket, for longer than its lease; a request that the network delivers
// after the quiet time; a lost answer where the server insists on strict rotation
// (it is reported, not repaired); a store that is rolled back by a backup; a proxy
// that sends a request twice.
package manager
