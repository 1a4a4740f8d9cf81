package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"example.com/tokenactor/tokentest"
)

const demoIntro = `%s workers crawl a server on this machine for %v. It makes it hard:
access tokens live 1 s, all are revoked now and then, refresh tokens work once,
and one that comes back ends the login.

`

// demo is the crawl of a server of our own. lost counts the requests that were not
// answered 200, and the refresh tokens that were spent twice.
func demo(ctx context.Context, o options, out io.Writer) (lost int, err error) {
	folder, err := os.MkdirTemp("", "crawler-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	srv := tokentest.New(tokentest.Options{Life: time.Second, Latency: 20 * time.Millisecond, APILatency: 50 * time.Millisecond, RevokeEvery: time.Second, Log: -1})
	defer srv.Close()
	if err := srv.Start(); err != nil {
		return 0, err
	}
	o.urls, o.hosts, o.store = "-", []string{srv.URL()}, filepath.Join(folder, "tokens.db")
	o.tokenURL, o.clientID, o.clientSecret = srv.TokenURL(), srv.ClientID(), srv.ClientSecret()
	o.refreshToken = srv.Login().RefreshToken // as of a person who logged in
	if o.duration == 0 {
		o.duration = 10 * time.Second
	}
	fmt.Fprintf(out, demoIntro, thousands(o.workers), o.duration)

	a, err := crawlList(ctx, o, pages(srv, 1000), out)
	if err != nil {
		return 0, err
	}
	lost = a.others()
	if ctx.Err() == nil {
		o.workers, o.duration = 1, 0
		again, err := crawlList(ctx, o, pages(srv, 1), io.Discard)
		if err != nil {
			return 0, err
		}
		lost += again.others()
		fmt.Fprintf(out, "\nStarted again from the file: the first request was answered %d. Logins in all: %d.\n",
			slices.Collect(maps.Keys(again))[0], srv.Stats().Logins)
	}
	reuses := int(srv.Stats().Reuses)
	fmt.Fprintf(out, "Requests lost: %d. Refresh tokens spent twice: %d.\n", lost, reuses)
	return lost + reuses, nil
}

// pages lists the URLs of so many pages.
func pages(srv *tokentest.Server, n int) io.Reader {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "%s/page/%d\n", srv.APIURL(), i)
	}
	return strings.NewReader(list.String())
}

func (a answers) others() (n int) {
	for status, count := range a {
		if status != http.StatusOK {
			n += count
		}
	}
	return n
}
