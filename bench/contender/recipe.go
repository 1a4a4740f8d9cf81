package contender

import (
	"context"
	"net/http"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/sync/singleflight"
)

// What is put around x/oauth2 for want of a way to tell it of a 401, as it is
// usually written: a mutex around the source, and a singleflight group that puts a
// new one in its place. Nobody asks whether the rejected token is still the current
// one; rwmutex shows what that changes. At its best with DoChan, so that a waiter
// leaves when its context ends.
var xoauth2Recipe = Contender{
	Name:   "oauth2-401",
	About:  "x/oauth2 in a mutex, replaced after a 401 under singleflight, as usually written; oauth2.Transport",
	Module: "golang.org/x/oauth2",
	Open:   func(job Job) (any, error) { return &recipe{job: job, source: reuse(nil, job)}, nil },
}

type recipe struct {
	job    Job
	flight singleflight.Group

	mu     sync.Mutex
	source tokenSource
}

func (r *recipe) Token() (*oauth2.Token, error) {
	r.mu.Lock()
	source := r.source
	r.mu.Unlock()
	return source.Token()
}

func (r *recipe) Reads(_ context.Context, n int) (string, error) {
	var token *oauth2.Token
	for range n {
		var err error
		if token, err = r.Token(); err != nil {
			return "", err
		}
	}
	return token.AccessToken, nil
}

func (r *recipe) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &oauth2.Transport{Source: r, Base: base}, nil
}

func (r *recipe) Request(ctx context.Context, send Send) error {
	token, err := r.Token()
	if err != nil || send(token.AccessToken) {
		return err
	}
	select {
	case res := <-r.flight.DoChan("", r.replace):
		if res.Err != nil {
			return res.Err
		}
		token = res.Val.(*oauth2.Token)
	case <-ctx.Done():
		return ctx.Err()
	}
	if !send(token.AccessToken) {
		return errRejected
	}
	return nil
}

func (r *recipe) replace() (any, error) {
	token, err := loginSource(r.job.Login).Token()
	if err != nil {
		return nil, err
	}
	source := reuse(token, r.job)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.source = source
	return token, nil
}
