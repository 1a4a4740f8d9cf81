package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
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
// one credential. lost counts the requests that ended with 401 or without an answer.
func crawlList(ctx context.Context, o options, stdin io.Reader, out io.Writer) (lost int, err error) {
	list, err := readList(o.urls, stdin)
	if err != nil {
		return 0, err
	}
	var store manager.Store = &persist.Memory{}
	if o.store != "" {
		db, err := persist.Open(o.store, persist.Options{})
		if err != nil {
			return 0, err
		}
		defer db.Close()
		store = db
	}
	// A service leaves Logger alone. Here it would tear the live line apart, and the
	// summary tells of failures.
	m, err := manager.New(manager.Config{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, m.Close()) }() // before the store: it saves

	base := http.DefaultTransport.(*http.Transport).Clone()
	base.MaxIdleConns, base.MaxIdleConnsPerHost = 0, o.workers // with 2 per host, most of them would dial
	defer base.CloseIdleConnections()
	credential, err := o.credential(ctx, m, store, oauth.Options{Client: &http.Client{Transport: base}})
	if err == nil {
		_, err = credential.Token(ctx) // better now than a thousand times
	}
	if err != nil {
		return 0, fmt.Errorf("no token: %w", err)
	}
	c := &crawl{options: o, list: list, manager: m}
	c.client = &http.Client{
		Timeout: 10 * time.Second,
		Transport: &client.Transport{
			Source:     &meter{credential, &c.tally}, // or the credential itself, if nobody counts
			Base:       base,
			Hosts:      o.hosts, // the list may lead anywhere, the token must not
			MaxReplays: 3,       // not 1: a replay may meet the next revocation
		},
	}
	c.run(ctx, out)
	return c.tally.lost(), nil
}

// credential is that of the client itself or, with a refresh token, of a user who has
// logged in elsewhere. One store may hold many, so its name tells which.
func (o *options) credential(ctx context.Context, m *manager.Manager, store manager.Store, opts oauth.Options) (*manager.Credential, error) {
	name := strings.TrimSpace(o.tokenURL + " " + o.clientID + " " + o.scope)
	if o.refreshToken == "" {
		return m.Manage(name, oauth.ClientCredentials(clientcredentials.Config{
			ClientID:     o.clientID,
			ClientSecret: o.clientSecret,
			TokenURL:     o.tokenURL,
			Scopes:       strings.Fields(o.scope),
		}, opts)), nil
	}
	name += fmt.Sprintf(" login %.4x", sha256.Sum256([]byte(o.refreshToken)))
	user := m.Manage(name, oauth.RefreshToken(oauth2.Config{
		ClientID:     o.clientID,
		ClientSecret: o.clientSecret,
		Endpoint:     oauth2.Endpoint{TokenURL: o.tokenURL},
	}, opts))
	stored, err := store.Load(ctx, []string{name})
	if err != nil || stored[0].Login > 0 { // spent by an earlier run: what is stored came of it
		return user, err
	}
	return user, user.Install(ctx, manager.Token{RefreshToken: manager.NewSecret(o.refreshToken)})
}

// readList reads the URLs in file, or those of stdin for "-".
func readList(file string, stdin io.Reader) (list []string, err error) {
	text, err := os.ReadFile(file)
	if file == "-" {
		text, err = io.ReadAll(stdin)
	}
	if err != nil {
		return nil, err
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		u, err := url.Parse(line)
		if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			return nil, fmt.Errorf("%s, line %d: %q is no http or https URL", file, i+1, line)
		}
		list = append(list, line)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: there is no URL in it", file)
	}
	return list, nil
}
