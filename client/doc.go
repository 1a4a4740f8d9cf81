// Package client is the http.RoundTripper that authorizes requests, and on a 401
// renews the token once for all who met it and sends each request again.
//
//	billing := m.Manage("billing", oauth.ClientCredentials(config))
//	api := client.New(billing)
//	resp, err := api.Get("https://api.example.com/invoices")
//
// For most uses, use New. A crawler fills in a Transport, names the hosts that may
// see the token, and brings its own connection pool:
//
//	api := &http.Client{
//		Timeout: time.Minute,
//		Transport: &client.Transport{
//			Source: billing,
//			Base:   &http.Transport{MaxIdleConnsPerHost: 100, ForceAttemptHTTP2: true},
//			Hosts:  []string{"api.example.com"},
//		},
//	}
//
// # Concurrency
//
//  1. A Transport has no state and starts no goroutine. Any number of goroutines
//     may use one at once, and any number of Transports one credential.
//  2. The caller's request is never changed. What Base gets is a copy that shares
//     all but the map of its header, and its URL where a Place may change it.
//     Response.Request is the caller's request.
//  3. The caller's context bounds this request and its waits, not the refresh that
//     it may wait for, which others share.
//  4. A rejection names its token: a 401 that comes late is answered with the newer
//     token that is there by then, without a refresh.
//
// # Where the token goes
//
// A token goes to the origin (scheme, host, port) of the first request, and on
// redirects to that origin only; with Transport.Hosts set, to those hosts and no
// other; and never to http once a hop was https. Elsewhere the request is sent
// bare, and its 401 is the caller's: it starts no refresh. A request that already
// has something in the token's place, an Authorization header as a rule, is left
// alone; one that belongs to the refresh of the very credential is sent bare.
//
// # What is sent again
//
// A response that rejects its token (see InvalidToken) is read up to 64 KiB, so that
// its connection is free; then the token is renewed, and the request sent again,
// Transport.MaxReplays times at most. What becomes of the body:
//
//	none                         sent again
//	Request.GetBody              asked for the body anew
//	an io.Seeker, as a file is   goes back to where it stood
//	any other                    what Base read of it is kept, up to
//	                             Transport.ReplayBuffer, and sent first
//
// The last two are closed when Base has let go of them for the last time. A body
// that cannot be sent again, a GetBody that fails, a renewal that fails: the
// caller gets the original response, whole, and no error. Never is an empty or
// half body sent for a whole one.
//
// # Errors
//
// Those of the Source come through as they are: manager.ErrLoginRequired says that
// nothing helps but a new login. Those of Base too, unless their text has the token
// in it; then it is masked, and errors.Is and errors.As work as before.
//
// # Limits
//
// A body without GetBody reaches Base behind a reader of ours, a file too: an
// *http.Transport then copies what it would have handed to sendfile. Set GetBody
// where that counts.
//
// A body whose Read is under way when the 401 comes, and does not return within a
// second, is not sent again: its producer may be waiting for the response.
//
// Behind httputil.ReverseProxy remove the visitor's Authorization from the outgoing
// request, or it is taken for the request's own.
package client
