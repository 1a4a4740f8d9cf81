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
//  1. The only state of a Transport is what OnBare was told. Any number of goroutines
//     may use one at once, and any number of Transports one credential. The only
//     goroutine it starts reads the body of a response that rejects its token, and is
//     gone when the caller has closed that body.
//  2. The caller's request is never changed. What Base gets is a copy that shares
//     all but the map of its header, and its URL where a Place may change it or
//     its host is not ASCII: that is sent as net/http dials it, in punycode.
//     Response.Request is the caller's request.
//  3. The caller's context bounds this request and its waits, not the refresh that
//     it may wait for, which others share.
//  4. A rejection names its token: a 401 that comes late is answered with the newer
//     token that is there by then, without a refresh.
//
// # Where the token goes
//
// A token goes to the origin (scheme, host, port) of the first request, and on
// redirects to that origin only, or to https on the same host if both ports are
// the schemes' own; with Transport.Hosts set, to those hosts and no other; and
// never to http once a hop was https. Plain http to another machine is an error
// unless an entry of Hosts begins with "http://"; so it is for Authorize.
// Elsewhere the request is sent bare, and its 401 is the caller's: it starts no
// refresh. Transport.OnBare tells of such requests, once for each origin.
//
// Hosts are compared by the names that net/http dials: "bücher.example" and
// "xn--bcher-kva.example" are one host, "api.example.com." with its dot is another
// than without. Request.Host and URL.Opaque count as well where they are set, since
// a proxy goes by them. An answer that comes from elsewhere, because Base follows
// redirects by itself, is an error: Base may have taken the token along.
//
// A request that already has something in the token's place is left alone: as a
// rule an Authorization header, in any spelling of its name. An empty value counts
// as none. A header without a value asks for a request without a token:
//
//	req.Header["Authorization"] = nil
//
// That is the way to post a password to the API's own origin: a wrong one is
// answered 401, and would otherwise be posted twice. A request that belongs to the
// refresh of the very credential is sent bare too.
//
// A server that answers 403 to a token that it has revoked, and says nothing in a
// challenge, needs a rule of its own: see the example Transport (Rejected403).
//
// # What is sent again
//
// When a response rejects its token (see InvalidToken), the token is renewed at once,
// and the request is sent again, Transport.MaxReplays times at most. The rejection counts
// even if the request's context has ended by then. What becomes of the request's body:
//
//	none                         sent again
//	Request.GetBody              asked for the body anew
//	an io.Seeker, as a file is   goes back to where it stood
//	any other                    what Base read of it is kept, up to
//	                             Transport.ReplayBuffer, and sent first
//
// The last two are closed when Base has let go of them for the last time. Two sends never
// read at once, whatever GetBody returns: net/http may go on with an upload after its
// response, so the first send is stopped, and its body closed, before GetBody is
// asked. What http.NewRequest makes of a bytes.Reader, strings.Reader or bytes.Buffer
// shares nothing with its copies, and is sent as it is.
//
// A body that cannot be sent again, a GetBody that fails or returns nil, a Seek that
// is not about what Read reads (a struct with an embedded file and a Read of its own),
// a renewal that fails: the caller gets the original response, and no error. A replay
// that turns out to be shorter than the send before, or after a Seek to be another
// body, is broken off before its end, and the caller gets an error that says so. Never is an
// empty or half body sent for a whole one.
//
// The body of the original response is read while the renewal goes on, so that its
// connection is free. Up to 64 KiB come back as they came; a longer one, or one that
// takes more than a second, is cut off after that second if the renewal takes longer, and
// ends with ErrBodyCut. A replay waits for it as long, a second at most.
//
// # Whose fault a 401 is
//
// An API answers 401 to what is not yours, too. So a rejection is judged by the resource that it
// comes from, an origin and a path, and not by the token alone (see [Witness]); nothing is noted
// before a resource has rejected a fresh token.
//
//	it accepted this very token before        renewed at once
//	it rejected a fresh token                 its 401 goes back, but for one chance after a second,
//	                                          doubled up to a minute; an acceptance ends that
//	nothing is known of it                    it waits, a second at most, for what others of the same
//	                                          origin say about requests begun since: accepted, its 401
//	                                          goes back; several rejected in a row, renewed
//
// Where a refresh token is at stake this asks for no more than one renewal a second, and a burst of
// twenty. A replay stays within its login: after Forget and Install of somebody else the original
// 401 goes back. [Reason] says why a 401 was given back.
//
// An API that answers from replicas may not know a new token at once: set Policy.Settle to
// that time, or each 401 of a replica brings a new token, which is unknown again.
//
// # Errors
//
// Those of the Source come through as they are: manager.ErrLoginRequired says that
// nothing helps but a new login. Those of Base too, unless their text has the token
// in it; then it is masked, and errors.Is and errors.As work as before.
//
// # Limits
//
// Any other body than http.NewRequest makes of memory reaches Base behind a reader of
// ours, a file too: an *http.Transport then copies what it would have handed to
// sendfile. Where that counts, set MaxReplays to -1.
//
// A server that answers 401 to the headers of a large upload, and closes the connection, may
// reset it before net/http has read the 401: then there is an error in its place, and
// nothing is renewed. Ask first: with the header Expect: 100-continue (and
// http.Transport.ExpectContinueTimeout set) the body is not sent before the server
// wants it. Over HTTP/1.1 such a server may also close the connection that the replay goes
// out on; then the replay ends in an error, as any request on it would.
//
// Cookies are put into a request by the http.Client around, before there is a token: one
// whose login sets cookies beside the token wants the client's jar in Transport.Jar.
//
// A cache (RFC 9111) belongs around a Transport. Beneath it may store a 401 that the server
// lets it store, and answers the replay with it.
//
// Of two Transports, one around the other, as for a gateway's key and a user's token, each
// takes a bare 401 for its own. Give both a Rejected that tells by the body or the
// challenge whose token is meant.
//
// A challenge that asks for more than a fresh token of the same kind, as insufficient_claims
// of a conditional access policy does, is not met by renewing, and is no rejection; Rejected
// sees it, and the login that it asks for is made by Install.
//
// A client around that sends requests again, as go-retryablehttp does, should not do so
// when only a login helps: let its CheckRetry return false and the error where
// errors.Is(err, manager.ErrLoginRequired).
//
// Request.Cancel, which net/http has long deprecated, ends a request that is under way and
// not its wait for a token. Use its context.
//
// A body whose Read is under way when the 401 comes, and does not return within a
// second, is not sent again: its producer may be waiting for the response. With
// GetBody too.
//
// Behind httputil.ReverseProxy remove the visitor's Authorization from the outgoing
// request, or it is taken for the request's own, and his Host, which SetURL of
// ProxyRequest does, or with Hosts set the request is sent bare.
//
// A RoundTripper in front that makes a new request of each one, instead of a
// Clone, loses Request.Response, by which redirects are recognized: every hop then
// looks like a first request, and gets the token. Set Hosts, which holds for each
// hop by itself.
//
// A Base that sends to another address than it is asked for, as a balancer on the
// client's side may, looks like one that follows redirects if Response.Request has
// that address. Let it dial otherwise, hand out the request that it was given, or
// name both in Hosts.
package client
