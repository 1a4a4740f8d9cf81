package oauth

import (
	"net/http"
	"time"

	"example.com/tokenactor/internal/retryafter"
	"example.com/tokenactor/manager"
)

// classify returns what an answer that is no token says about the refresh token that
// was sent. This is the one table; the package comment has it in words. The first case
// that fits counts. page says that the body is of no authorization server, cut that it
// broke off, f what the server wrote, and known the code that this stands for.
func classify(status int, page, cut bool, f finding, known string, of manager.Class) manager.Class {
	refused := status >= 400 && status < 500
	switch {
	case status == http.StatusTooManyRequests, of == manager.ClassNotSent:
		return manager.ClassNotSent

	// A gateway gave up, and the server behind it may be at work: 520 to 599 are the
	// gateways' own. A body that broke off was not the server's last word.
	case cut, status == http.StatusRequestTimeout, status == http.StatusGatewayTimeout, status >= 520 && status <= 599:
		return manager.ClassUnknown

	case of == manager.ClassFinal && (known != "invalid_grant" || success(status) || refused),
		of == manager.ClassConfiguration:
		return of

	case status >= 500 && known != "invalid_grant",
		redirects(status),
		f.code == "" && (status == http.StatusNotFound || status == http.StatusMethodNotAllowed ||
			status == http.StatusRequestEntityTooLarge || status == http.StatusUnsupportedMediaType),
		page,
		success(status) && f.code == "",
		says(words(f.code), troubles), f.limited, f.transient, httpOnly(f.code):
		return manager.ClassAnswered
	}
	return manager.ClassSuspected
}

func redirects(status int) bool { return status >= 300 && status < 400 }

// mark gives e the mark of its class. spent says that the request carried a refresh
// token, wait is what Retry-After asked for.
//
// Where no refresh token was sent nothing can be spent, and no login helps: a refusal
// of the grant or of the client is one of the configuration, and everything else is
// asked for again.
func (e *Error) mark(spent bool, wait time.Duration) error {
	class := e.class
	if !spent {
		switch {
		case class == manager.ClassFinal, class == manager.ClassSuspected && e.Code == "unauthorized_client":
			class = manager.ClassConfiguration
		case class == manager.ClassSuspected:
			class = manager.ClassAnswered
		}
	}
	var err error = e
	switch class {
	case manager.ClassFinal:
		return manager.LoginRequired(e)
	case manager.ClassConfiguration:
		return manager.Permanent(e)
	case manager.ClassNotSent:
		err = manager.NotSent(e)
	case manager.ClassAnswered:
		err = manager.Answered(e)
	case manager.ClassSuspected:
		err = manager.LoginSuspected(e)
	}
	if wait > 0 {
		err = manager.RetryAfter(err, wait)
	}
	return err
}

// retryAfter is what the header of that name asks for; 0: nothing.
func retryAfter(header http.Header, now time.Time) time.Duration {
	return retryafter.Parse(header, now)
}
