package oauth

import (
	"net/http"
	"strings"
	"time"

	"example.com/tokenactor/manager"
)

// mark gives e the marks that the package comment lists. spent says that the
// request carried a refresh token, wait is what Retry-After asked for.
//
// A known code counts whatever the status is: there are servers that refuse with
// 200, 401, 403 and 500.
func (e *Error) mark(spent bool, wait time.Duration) error {
	switch e.Code {
	case "invalid_grant":
		if spent {
			return manager.LoginRequired(e)
		}
		return manager.Permanent(e)
	case "invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_target":
		return manager.Permanent(e)
	}
	var err error = e
	switch {
	case e.Status == http.StatusTooManyRequests, e.Code == "use_dpop_nonce", e.Code == "invalid_dpop_proof":
		err = manager.Unspent(err)
	case spent && e.doubtful():
		err = manager.Doubtful(err)
	}
	if wait > 0 {
		err = manager.RetryAfter(err, wait)
	}
	return err
}

// doubtful reports whether an answer refuses a refresh token in words of its own.
// It ends in a logout, so it must be the authorization server's own answer: a 400
// that is no page, or one with an error code where gateways have none. A phrase of
// HTTP such as "Not Found" is no code.
func (e *Error) doubtful() bool {
	switch e.Code {
	case "temporarily_unavailable", "server_error", "slow_down":
		return false
	}
	code := e.Code != "" && !strings.Contains(e.Code, " ")
	switch e.Status {
	case http.StatusBadRequest:
		return !e.page
	case http.StatusUnauthorized, http.StatusForbidden:
		return code
	}
	return code && success(e.Status)
}

// retryAfter reads the header of that name: seconds, or a date (RFC 9110 section
// 10.2.3). A date is the server's, so it is counted from the server's own Date
// where there is one, else from now. 0: none, or it cannot be read.
func retryAfter(header http.Header, now time.Time) time.Duration {
	value := header.Get("Retry-After")
	if wait, ok := seconds(value); ok {
		return max(wait, 0)
	}
	until, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(header.Get("Date")); err == nil {
		now = date
	}
	return max(until.Sub(now), 0)
}
