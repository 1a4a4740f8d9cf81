package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

// An Error is an answer of the authorization server that is not a token. It has
// none of the answer's body but the code and its description.
type Error struct {
	// Status is that of HTTP. It may be 200: some servers refuse so. 0: the
	// answer came by a redirect to this program (RFC 6749 section 4.1.2.1).
	Status int

	// Code is the error of RFC 6749 section 5.2, such as invalid_grant, or what
	// the server has in its place. A code of the RFCs, of OpenID Connect, or one that
	// names the refresh token as no longer good, is written as the RFCs write it,
	// whatever its case was: invalid_grant for INVALID_GRANT. "": the answer
	// had none, it may be a proxy's; or it repeats a secret of the request.
	Code string

	// Description is the error_description, cut at 256 bytes; "" if there was
	// none, or if it repeats a secret of the request.
	Description string

	where  string        // the endpoint that answered
	detail string        // what it was instead, in our words
	class  manager.Class // what it says about a refresh token that was sent; of what the server wrote nothing else is kept, since fmt would find it
}

// What callers of a login branch on, with errors.Is; an *Error matches.
var (
	// ErrDenied: the user, or a rule of the server, said no.
	ErrDenied = errors.New("oauth: the login was denied")

	// ErrExpired: the user did not log in in time. Begin again.
	ErrExpired = errors.New("oauth: the login was not finished in time")
)

// Is makes an answer match ErrDenied or ErrExpired. "Access Denied" beside a
// description of limits, which some servers answer, is no decision about a login.
func (e *Error) Is(target error) bool {
	return target == ErrDenied && e.Code == "access_denied" && e.class != manager.ClassAnswered ||
		target == ErrExpired && e.Code == "expired_token"
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
