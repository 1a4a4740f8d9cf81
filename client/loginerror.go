package client

import (
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/tokenactor/internal/retryafter"
	"example.com/tokenactor/manager"
)

// LoginError turns the response of a login endpoint of your own, or of any other that
// is no OAuth, into the error of a Refresher. It returns nil for 2xx. Otherwise the
// error has the mark that tells the manager what to do:
//
//	429                                    manager.NotSent
//	408, 504, 520 to 599                   no mark: a gateway gave up, the
//	                                       server may be at work
//	any other 5xx, 404, 405, 413, 415,
//	a redirect                             manager.Answered: asked again with back-off
//	400, 401, 403, 422, any other 4xx      manager.Permanent: a wrong password
//	                                       or key. Callers are told at once; it is
//	                                       asked again after five minutes, doubled
//	                                       up to an hour, so that it heals by itself
//
// and manager.RetryAfter besides, where the response has that header, for all but
// Permanent. A login that spends what it sends, as a refresh token is spent, needs
// finer marks than these: package oauth has them.
//
// The error's text has the status and the address without its query, and nothing of
// the body. LoginError neither reads nor closes the body.
func LoginError(resp *http.Response) error {
	status := resp.StatusCode
	if status >= 200 && status < 300 {
		return nil
	}
	err := errors.New(loginText(resp))
	switch {
	case status == http.StatusTooManyRequests:
		err = manager.NotSent(err)
	case status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout, status >= 520 && status <= 599:
	case status < 400 || status >= 500, status == http.StatusNotFound, status == http.StatusMethodNotAllowed,
		status == http.StatusRequestEntityTooLarge, status == http.StatusUnsupportedMediaType:
		err = manager.Answered(err)
	default:
		return manager.Permanent(err)
	}
	if wait := retryafter.Parse(resp.Header, time.Now()); wait > 0 {
		err = manager.RetryAfter(err, wait)
	}
	return err
}

// loginText says who answered what. The phrase is ours: Response.Status is the
// server's text.
func loginText(resp *http.Response) string {
	what := fmt.Sprint(resp.StatusCode)
	if phrase := http.StatusText(resp.StatusCode); phrase != "" {
		what += " " + phrase
	}
	if resp.Request == nil || resp.Request.URL == nil {
		return "client: the login answered " + what
	}
	u := resp.Request.URL
	return "client: the login at " + u.Host + u.EscapedPath() + " answered " + what
}
