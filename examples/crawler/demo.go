package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/tokenactor/tokentest"
)

// demo crawls a server of its own. lost counts the requests that were not answered
// 200, and the refresh tokens that were spent twice.
func demo(ctx context.Context, o options, out io.Writer) (lost int, err error) {
	folder, err := os.MkdirTemp("", "crawler-")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(folder)
	srv := tokentest.New(tokentest.Options{Life: time.Second, Latency: 20 * time.Millisecond, APILatency: 50 * time.Millisecond, Log: -1})
	defer srv.Close()
	if err := srv.Start(); err != nil {
		return 0, err
	}
	// Each token is revoked in mid-life, unless it was renewed before. With RevokeEvery
	// one could die before its first use; that looks like a server which rejects all
	// tokens, and the manager waits a second before the next refresh.
	srv.Always(tokentest.Choose(func(tokentest.Call) (none tokentest.Fault) {
		time.AfterFunc(500*time.Millisecond+rand.N(400*time.Millisecond), srv.RevokeAccess)
		return none
	}))

	o.urls, o.hosts, o.store = "-", []string{srv.URL()}, filepath.Join(folder, "tokens.db")
	o.tokenURL, o.clientID, o.clientSecret = srv.TokenURL(), srv.ClientID(), srv.ClientSecret()
	o.refreshToken = srv.Login().RefreshToken // as of a person who logged in
	if o.duration == 0 {
		o.duration = 10 * time.Second
	}
	fmt.Fprintf(out, "%s workers crawl a server on this machine for %v. Its access tokens live 1 s and\n"+
		"are revoked at random; a refresh token works once, and to send it twice ends the login.\n\n",
		thousands(o.workers), o.duration)
	pages := strings.Repeat(srv.APIURL()+"/page\n", 100)
	first, err := crawlList(ctx, o, strings.NewReader(pages), out)
	if err != nil {
		return 0, err
	}
	lost = first.others()
	if ctx.Err() == nil {
		o.workers, o.duration = 1, 0
		again, err := crawlList(ctx, o, strings.NewReader(srv.APIURL()+"/page"), io.Discard)
		if err != nil {
			return 0, err
		}
		lost += again.others()
		fmt.Fprintf(out, "\nStarted again from its file: %d of 1 requests answered 200, %d new logins.\n",
			again[http.StatusOK], srv.Stats().Logins-1)
	}
	reuses := int(srv.Stats().Reuses)
	fmt.Fprintf(out, "Requests lost: %d. Refresh tokens spent twice: %d.\n", lost, reuses)
	return lost + reuses, nil
}

// others is how many were not answered 200.
func (a answers) others() (n int) {
	for status, count := range a {
		if status != http.StatusOK {
			n += count
		}
	}
	return n
}
