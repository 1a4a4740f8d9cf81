package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// crawlList crawls the list that the options name: with a store, a manager on it, and
// one credential.
func crawlList(ctx context.Context, o options, stdin io.Reader, out io.Writer) (end outcome, err error) {
	list, err := readList(o.urls, stdin)
	if err == nil {
		err = strangers(list, o.hosts, out)
	}
	if err != nil {
		return end, err
	}
	var store manager.Store = &persist.Memory{}
	if o.store != "" {
		db, err := persist.Open(o.store, persist.Options{})
		if err != nil {
			return end, err
		}
		defer db.Close()
		store = db
	}
	// A service leaves Logger alone. Here it would tear the live line apart, and the
	// summary tells of failures.
	m, err := manager.New(manager.Config{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return end, err
	}
	defer func() { err = errors.Join(err, closeSaying(m, out)) }() // before the store: it saves

	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConns, base.MaxIdleConnsPerHost = 0, o.workers // with 2 per host, most of them would dial
	defer base.CloseIdleConnections()
	base.ResponseHeaderTimeout = 10 * time.Second // of the request alone: a time limit of the client counts the wait for a token too
	c := &crawl{options: o, list: list, manager: m}
	c.credential, err = o.credential(ctx, m, store, oauth.Options{Client: &http.Client{Transport: base, Timeout: 10 * time.Second}})
	if err == nil {
		err = c.firstToken(ctx, out) // better now than a thousand times
	}
	switch {
	case err != nil && ctx.Err() != nil:
		end.interrupted = true
		if o.duration > 0 {
			return end, nil
		}
		return end, c.keepRest(out)
	case err != nil:
		return end, fmt.Errorf("no token: %w", err)
	}
	c.client = &http.Client{
		Timeout: o.maxWait + time.Minute,
		Transport: &client.Transport{
			Source:     &meter{c.credential, &c.tally}, // or the credential itself, if nobody counts
			Base:       base,
			Hosts:      o.hosts, // the list may lead anywhere, the token must not
			MaxReplays: 3,       // not 1: a replay may meet the next revocation
		},
	}
	c.run(ctx, out)
	end.lost = c.tally.lost()
	if o.duration == 0 {
		end.interrupted = ctx.Err() != nil && len(c.rest()) > 0
		err = c.keepRest(out)
	}
	return end, err
}

// firstToken waits for one, and says what it waits for.
func (c *crawl) firstToken(ctx context.Context, out io.Writer) error {
	donec := make(chan error, 1)
	go func() {
		_, err := c.credential.Token(ctx)
		donec <- err
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	said := ""
	for {
		select {
		case err := <-donec:
			return err
		case <-tick.C:
			if text := "waiting for a token" + c.trouble(); text != said {
				fmt.Fprintln(out, text)
				said = text
			}
		}
	}
}

// trouble says why there is no token, and until when.
func (c *crawl) trouble() string {
	s := c.credential.Status()
	var text strings.Builder
	if s.Err != nil {
		fmt.Fprintf(&text, ": %v", s.Err)
	}
	if s.Refreshing {
		text.WriteString(" (an attempt is under way)")
	}
	return text.String()
}

// closeSaying closes the manager, and says what it waits for where that takes a while.
func closeSaying(m *manager.Manager, out io.Writer) error {
	donec := make(chan error, 1)
	go func() { donec <- m.Close() }()
	select {
	case err := <-donec:
		return err
	case <-time.After(time.Second):
		fmt.Fprintln(out, "waiting for a refresh under way, which may have spent the refresh token; Ctrl-C kills")
		return <-donec
	}
}

// credential is that of the client itself or, with a refresh token, of a user who has
// logged in elsewhere. One store may hold many, so its name tells which.
func (o *options) credential(ctx context.Context, m *manager.Manager, store manager.Store, opts oauth.Options) (*manager.Credential, error) {
	name := strings.TrimSpace(o.tokenURL + " " + o.clientID + " " + o.scope)
	style := oauth2.AuthStyleInHeader
	if o.authStyle == "params" {
		style = oauth2.AuthStyleInParams
	}
	// Patience is what makes a crawl wait out an outage. Without it a caller gets the
	// error at once, as a web page wants it, and a list is burnt in seconds.
	policy := manager.Policy{Patience: o.maxWait}
	if o.refreshToken == "" {
		return m.Manage(name, oauth.ClientCredentials(clientcredentials.Config{
			ClientID:     o.clientID,
			ClientSecret: o.clientSecret,
			TokenURL:     o.tokenURL,
			Scopes:       strings.Fields(o.scope),
			AuthStyle:    style,
		}, opts), policy), nil
	}
	name += fmt.Sprintf(" login %.4x", sha256.Sum256([]byte(o.refreshToken)))
	user := m.Manage(name, oauth.RefreshToken(oauth2.Config{
		ClientID:     o.clientID,
		ClientSecret: o.clientSecret,
		Endpoint:     oauth2.Endpoint{TokenURL: o.tokenURL, AuthStyle: style},
	}, opts), policy)
	stored, err := store.Load(ctx, []string{name})
	if err != nil || stored[0].Login > 0 { // spent by an earlier run: what is stored came of it
		return user, err
	}
	return user, user.Install(ctx, manager.Token{RefreshToken: manager.NewSecret(o.refreshToken)})
}
