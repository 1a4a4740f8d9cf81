package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

// workerVariable holds, in the environment of a worker, its orders as JSON.
const workerVariable = "TOKENACTOR_FLEET_WORKER"

// credentialName is the one credential of all.
const credentialName = "fleet"

// orders are what a worker is to do.
type orders struct {
	Store                   string
	Clients                 int
	TokenURL, APIURL        string
	ClientID, ClientSecret  string
	RefreshLimit, SaveLimit time.Duration
	LoginOnly               bool // nothing is renewed ahead of time
}

// openCredential is how a process of the fleet gets its tokens.
func (o *orders) openCredential(ctx context.Context, onEvent func(manager.Event)) (*manager.Credential, func() error, error) {
	e, err := findEngine(o.Store)
	if err != nil {
		return nil, nil, err
	}
	store, closeStore, err := e.open(ctx, o.Store)
	if err != nil {
		return nil, nil, err
	}
	policy := manager.Policy{Limit: o.RefreshLimit, Patience: -1}
	if o.LoginOnly {
		policy.Window = -1
	}
	m, err := manager.New(manager.Config{
		Store:     store, // which brings its Locker
		SaveLimit: o.SaveLimit,
		Policy:    policy,
		OnEvent:   onEvent,
		Logger:    slog.New(slog.DiscardHandler), // the events are counted instead
	})
	if err != nil {
		return nil, nil, errors.Join(err, closeStore())
	}
	refresher := oauth.RefreshToken(oauth2.Config{
		ClientID:     o.ClientID,
		ClientSecret: o.ClientSecret,
		Endpoint:     oauth2.Endpoint{TokenURL: o.TokenURL},
	}, oauth.Options{})
	credential := m.Manage(credentialName, manager.RefresherFunc(func(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
		onEvent(manager.Event{Kind: eventRefreshing, At: time.Now()}) // a service needs no such wrapper
		return refresher.Refresh(ctx, name, prev)
	}))
	return credential, func() error {
		err := m.Close() // before the store: it saves
		if err != nil {
			err = fmt.Errorf("closing the manager: %w", err)
		}
		return errors.Join(err, closeStore())
	}, nil
}

// work is the whole of a worker: it crawls until its standard input ends, and
// writes reports, each a line of JSON.
func work(environment string, stdin io.Reader, stdout io.Writer) error {
	var o orders
	if err := json.Unmarshal([]byte(environment), &o); err != nil {
		return err
	}
	var mu sync.Mutex
	out := json.NewEncoder(stdout)
	write := func(r report) {
		mu.Lock()
		defer mu.Unlock()
		_ = out.Encode(r) // a parent that is gone ends this process by its standard input
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, stdin)
		cancel()
	}()

	credential, end, err := o.openCredential(ctx, func(e manager.Event) { write(reportOf(e)) })
	if err != nil {
		return err
	}
	c := crawler{orders: o, credential: credential}
	c.client.Transport = &client.Transport{Source: &c, MaxReplays: 3}

	var clients sync.WaitGroup
	for range o.Clients {
		clients.Go(func() {
			for ctx.Err() == nil {
				c.fetch(ctx)
			}
		})
	}
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ctx.Err() == nil {
		select {
		case <-tick.C:
			write(c.report())
		case <-ctx.Done():
		}
	}
	clients.Wait()
	write(c.report())
	return end()
}

// A crawler counts what becomes of its requests.
type crawler struct {
	orders
	credential *manager.Credential
	client     http.Client

	requests, lost, longest atomic.Int64
	trouble                 atomic.Pointer[string]
}

// fetch gets one page. What ends with ctx is not counted.
func (c *crawler) fetch(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.APIURL+"/page", nil)
	if err != nil {
		panic(err) // the URL is the parent's
	}
	resp, err := c.client.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	switch {
	case ctx.Err() != nil:
		return
	case err != nil:
		c.note(err.Error())
	case resp.StatusCode != http.StatusOK:
		c.note(resp.Status)
	}
	c.requests.Add(1)
}

func (c *crawler) note(trouble string) {
	c.lost.Add(1)
	c.trouble.CompareAndSwap(nil, &trouble)
}

// Token waits through whatever a fleet meets: a login that was lost with a killed
// process is mended by a new one. A service would tell its operator instead.
func (c *crawler) Token(ctx context.Context) (*manager.Token, error) {
	return c.wait(ctx, c.credential.Token)
}

// Renew does the same for a rejected token.
func (c *crawler) Renew(ctx context.Context, rejected *manager.Token) (*manager.Token, error) {
	return c.wait(ctx, func(ctx context.Context) (*manager.Token, error) { return c.credential.Renew(ctx, rejected) })
}

func (c *crawler) wait(ctx context.Context, ask func(context.Context) (*manager.Token, error)) (*manager.Token, error) {
	begun := time.Now()
	for {
		token, err := ask(ctx)
		if err == nil {
			waited := int64(time.Since(begun))
			for before := c.longest.Load(); waited > before && !c.longest.CompareAndSwap(before, waited); before = c.longest.Load() {
			}
			return token, nil
		}
		if !errors.Is(err, manager.ErrLoginRequired) {
			return nil, err
		}
		select {
		case <-time.After(50 * time.Millisecond): // until the parent has logged in
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (c *crawler) report() report {
	r := report{Requests: c.requests.Load(), Lost: c.lost.Load(), Longest: time.Duration(c.longest.Load())}
	if trouble := c.trouble.Load(); trouble != nil {
		r.Why = *trouble
	}
	return r
}

// A report is a line from a worker: its counts so far, or an event.
type report struct {
	Requests, Lost int64         `json:",omitempty"`
	Longest        time.Duration `json:",omitempty"` // wait for a token

	Event      manager.EventKind `json:",omitempty"`
	Generation uint64            `json:",omitempty"`
	At         int64             `json:",omitempty"` // Unix ns
	Why        string            `json:",omitempty"`
}

// eventRefreshing says that a refresh token is about to be sent.
const eventRefreshing = manager.EventKind(255)

func reportOf(e manager.Event) report {
	r := report{Event: e.Kind, Generation: e.Generation, At: e.At.UnixNano()}
	if e.Err != nil {
		r.Why = e.Err.Error()
	}
	return r
}
