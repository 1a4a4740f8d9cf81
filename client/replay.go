package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"example.com/tokenactor/internal/netorigin"
	"example.com/tokenactor/manager"
)

// send sends a copy of req with the token. Base closes the body.
func (t *Transport) send(req *http.Request, body io.ReadCloser, token *manager.Token) (*http.Response, error) {
	sent, err := t.authorized(req, token)
	if err != nil {
		if body != nil {
			_ = body.Close()
		}
		return nil, mask(err, token)
	}
	sent.Body = body
	if s, ok := body.(*sending); ok && s.body.getBody != nil {
		sent.GetBody = s.another
	}
	resp, err := t.base().RoundTrip(sent)
	switch {
	case err != nil:
		return nil, mask(err, token)
	case resp == nil:
		return nil, errors.New("client: Transport.Base returned neither response nor error")
	}
	if err := t.received(req, sent, resp, token); err != nil {
		return nil, err
	}
	return resp, nil
}

// settle judges resp, and while it rejects its token, renews and replays.
func (t *Transport) settle(req *http.Request, body *body, token *manager.Token, resp *http.Response, begun uint64) (*http.Response, error) {
	ctx := req.Context()
	for rejections, settled, retried, renewed := 0, 0, false, false; ; {
		var held *ahead
		again := t.observe(resp)
		rejected := t.rejects(resp)
		var wait time.Duration
		if rejected && settled < maxSettling {
			wait = t.settling(req, token)
		}
		if wait == 0 {
			if renewed && !t.report(req, token, !rejected) {
				return because(resp, req, errFresh), nil
			}
			if !renewed && !rejected {
				t.accepted(req, token, resp, begun)
			}
			renewed = false
		}
		switch {
		case wait > 0 && t.maxReplays() == 0:
			return because(resp, req, ErrReplays), nil
		case wait > 0 && !body.lasts(req):
			return because(resp, req, ErrBody), nil
		case wait > 0 && endsWithin(ctx, wait):
			return because(resp, req, errSettling), nil
		case wait > 0:
			settled++
			held = hold(resp)
			t.keepCookies(req, resp)
			if !sleep(ctx, wait) {
				_ = held.Close()
				return nil, context.Cause(ctx)
			}
		case rejected:
			rejections++
			if rejections > 1 && rejections > t.maxReplays() {
				return because(resp, req, ErrReplays), nil
			}
			// Read meanwhile: the refresh may need the connection.
			held = hold(resp)
			if t.maxReplays() > 0 {
				t.keepCookies(req, resp) // before those of the login
			}
			next, err := t.renew(req, token)
			if ctx.Err() != nil {
				_ = held.Close()
				return nil, context.Cause(ctx)
			}
			switch {
			case err != nil:
			case rejections > t.maxReplays():
				err = ErrReplays
			case next.Login() != token.Login():
				err = ErrOtherLogin
			}
			if err != nil {
				held.giveBack()
				return because(resp, req, err), nil
			}
			token, renewed, settled = next, true, 0
		case again && !retried && t.maxReplays() > 0:
			held = hold(resp)
			t.keepCookies(req, resp)
			retried = true
		default:
			return resp, nil
		}

		if !held.wait(ctx) {
			_ = held.Close()
			return nil, context.Cause(ctx)
		}
		sent, ok := body.again(ctx, req)
		if !ok {
			held.giveBack()
			return because(resp, req, ErrBody), nil
		}
		_ = held.Close()
		var err error
		if resp, err = t.send(req, sent, token); err != nil {
			return nil, err
		}
	}
}

var errFresh = fmt.Errorf("client: this resource rejects a fresh token: %w", manager.ErrStillRejected)

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

// report tells the Source how a replay went, and returns whether to go on with the response.
func (t *Transport) report(req *http.Request, token *manager.Token, accepted bool) bool {
	if s, ok := t.Source.(interface {
		Replayed(token *manager.Token, accepted bool)
	}); ok {
		s.Replayed(token, accepted)
	}
	w, ok := t.Source.(Witness)
	switch {
	case !ok:
	case accepted:
		w.Accepted(resourceOf(req), token, w.Begun(), true)
	default:
		return w.ReplayRejected(resourceOf(req), token)
	}
	return true
}

// begun is what a Witness numbers a request with that is about to be sent, 0 where it
// does not want to hear of it.
func (t *Transport) begun() uint64 {
	if w, ok := t.Source.(Witness); ok {
		return w.Begun()
	}
	return 0
}

// accepted tells a Witness that a request was accepted at its first sending.
func (t *Transport) accepted(req *http.Request, token *manager.Token, resp *http.Response, begun uint64) {
	if begun > 0 && resp.StatusCode >= 200 && resp.StatusCode < 300 {
		t.Source.(Witness).Accepted(resourceOf(req), token, begun, false)
	}
}

// resourceOf is what a request asked for, as evidence about tokens goes.
func resourceOf(req *http.Request) manager.Resource {
	return manager.Resource{Origin: netorigin.Of(req.URL).String(), Path: req.URL.Path}
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
