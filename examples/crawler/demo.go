package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/tokenactor/tokentest"
)

// demo crawls a server of its own.
func demo(ctx context.Context, o options, out io.Writer) (end outcome, err error) {
	folder, err := os.MkdirTemp("", "crawler-")
	if err != nil {
		return end, err
	}
	defer os.RemoveAll(folder)
	srv := tokentest.New(tokentest.Options{Life: 3 * time.Second, RevokeEvery: 2 * time.Second,
		Latency: 20 * time.Millisecond, APILatency: 50 * time.Millisecond, Log: -1})
	defer srv.Close()
	if err := srv.Start(); err != nil {
		return end, err
	}
	o.urls, o.hosts, o.store = "-", []string{srv.URL()}, filepath.Join(folder, "tokens.db")
	o.tokenURL, o.clientID, o.clientSecret = srv.TokenURL(), srv.ClientID(), srv.ClientSecret()
	o.refreshToken = srv.Login().RefreshToken // as of a person who logged in
	o.rest = filepath.Join(folder, "rest")
	o.duration = cmp.Or(o.duration, 10*time.Second)
	fmt.Fprintf(out, "%s workers crawl a server on this machine for %v. Its access tokens live 3 s and\n"+
		"are revoked at random; a refresh token works once, and to send it twice ends the login.\n\n",
		thousands(o.workers), o.duration)
	end, err = crawlList(ctx, o, strings.NewReader(strings.Repeat(srv.APIURL()+"/page\n", 100)), out)
	if err != nil {
		return end, err
	}
	if ctx.Err() == nil {
		o.workers, o.duration = 1, 0
		again, err := crawlList(ctx, o, strings.NewReader(srv.APIURL()+"/page"), io.Discard)
		if err != nil {
			return end, err
		}
		end.lost += again.lost
		fmt.Fprintf(out, "\nStarted again on the same file: %d of 1 requests answered 200, %d new logins.\n", 1-again.lost, srv.Stats().Logins-1)
	}
	reuses := int(srv.Stats().Reuses)
	fmt.Fprintf(out, "Requests lost: %d. Refresh tokens spent twice: %d.\n", end.lost, reuses)
	end.lost += reuses
	return end, nil
}
