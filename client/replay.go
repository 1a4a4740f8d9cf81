package client

import (
	"context"
	"errors"
	"io"
	"net/http"

	"example.com/tokenactor/manager"
)

// send sends a copy of req with the token. Base closes the body.
func (t *Transport) send(req *http.Request, body io.ReadCloser, token *manager.Token) (*http.Response, error) {
	sent, err := t.authorized(req, token)
	if err != nil {
		if body != nil {
			_ = body.Close()
		}
		return nil, err
	}
	sent.Body = body
	resp, err := t.base().RoundTrip(sent)
	switch {
	case err != nil:
		return nil, mask(err, token)
	case resp == nil:
		return nil, errors.New("client: Transport.Base returned neither response nor error")
	}
	resp.Request = req
	return resp, nil
}

// settle judges resp, and while it rejects its token, renews and replays.
func (t *Transport) settle(req *http.Request, body *body, token *manager.Token, resp *http.Response) (*http.Response, error) {
	ctx := req.Context()
	for rejections, retried, renewed := 0, false, false; ; {
		again := t.observe(resp)
		rejected := t.rejects(resp)
		if renewed {
			t.report(token, !rejected)
			renewed = false
		}
		switch {
		case rejected:
			rejections++
			if rejections > 1 && rejections > t.maxReplays() {
				return resp, nil
			}
			// Read before the wait: a refresh may need the connection.
			peek(resp, peekLimit)
			next, err := t.Source.Renew(ctx, token)
			if ctx.Err() != nil {
				_ = resp.Body.Close()
				return nil, context.Cause(ctx)
			}
			if err != nil || rejections > t.maxReplays() {
				return resp, nil
			}
			token, renewed = next, true
		case again && !retried && t.maxReplays() > 0:
			peek(resp, peekLimit)
			retried = true
		default:
			return resp, nil
		}

		sent, ok := body.again(ctx, req)
		if !ok {
			return resp, nil
		}
		_ = resp.Body.Close()
		var err error
		if resp, err = t.send(req, sent, token); err != nil {
			return nil, err
		}
	}
}

// rejects reports whether resp rejects its token.
func (t *Transport) rejects(resp *http.Response) bool {
	if t.Rejected == nil {
		return InvalidToken(resp)
	}
	return t.Rejected(resp)
}

// observe shows resp to the Place.
func (t *Transport) observe(resp *http.Response) (again bool) {
	p, ok := t.Place.(Observer)
	return ok && p.Observe(resp)
}

// report tells the Source how a replay went.
func (t *Transport) report(token *manager.Token, accepted bool) {
	if s, ok := t.Source.(interface {
		Replayed(token *manager.Token, accepted bool)
	}); ok {
		s.Replayed(token, accepted)
	}
}

// refreshing reports whether ctx is that of a refresh of the Source itself,
// which cannot wait for itself: its requests are sent bare.
func (t *Transport) refreshing(ctx context.Context) bool {
	s, ok := t.Source.(interface {
		Refreshing(ctx context.Context) bool
	})
	return ok && s.Refreshing(ctx)
}

// maxReplays counts sends besides the first.
func (t *Transport) maxReplays() int {
	switch {
	case t.MaxReplays == 0:
		return 1
	case t.MaxReplays < 0:
		return 0
	}
	return t.MaxReplays
}
