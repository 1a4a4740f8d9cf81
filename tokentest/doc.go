// Package tokentest is a cruel authorization server and a protected API, in
// memory or on loopback, for tests of programs whose tokens expire.
//
// It rotates refresh tokens and revokes a whole family when a spent one comes
// back (RFC 9700, section 4.14.2). It loses answers after the work is done,
// answers late, or with the HTML of a proxy, and revokes access tokens that
// are still in use. All of it on command, all of it counted.
//
//	srv := tokentest.New(tokentest.Options{})
//	defer srv.Close()
//
//	login := srv.Login()           // as a user who logged in: an access and a refresh token
//	srv.Next(tokentest.Lost())     // the next refresh spends its token, then the connection dies
//	err := refresh(srv.Client(), srv.TokenURL(), login.RefreshToken)
//	...
//	if srv.Stats().Reuses > 0 {
//		t.Error("the refresh token was sent twice")
//	}
//
// In memory nothing has to be started: [Server.Client] reaches the server under
// the reserved names auth.example.com and api.example.com and no other host.
// After [Server.Start] the same server listens on 127.0.0.1, and TokenURL,
// RevokeURL, APIURL and Client lead there.
//
// # Concurrency
//
//  1. Every method of [Server] may be called from any goroutine at any time.
//  2. No lock is held while a call waits, so in memory the server works inside a
//     [testing/synctest] bubble: a Latency of an hour costs no real time. Call New
//     inside the bubble, and make the channel of [Hang] there.
//  3. A refresh is one atomic step. Of two callers with one refresh token, one is
//     served and the other has presented a spent one.
//  4. What the API does to a request with a good token takes no lock that
//     two requests share.
//  5. A request's context ends its waiting. Work which the server has done by then
//     stays done, as it does at a real server; [Slow] even does it afterwards.
//  6. Goroutines are started for calls under way, and on loopback one for the listener.
//     Close waits for all of them.
//
// # Errors
//
// In memory a broken connection is a [*net.OpError] around ECONNRESET, a failed
// dial one with Op "dial", so that errors.As tells them apart as it would in real
// life. On loopback connections are really reset. Refusals are answers: RFC 6749,
// section 5.2, from the token endpoint, RFC 6750, section 3, from the API.
//
// # Limits
//
// [Server.Login] stands for any login; those by code, on another device and with a
// password are there too, and so are JWT bearer and token exchange. Users say yes
// by themselves ([Options].Consent) or through [Server.Decide]; there is no page to
// look at. Access tokens are taken from the Authorization header only.
// Tokens show their family and serial number (rt-3-1-9f86d081884c7d65 is the first
// refresh token of family 3) and go into logs as rt-3-1. They are no secrets: this
// is a test server, it does not belong on a network. On loopback no server can make
// a dial fail; see [NotSent].
package tokentest
