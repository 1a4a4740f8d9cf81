package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"golang.org/x/oauth2"
)

// An Error is an answer of the authorization server that is not a token. It has
// none of the answer's body but the code and its description.
type Error struct {
	// Status is that of HTTP. It may be 200: some servers refuse so. 0: the
	// answer came by a redirect to this program (RFC 6749 section 4.1.2.1).
	Status int

	// Code is the error of RFC 6749 section 5.2, such as invalid_grant. "":
	// the answer had none; it may be a proxy's.
	Code string

	// Description is the error_description, cut at 256 bytes; "" if there was
	// none, or if it repeats a secret of the request.
	Description string

	where  string // the endpoint that answered
	detail string // what it was instead, in our words
	page   bool   // the body is of no authorization server: a proxy's page
}

// What callers of a login branch on, with errors.Is; an *Error matches.
var (
	// ErrDenied: the user, or a rule of the server, said no.
	ErrDenied = errors.New("oauth: the login was denied")

	// ErrExpired: the user did not log in in time. Begin again.
	ErrExpired = errors.New("oauth: the login was not finished in time")
)

// Is makes an answer match ErrDenied or ErrExpired.
func (e *Error) Is(target error) bool {
	return target == ErrDenied && e.Code == "access_denied" || target == ErrExpired && e.Code == "expired_token"
}

// Error says what was answered.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "oauth: the %s answered", e.where)
	if e.Status > 0 {
		fmt.Fprintf(&b, " %d", e.Status)
	}
	if e.Code != "" {
		b.WriteString(" " + e.Code)
	}
	if e.Description != "" {
		fmt.Fprintf(&b, " %q", e.Description)
	}
	if e.detail != "" {
		b.WriteString(": " + e.detail)
	}
	return b.String()
}

// As lets programs that look for an *oauth2.RetrieveError go on doing so. Its
// Body is empty, and of its Response only the status is there.
func (e *Error) As(target any) bool {
	t, ok := target.(**oauth2.RetrieveError)
	if !ok {
		return false
	}
	status := strings.TrimSpace(fmt.Sprintf("%d %s", e.Status, http.StatusText(e.Status)))
	*t = &oauth2.RetrieveError{
		Response:         &http.Response{StatusCode: e.Status, Status: status, Body: http.NoBody},
		ErrorCode:        e.Code,
		ErrorDescription: e.Description,
	}
	return true
}
