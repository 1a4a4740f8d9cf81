package tokentest_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/tokentest"
)

func TestLost(t *testing.T) {
	both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
		token := srv.Login().RefreshToken
		srv.Next(tokentest.Lost())
		if _, err := refresh(srv, token); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("error %v, want a reset", err)
		}
		if got, want := srv.Families()[0], (tokentest.Family{ID: 1, Serial: 2, Alive: true, Lost: true}); got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
		if got := srv.Stats(); got.TokenCalls != 1 || got.Refreshes != 1 || got.AnswersLost != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestNotSent(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	token := srv.Login().RefreshToken
	srv.Next(tokentest.NotSent())
	_, err := refresh(srv, token)
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("error %v, want one of dial", err)
	}
	if got := srv.Stats().TokenCalls; got != 0 {
		t.Errorf("%d token calls, want 0", got)
	}
	mustRefresh(t, srv, token)
}

func TestNotSentOnLoopback(t *testing.T) {
	srv := started(t, tokentest.Options{})
	token := srv.Login().RefreshToken
	srv.Next(tokentest.NotSent())
	if _, err := refresh(srv, token); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("error %v, want a reset", err)
	}
	mustRefresh(t, srv, token)
}

// Answers that come without the work leave the refresh token as good as it was.
func TestAnswersWithoutWork(t *testing.T) {
	for _, test := range []struct {
		fault       tokentest.Fault
		status      int
		contentType string
		body        string
		header      string // name: value
	}{
		{tokentest.Refuse("invalid_grant"), 400, "application/json", `{"error":"invalid_grant"}`, "Cache-Control: no-store"},
		{tokentest.Refuse("invalid_client"), 401, "application/json", `{"error":"invalid_client"}`, `WWW-Authenticate: Basic realm="tokentest"`},
		{tokentest.Status(503), 503, "", "", ""},
		{tokentest.Status(400), 400, "", "", ""},
		{tokentest.TooMany(1500 * time.Millisecond), 429, "", "", "Retry-After: 2"},
		{tokentest.HTML(502), 502, "text/html; charset=utf-8", "<h1>502 Bad Gateway</h1>", ""},
		{tokentest.Answer(200, "text/plain", "hello"), 200, "text/plain", "hello", ""},
	} {
		t.Run(test.fault.String(), func(t *testing.T) {
			both(t, tokentest.Options{}, func(t *testing.T, srv *tokentest.Server) {
				token := srv.Login().RefreshToken
				srv.Next(test.fault)
				r, err := refresh(srv, token)
				if err != nil {
					t.Fatal(err)
				}
				if got := r.header.Get("Content-Type"); r.status != test.status || got != test.contentType || !strings.Contains(r.text, test.body) {
					t.Errorf("%d %s %q, want %d %s %q", r.status, got, r.text, test.status, test.contentType, test.body)
				}
				if name, want, ok := strings.Cut(test.header, ": "); ok && r.header.Get(name) != want {
					t.Errorf("%s: %q, want %q", name, r.header.Get(name), want)
				}
				mustRefresh(t, srv, token)
				if got := srv.Stats(); got.Refreshes != 1 || got.AnswersLost != 0 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// Answers that come after the work, and do not carry it.
func TestSpentForNothing(t *testing.T) {
	for _, fault := range []tokentest.Fault{
		tokentest.Garbage(),
		tokentest.Spent(tokentest.Status(502)),
		tokentest.Spent(tokentest.All(tokentest.HTML(200))),
	} {
		srv := newServer(t, tokentest.Options{})
		srv.Next(fault)
		r, err := refresh(srv, srv.Login().RefreshToken)
		if err != nil || r.members != nil {
			t.Errorf("%v: %q, error %v; want no JSON", fault, r.text, err)
		}
		if f := srv.Families()[0]; f.Serial != 2 || !f.Alive || !f.Lost || srv.Stats().AnswersLost != 1 {
			t.Errorf("%v: %+v", fault, f)
		}
	}
}

func TestChangedAnswers(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	login := srv.Login()

	srv.Next(tokentest.WithoutRefreshToken())
	first := mustRefresh(t, srv, login.RefreshToken)
	if first.refresh != "" || first.access == login.AccessToken {
		t.Errorf("%s, want a new access token and no refresh token", first.text)
	}
	srv.Next(tokentest.All(tokentest.SameAccessToken(), tokentest.ExpiresIn("60")))
	second := mustRefresh(t, srv, login.RefreshToken)
	if second.access != first.access || second.refresh == "" || second.members["expires_in"] != "60" {
		t.Errorf("%s, want %s again, a refresh token, and 60 as a string", second.text, first.access)
	}
	if third := mustRefresh(t, srv, second.refresh); third.access == first.access {
		t.Errorf("access token %s a third time", third.access)
	}
}

// With Late the work is done while the caller waits, with Slow after it has left. Neither
// costs real time.
func TestLateAndSlow(t *testing.T) {
	for _, test := range []struct {
		fault   tokentest.Fault
		at4s    int // serial after 4 s
		at11s   int
		patient bool // the caller waits for it
	}{
		{tokentest.Late(10 * time.Second), 2, 2, true},
		{tokentest.Late(10 * time.Second), 2, 2, false},
		{tokentest.Slow(10 * time.Second), 1, 2, true},
		{tokentest.Slow(10 * time.Second), 1, 2, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			srv := tokentest.New(tokentest.Options{})
			token := srv.Login().RefreshToken
			srv.Next(test.fault)
			client := srv.Client()
			if !test.patient {
				client.Timeout = 3 * time.Second
			}
			begin := time.Now()
			go func() {
				_, err := ask(client, srv, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
				took := time.Since(begin)
				if test.patient && (err != nil || took != 10*time.Second) {
					t.Errorf("%v: %v after %v, want an answer after 10 s", test.fault, err, took)
				}
				if !test.patient && (!errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second) {
					t.Errorf("%v: %v after %v, want the deadline after 3 s", test.fault, err, took)
				}
			}()
			time.Sleep(4 * time.Second)
			if got := srv.Families()[0].Serial; got != test.at4s {
				t.Errorf("%v: serial %d after 4 s, want %d", test.fault, got, test.at4s)
			}
			time.Sleep(7 * time.Second)
			f := srv.Families()[0]
			if f.Serial != test.at11s || f.Lost == test.patient {
				t.Errorf("%v: %+v after 11 s, want serial %d, lost %v", test.fault, f, test.at11s, !test.patient)
			}
			if c := srv.Calls()[0]; (c.Outcome == tokentest.OutcomeGone) == test.patient {
				t.Errorf("%v: logged as %v", test.fault, c)
			}
		})
	}
}

func TestHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		token := srv.Login().RefreshToken
		releasec := make(chan struct{})
		srv.Always(tokentest.Hang(releasec))

		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		req, _ := http.NewRequestWithContext(ctx, http.MethodPost, srv.TokenURL(), strings.NewReader("x"))
		if _, err := srv.Client().Do(req); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("impatient caller: %v, want the deadline", err)
		}

		go func() {
			time.Sleep(time.Minute)
			close(releasec)
		}()
		mustRefresh(t, srv, token)
	})
}

func TestHangOnLoopback(t *testing.T) {
	srv := started(t, tokentest.Options{})
	arrivedc := make(chan struct{}) // closed when the call has reached the server
	srv.Next(tokentest.Choose(func(tokentest.Call) tokentest.Fault {
		close(arrivedc)
		return tokentest.Hang(nil)
	}))
	failedc := make(chan error, 1)
	go func() {
		_, err := refresh(srv, srv.Login().RefreshToken)
		failedc <- err
	}()
	<-arrivedc
	srv.Close()
	if err := <-failedc; err == nil {
		t.Error("the call that hung has an answer after Close")
	}
	if got := srv.Stats().Refreshes; got != 0 {
		t.Errorf("%d refreshes, want 0", got)
	}
}

// The first fault of All is the outermost, and NotSent prevails.
func TestAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv := tokentest.New(tokentest.Options{})
		token := srv.Login().RefreshToken
		srv.Next(
			tokentest.All(tokentest.Late(time.Second), tokentest.NotSent()),
			tokentest.All(tokentest.Slow(time.Minute), tokentest.Fault{}, tokentest.Lost()),
		)
		if _, err := refresh(srv, token); err == nil || srv.Stats().TokenCalls != 0 {
			t.Errorf("error %v, %d token calls; want one and none", err, srv.Stats().TokenCalls)
		}
		begin := time.Now()
		if _, err := refresh(srv, token); err == nil || time.Since(begin) != time.Minute {
			t.Errorf("error %v after %v, want one after 1 m", err, time.Since(begin))
		}
		if got := srv.Calls()[1].Fault; got != "slow 1m0s, lost" {
			t.Errorf("fault %q", got)
		}
	})
}

func TestChoose(t *testing.T) {
	srv := newServer(t, tokentest.Options{})
	first, second := srv.Login().RefreshToken, srv.Login().RefreshToken
	srv.Always(tokentest.Choose(func(c tokentest.Call) tokentest.Fault {
		if c.Grant == "refresh_token" && c.Family == 1 {
			return tokentest.Status(503)
		}
		return tokentest.Fault{}
	}))
	refused(t, srv, first)
	mustRefresh(t, srv, second)
}
