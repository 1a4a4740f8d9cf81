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

// heldRequest sends a request, and once more with another token if the server
// rejects the first. renew gives a token that is not the rejected one, nil: any.
func heldRequest(ctx context.Context, renew func(ctx context.Context, rejected *heldToken) (*heldToken, error), send Send) error {
	token, err := renew(ctx, nil)
	if err != nil || send(token.Access) {
		return err
	}
	if token, err = renew(ctx, token); err != nil {
		return err
	}
	if !send(token.Access) {
		return errRejected
	}
	return nil
}
