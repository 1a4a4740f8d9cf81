package contender

import (
	"context"
	"net/http"
)

// A heldToken is what those written by hand keep: beside the token the header's
// value, made once and not for each request.
type heldToken struct {
	Token
	authorization string
}

func hold(t Token) *heldToken { return &heldToken{t, "Bearer " + t.Access} }

// A handTransport is the recipe: a clone of the request, for a RoundTripper must
// not change its caller's, and one header set.
type handTransport struct {
	token func(ctx context.Context) (*heldToken, error)
	base  http.RoundTripper
}

func (t *handTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	token, err := t.token(req.Context())
	if err != nil {
		if req.Body != nil {
			_ = req.Body.Close()
		}
		return nil, err
	}
	sent := req.Clone(req.Context())
	sent.Header.Set("Authorization", token.authorization)
	return t.base.RoundTrip(sent)
}
