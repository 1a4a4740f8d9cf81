package oauth

import (
	"fmt"
	"net/url"
	"strings"
)

// A callError is the end of a token request that got no answer.
type callError struct {
	text  string
	cause *error // for errors.Is. A pointer, since its text is not for fmt to find
}

// newCallError shows of cause what comes before the first quotation: net/http
// quotes a malformed answer, and that may be a token.
func newCallError(origin string, cause error, h hush) *callError {
	for {
		wrapped, ok := cause.(*url.Error)
		if !ok {
			break
		}
		cause = wrapped.Err // without the URL, whose query may hold a key
	}
	text, _, _ := strings.Cut(cause.Error(), `"`)
	text, _, _ = strings.Cut(text, "malformed MIME header") // quoted without quotation marks
	text = h.clean(text)
	if text == "" {
		text = fmt.Sprintf("%T", cause)
	}
	return &callError{fmt.Sprintf("oauth: no answer from %s: %s", origin, text), &cause}
}

func (e *callError) Error() string { return e.text }
func (e *callError) Unwrap() error { return *e.cause }
