// Package oauth has the grants of OAuth 2.0 as [manager.Refresher]s, logins for the
// first token, DPoP, and bridges to and from programs of golang.org/x/oauth2.
//
//	billing := m.Manage("billing", oauth.ClientCredentials(clientcredentials.Config{
//		ClientID:     "crawler",
//		ClientSecret: os.Getenv("BILLING_SECRET"),
//		TokenURL:     "https://auth.example.com/token",
//		Scopes:       []string{"invoices:read"},
//	}))
//
// Which one to use:
//
//	a machine acts for itself        [ClientCredentials]
//	a service account with a key     [JWTBearer]
//	a user                           [CodeLogin] in a browser here, or [DeviceLogin]
//	                                 elsewhere; Install; then [RefreshToken]
//	a token for another service      [TokenExchange]
//	an old server                    [Password]
//	an oauth2.TokenSource in hand    [FromTokenSource]
//	code that wants a TokenSource    [TokenSource]
//
// The configuration types are those of x/oauth2, and [Options] has what they lack.
// x/oauth2's way of asking for tokens is not used: a token request is sent from one
// place in this package, under the rules below.
//
// # The token request
//
//  1. It is sent once. How the client authenticates is configured, never found out
//     by trying: with AuthStyle zero, a client with a secret uses HTTP Basic (RFC
//     6749 section 2.3.1), one without a secret sends its client_id as a parameter
//     (section 3.2.1). A second try in another style would send a refresh token
//     twice, and a server that detects reuse then ends the login. A server that
//     wants the secret as a parameter needs oauth2.AuthStyleInParams; for a key or
//     a certificate in place of a secret see [ClientAuth].
//  2. It is sent a second time only where the server has refused it unread, and
//     something is known now that was not: a DPoP nonce (use_dpop_nonce, RFC 9449
//     section 8), or that what it signs was signed at a wrong time (invalid_client to
//     a client assertion, invalid_dpop_proof to a proof, or invalid_grant to an
//     assertion, and a Date that shows it). A stream of HTTP/2 that the server breaks
//     off is not repeated, as net/http would.
//  3. It goes by https, or by http to this machine: 127.0.0.0/8, ::1, localhost.
//     Anything else needs Options.AllowHTTP. Where an issuer of https names the
//     endpoint it is https: whoever names the issuer must not choose what on this
//     machine is sent a secret.
//  4. It follows the redirects 307 and 308, five at most, within the origin of the
//     token endpoint. Any other redirect is an error, which says where it leads. The
//     question to an [Issuer], a GET, follows 301, 302 and 303 as well.
//  5. It is bounded by the context of the refresh, that is by Policy.Limit of the
//     manager. Of an answer 1 MiB is read.
//
// # The answer
//
// An answer is JSON (RFC 6749 section 5.1); a form, as old servers send, is read
// too. Once it has an access token, nothing else in it makes it an error, since
// a refresh token may have been spent for it. For the same reason an answer of 2xx that
// is whole counts, however it is wrapped and labelled: an object that bytes follow, or
// the end of the connection; an object or a form of any Content-Type, or of none; one
// that is compressed by gzip, though the request does not ask for it. In other text,
// such as a notice of PHP with the object behind it, an object counts if it is the only
// one with an access token, is no part of another value, and has a token type, a life
// or a refresh token.
//
// A token_type that is no registered scheme of HTTP, such as bot, BearerToken or User
// Access Token, means Bearer, as do Bearer in any case, an empty one and none. DPoP is
// sent as such. mac, PoP, N_A, Basic and the other schemes of IANA's registry ask for
// something else than the token behind its type (RFC 6749 section 7.1): the answer is
// kept, for its refresh token, and the manager reports an error in place of sending the
// access token.
//
// Fields that no RFC or rule here names are kept in Token.Extra: strings as they are,
// other values as their JSON.
//
// # Lives
//
// expires_in and refresh_in are numbers or strings of seconds. Where expires_in is
// absent or cannot be read, expires_at or expires_on tell, if they are dates to come,
// and else the life is unknown. expires_in of 0 or less says that the token has no end:
// its life is unknown. Only beside the new refresh token that an old one has bought it
// says that the token came expired. expires_in_sec wins over expires_in, which then is
// in milliseconds. refresh_expires_in, refresh_token_expires_in, refresh_expires_at and
// refresh_token_expires_at become RefreshExpiresIn, of which the manager makes
// Token.RefreshExpiry, EventDying and a line of Status. Dates are those of RFC 3339, or
// Unix seconds, or milliseconds, which all dates above 1e11 are.
//
// # Clocks
//
// Lives are durations, counted from the sending by the manager's own time, so that a
// wrong clock does not touch them. What a server compares with its own clock is
// corrected by the Date of its answers: the iat and exp of a JWT that is signed here.
// Dates in an answer are measured from that answer's Date.
//
// # Errors
//
// An answer that is not a token is an [*Error], with the mark of its class; see
// [manager.Class] for what follows from each. To a request with a refresh token, read
// from the top, the first row that fits:
//
//	429; use_dpop_nonce, invalid_dpop_proof           NotSent
//	408, 504, 520 to 599; a body that broke off       no mark: it may be under way
//	invalid_grant with 2xx or 4xx;
//	login_required, interaction_required,
//	consent_required, account_selection_required;
//	a code that says that the refresh token is
//	expired, reused, revoked, invalidated, bad
//	or invalid, and nothing else                      LoginRequired
//	invalid_client, unsupported_grant_type,
//	invalid_scope, invalid_target                     Permanent
//	5xx, but with invalid_grant; a redirect that is
//	not followed; 404, 405, 413, 415 without a code;
//	a page of HTML, plain text, half an object; 2xx
//	with neither a token nor a code; words of limits
//	or of trouble; a reason phrase of HTTP, or a
//	number of three digits, for a code                Answered
//	any other refusal: unauthorized_client,
//	access_denied, invalid_request, an empty 400,
//	a code of the server's own, invalid_grant
//	with 5xx                                          LoginSuspected
//
// A redirect has no code. That of another answer is looked for in error, error.code and
// error.type; code, errorCode, error_code and errcode; code, errorType, error and type of
// errors[0]; and where there is no other, in status. error decides before the others; a
// number counts only where there are no words. Codes are compared word by word, case
// apart: INVALID_REFRESH_TOKEN, invalidRefreshToken and "invalid refresh token" are one
// code, and "rate" is no word of account_migrated. Words of limits and trouble are rate,
// any form of throttle, too many, slow down, time-out, unavailable, temporarily,
// overloaded, internal, maintenance, and server error, unknown error, fatal error; and
// is_transient. A description counts only where it says "too many requests", "rate
// limit" or the like.
//
// Without a refresh token nothing can be spent, and no login helps: what is
// LoginRequired above is Permanent then, and so is unauthorized_client; what is
// LoginSuspected is Answered.
//
// Retry-After (RFC 9110 section 10.2.3) adds RetryAfter, except beside LoginRequired
// and Permanent.
//
// Where no answer came, or none of 2xx that is whole, the error is NotSent if the request
// surely never left: no connection, no TLS. After any other the refresh token may be
// spent, and the error has no mark. Errors of [CodeLogin] and [DeviceLogin] have none
// either.
//
// What is shown does not decide what is done: the class follows from the code as the
// server wrote it. Error.Code has it unless it repeats a secret that was sent; a code of
// the RFCs, or one that says that the refresh token is no longer good, is no secret.
//
// A wrong configuration is a Permanent error of the first refresh, not of the
// constructor. No error shows a secret, nor what a server said besides an error code
// and its description, and the address of a redirect without its query, and not those if
// they repeat a secret that was sent. Neither does what errors.Unwrap reaches, or a
// printer that follows pointers.
//
// # Concurrency
//
//  1. Refreshers, sources, an [Issuer], a [Key] and a [DPoP] may be used by any
//     number of goroutines, for any number of credentials. No lock is held while a
//     request is under way, but for the turn to ask an Issuer, where all wait for
//     the same answer and each no longer than its own context.
//  2. A Refresher keeps copies of its configuration: changing cfg later changes
//     nothing. Of Options.Client it keeps the Transport and the Jar themselves.
//  3. The package starts no goroutine, but for the listener of [CodeLogin], which has
//     ended when that returns.
//
// # Limits
//
// Retry-After as a date is counted from the answer's Date header. A DPoP proof says
// the address of the token endpoint as it is configured: behind a redirect it does
// not fit. There are no pushed authorization requests (RFC 9126).
package oauth
