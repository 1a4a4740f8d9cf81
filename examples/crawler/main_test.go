package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"example.com/tokenactor/tokentest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A result is what the user of one run saw.
type result struct {
	status         int
	stdout, stderr string
}

// start runs the program. env is "NAME=value".
func start(ctx context.Context, stdin io.Reader, env []string, args ...string) result {
	getenv := func(name string) string {
		for _, pair := range env {
			if n, value, _ := strings.Cut(pair, "="); n == name {
				return value
			}
		}
		return ""
	}
	var out, errs strings.Builder
	status := run(ctx, args, stdin, &out, &errs, getenv)
	return result{status, out.String(), errs.String()}
}

// number finds the number that stands before words in the summary.
func (r result) number(t *testing.T, words string) int {
	t.Helper()
	found := regexp.MustCompile(`(?m)^ *([0-9,]+) ` + regexp.QuoteMeta(words)).FindStringSubmatch(r.stdout)
	if found == nil {
		t.Fatalf("no number of %q in:\n%s%s", words, r.stdout, r.stderr)
	}
	n, err := strconv.Atoi(strings.ReplaceAll(found[1], ",", ""))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// expect checks the exit status, that stderr has one line exactly where it is 2, and
// that stdout or stderr has each of the words.
func (r result) expect(t *testing.T, status int, words ...string) {
	t.Helper()
	lines := 0
	if status == 2 {
		lines = 1
	}
	if r.status != status || strings.Count(r.stderr, "\n") != lines {
		t.Errorf("exit status %d and %d lines on stderr, want %d and %d", r.status, strings.Count(r.stderr, "\n"), status, lines)
	}
	for _, w := range words {
		if !strings.Contains(r.stdout+r.stderr, w) {
			t.Errorf("no %q in the output", w)
		}
	}
	if t.Failed() {
		t.Logf("stdout:\n%sstderr:\n%s", r.stdout, r.stderr)
	}
}

// serve starts a server of tokens and pages, and gives the flags to crawl it with.
func serve(t *testing.T, opts tokentest.Options) (srv *tokentest.Server, flags, env []string) {
	t.Helper()
	opts.ClientSecret = "the-client-secret"
	srv = tokentest.New(opts)
	t.Cleanup(func() { srv.Close() })
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	flags = []string{"-urls", "-", "-rest", filepath.Join(t.TempDir(), "rest"), "-hosts", strings.TrimPrefix(srv.URL(), "http://"), "-token-url", srv.TokenURL(), "-client-id", srv.ClientID(), "-workers", "20"}
	return srv, flags, []string{"CLIENT_SECRET=the-client-secret"}
}

// pages lists n URLs of srv.
func pages(srv *tokentest.Server, n int) io.Reader {
	var list strings.Builder
	for i := range n {
		fmt.Fprintf(&list, "%s/page/%d\n", srv.APIURL(), i)
	}
	return strings.NewReader(list.String())
}

// The main job, with fewer workers and less time.
func TestDemo(t *testing.T) {
	r := start(t.Context(), nil, nil, "-workers", "50", "-duration", "3s")
	r.expect(t, 0, "50 workers crawl a server on this machine for 3s",
		"1 of 1 requests answered 200, 0 new logins", "Requests lost: 0. Refresh tokens spent twice: 0.")
	if got, want := r.number(t, "answered 200"), r.number(t, "requests by"); got != want {
		t.Errorf("%d of %d requests answered 200", got, want)
	}
	// The first refresh gets the first token; all tokens are revoked within 2 s, which leaves a busy machine a second.
	if n := r.number(t, "refreshes"); n < 2 {
		t.Errorf("%d refreshes, want 2 at least", n)
	}
}

// A revocation of all tokens in the middle of a list costs one refresh.
func TestList(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{RevokeRate: 0.01, Seed: 1})
	file := filepath.Join(t.TempDir(), "urls.txt")
	list, err := io.ReadAll(pages(srv, 1000))
	if err != nil {
		t.Fatal(err)
	}
	text := "\ufeff# pages\n\n  " + strings.ReplaceAll(string(list), "\n", " # a note\r\n")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	flags[1] = file

	// One worker: with many, a token may be revoked again before its first replay.
	r := start(t.Context(), nil, env, append(flags, "-workers", "1", "-scope", "read write")...)
	r.expect(t, 0)
	stats := srv.Stats()
	for _, test := range []struct {
		what      string
		got, want int
	}{
		{"requests", r.number(t, "requests by"), 1000},
		{"answered 200", r.number(t, "answered 200 OK"), 1000},
		{"401s", r.number(t, "401s met"), int(stats.Unauthorized)},
		{"refreshes", r.number(t, "refreshes"), int(stats.ClientGrants)},
		{"refreshes less the first", r.number(t, "refreshes") - 1, int(stats.Unauthorized)},
	} {
		if test.got != test.want {
			t.Errorf("%s: %d, want %d", test.what, test.got, test.want)
		}
	}
	if stats.Unauthorized == 0 {
		t.Error("no token was revoked: the test shows nothing")
	}
}

// With a duration the list is begun again and again.
func TestRounds(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{APILatency: time.Millisecond})
	r := start(t.Context(), pages(srv, 3), env, append(flags, "-duration", "300ms")...)
	r.expect(t, 0)
	if n := r.number(t, "requests by"); n <= 20 {
		t.Errorf("%d requests of 20 workers, want several each", n)
	}
}

// Answers are counted by their status and named; only a 401 makes a request lost.
func TestTroubles(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{})
	srv.RefuseAPI(tokentest.Refusal{Status: http.StatusNotFound}, "/page/1")
	srv.RefuseAPI(tokentest.Forbidden, "/page/2")
	r := start(t.Context(), pages(srv, 10), env, flags...)
	r.expect(t, 0, " 404 Not Found: "+srv.APIURL()+"/page/1\n", " 403 Forbidden: "+srv.APIURL()+"/page/2\n")
	if n := r.number(t, "answered 200"); n != 8 {
		t.Errorf("%d answered 200, want 8", n)
	}

	srv.RefuseAPI(tokentest.InsufficientScope401, "/page/3")
	r = start(t.Context(), pages(srv, 10), env, flags...)
	r.expect(t, 1, ", 1 lost\n", " 401 Unauthorized: "+srv.APIURL()+"/page/3\n")

	dead := httptest.NewServer(nil)
	dead.Close()
	r = start(t.Context(), strings.NewReader(dead.URL), env, flags...)
	r.expect(t, 1, ", 1 lost\n", " 1 without an answer", "connection refused")
}

// The token goes to no host but those named, whatever the list says.
func TestForeignHost(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{})
	var requests, tokens atomic.Int64
	foreign := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		if r.Header.Get("Authorization") != "" {
			tokens.Add(1)
		}
	}))
	defer foreign.Close()

	list := io.MultiReader(pages(srv, 5), strings.NewReader(foreign.URL+"/a\n"+foreign.URL+"/b\n"))
	start(t.Context(), list, env, flags...).expect(t, 0)
	if requests.Load() != 2 || tokens.Load() != 0 {
		t.Errorf("the foreign host got %d requests and %d tokens, want 2 and 0", requests.Load(), tokens.Load())
	}
	if n := srv.Stats().Accepted; n != 5 {
		t.Errorf("the API accepted %d requests, want 5", n)
	}
}

// A login of a user is spent by the first run; the others go on from the store.
func TestRefreshToken(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{Life: -1})
	store := filepath.Join(t.TempDir(), "tokens.db")
	flags = append(flags, "-store", store)
	env = append(env, "REFRESH_TOKEN="+srv.Login().RefreshToken)
	for range 3 {
		start(t.Context(), pages(srv, 5), env, flags...).expect(t, 0)
		srv.RevokeAccess()
	}
	if stats := srv.Stats(); stats.Refreshes != 3 || stats.Reuses != 0 {
		t.Errorf("%d refreshes, %d reuses; want 3, 0", stats.Refreshes, stats.Reuses)
	}

	env[1] = "REFRESH_TOKEN=" + srv.Login().RefreshToken // another user, the same store
	start(t.Context(), pages(srv, 1), env, flags...).expect(t, 0)
	if n := srv.Stats().Refreshes; n != 4 {
		t.Errorf("%d refreshes, want one for the other login", n)
	}
	env[1] = "REFRESH_TOKEN=unknown"
	start(t.Context(), pages(srv, 1), env, flags...).expect(t, 2, "no token: ", "invalid_grant")
	env[1] = "OTHER=" // the store has the client's own token as well
	start(t.Context(), pages(srv, 1), env, flags...).expect(t, 0)
}

func TestRefusedLogin(t *testing.T) {
	srv, flags, _ := serve(t, tokentest.Options{})
	r := start(t.Context(), pages(srv, 5), []string{"CLIENT_SECRET=guessed"}, flags...)
	r.expect(t, 2, "crawler: no token: ", "invalid_client")
	if strings.Contains(r.stderr, "guessed") {
		t.Errorf("the secret is in %q", r.stderr)
	}
	if n := srv.Stats(); n.TokenCalls != 1 || n.APICalls != 0 {
		t.Errorf("%d token calls, %d API calls; want 1, 0", n.TokenCalls, n.APICalls)
	}
}

// Ctrl-C ends a crawl without end: what is under way is finished and counted.
func TestInterrupted(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{APILatency: 10 * time.Millisecond})
	ctx, interrupt := context.WithCancel(t.Context())
	srv.Always(tokentest.Choose(func(tokentest.Call) (none tokentest.Fault) {
		time.AfterFunc(100*time.Millisecond, interrupt)
		return none
	}))
	r := start(ctx, pages(srv, 3), env, append(flags, "-duration", "1h")...)
	r.expect(t, 0)
	if got, want := r.number(t, "answered 200"), int(srv.Stats().APICalls); got != want || got == 0 {
		t.Errorf("%d answered 200, but the server had %d requests", got, want)
	}
}

// What Ctrl-C left of a list is crawled from the file that it is written to: each URL once.
func TestInterruptedList(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{APILatency: 5 * time.Millisecond, Log: 10_000})
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	srv.RefuseAPI(tokentest.Refusal{Status: http.StatusServiceUnavailable}, "/page/3")
	srv.Always(tokentest.Choose(func(tokentest.Call) (none tokentest.Fault) {
		time.AfterFunc(200*time.Millisecond, interrupt)
		return none
	}))
	const all = 5000
	rest := flags[3]
	r := start(ctx, pages(srv, all), env, flags...)
	r.expect(t, 130, "Ctrl-C: requests under way have 2s", "URLs not fetched, in "+rest)
	left := r.number(t, "URLs not fetched")
	if done := r.number(t, "answered 200"); done == 0 || done+left != all {
		t.Errorf("%d answered 200 and %d left, of %d", done, left, all)
	}
	flags[1] = rest
	r = start(t.Context(), nil, env, flags...)
	r.expect(t, 1, "         1 URLs not fetched") // still refused
	got := make(map[string]int)
	for _, c := range srv.Calls() {
		if c.Kind == tokentest.KindAPI && c.Status == http.StatusOK {
			got[c.Path]++
		}
	}
	for path, n := range got {
		if n != 1 {
			t.Errorf("%s was fetched %d times", path, n)
		}
	}
	if len(got) != all-1 {
		t.Errorf("%d pages were fetched, want %d", len(got), all-1)
	}
}

// While the token endpoint is away the crawl waits, at its start and in the middle, and
// says so.
func TestOutage(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{Life: 2 * time.Second, APILatency: time.Millisecond})
	var calls atomic.Int64
	srv.Always(tokentest.Choose(func(c tokentest.Call) (none tokentest.Fault) {
		if n := calls.Add(1); c.Kind == tokentest.KindToken && (n <= 2 || n > 3 && n <= 6) {
			return tokentest.Status(http.StatusServiceUnavailable)
		}
		return none
	}))
	r := start(t.Context(), pages(srv, 100), env, append(flags, "-duration", "6s")...)
	r.expect(t, 0, ", 0 lost\n", "waiting for a token: ", "503")
	if n := r.number(t, "refreshes"); n < 2 {
		t.Errorf("%d refreshes, want those before and after the outages", n)
	}
	if calls.Load() < 7 {
		t.Errorf("%d token calls: there was no outage in the middle", calls.Load())
	}

	srv.Always(tokentest.Status(http.StatusServiceUnavailable))
	r = start(t.Context(), pages(srv, 3), env, append(flags, "-max-wait", "1s")...)
	r.expect(t, 2, "crawler: no token: ", "503")
}

// Ctrl-C ends the wait for the first token too; all is left to be done.
func TestInterruptedBeforeTheFirstToken(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{})
	srv.Always(tokentest.Status(http.StatusServiceUnavailable))
	ctx, interrupt := context.WithCancel(t.Context())
	defer time.AfterFunc(200*time.Millisecond, interrupt).Stop()
	start(ctx, pages(srv, 7), env, flags...).expect(t, 130, "         7 URLs not fetched, in "+flags[3])
}

// Hosts of the list that get no token are named before the first request.
func TestStrangersAreNamed(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{})
	list := io.MultiReader(pages(srv, 1), strings.NewReader("http://127.0.0.1:1/a\nhttp://127.0.0.1:1/b\nhttp://api.invalid/\n"))
	r := start(t.Context(), list, env, flags...)
	r.expect(t, 1, "note: no token goes to 2 hosts of the list, see -hosts; http://127.0.0.1:1 (its host is not in Transport.Hosts); http://api.invalid (")
	if !strings.HasPrefix(r.stdout, "note: ") {
		t.Errorf("not before anything else: %s", r.stdout)
	}
}

// A server that takes the secret in the form alone.
func TestAuthStyle(t *testing.T) {
	srv, flags, env := serve(t, tokentest.Options{})
	start(t.Context(), pages(srv, 1), env, append(flags, "-auth-style", "params")...).expect(t, 0)
	if n := srv.Stats().ClientGrants; n != 1 {
		t.Errorf("%d client grants, want 1", n)
	}
}

// An interrupter is an output that calls once it has a line with the words.
type interrupter struct {
	strings.Builder
	words     string
	interrupt func()
}

func (i *interrupter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), i.words) {
		i.interrupt()
	}
	return i.Builder.Write(p)
}

func TestInterruptedDemo(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out := &interrupter{words: " 401s met, ", interrupt: interrupt} // the first line of progress
	status := run(ctx, []string{"-workers", "5", "-duration", "1h"}, nil, out, io.Discard, func(string) string { return "" })
	result{status, out.String(), ""}.expect(t, 0, "requests by 5 workers", "Requests lost: 0.")
}

func TestBadUse(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good, empty := write("good", "http://127.0.0.1:1/"), write("empty", "# nothing\n\n")
	relative := write("relative", "http://127.0.0.1:1/\n/page/2\n")
	notStore := write("not-a-store", strings.Repeat("no store ", 4096))
	secret := []string{"CLIENT_SECRET=s"}
	with := func(urls string, more ...string) []string {
		return append([]string{"-urls", urls, "-token-url", "http://127.0.0.1:1/token", "-client-id", "c", "-hosts", "127.0.0.1:1"}, more...)
	}
	for _, test := range []struct {
		env  []string
		args []string
		want string
	}{
		{nil, []string{"-nope"}, "-nope"},
		{nil, []string{"-duration", "soon"}, `"soon"`},
		{nil, []string{"-duration", "-1s"}, "-duration -1s"},
		{nil, []string{"-workers", "0"}, "-workers 0"},
		{nil, []string{"urls.txt"}, `"urls.txt"`},
		{nil, []string{"-store", "tokens.db"}, "-store needs -urls"},
		{secret, []string{"-urls", good}, "-token-url"},
		{secret, []string{"-urls", good, "-token-url", "http://127.0.0.1:1/token"}, "-client-id"},
		{secret, []string{"-urls", good, "-token-url", "http://127.0.0.1:1/token", "-client-id", "c"}, "-hosts"},
		{secret, with(good, "-hosts", " , "), "-hosts"},
		{nil, with(good), "CLIENT_SECRET"},
		{[]string{"REFRESH_TOKEN=r"}, with(good), "-store"},
		{secret, with(filepath.Join(folder, "missing")), "missing"},
		{secret, with(folder), folder},
		{secret, with(empty), "no URL"},
		{secret, with(relative), `line 2: "/page/2"`},
		{secret, with("-"), "no URL"},
		{secret, with(good, "-store", notStore), "not-a-store"},
		{secret, with(good, "-store", filepath.Join(folder, "missing", "tokens.db")), "tokens.db"},
		{secret, with(good, "-token-url", "http://auth.invalid/token"), "https"},
		{secret, with(good, "-max-wait", "0s"), "no token"}, // nobody listens there
		{secret, with(good, "-max-wait", "-1s"), "-max-wait -1s"},
		{secret, with(good, "-auth-style", "mtls"), "-auth-style \"mtls\""},
		{secret, with(good, "-hosts", "a b/c"), "b/c"},
		{secret, with(write("spaces", "http://127.0.0.1:1/a b\n")), "a b"},
		{secret, with(write("many", strings.Repeat("nothing\n", 12))), `12 lines without an http or https URL; line 1: "nothing"`},
		{secret, with(write("many", strings.Repeat("nothing\n", 12))), `; and 2 more`},
	} {
		r := start(t.Context(), strings.NewReader(""), test.env, test.args...)
		if r.status != 2 || r.stdout != "" || strings.Count(r.stderr, "\n") != 1 ||
			!strings.HasPrefix(r.stderr, "crawler: ") || !strings.Contains(r.stderr, test.want) {
			t.Errorf("%q: exit status %d, stdout %q, stderr %q; want 2, nothing, and one line with %q",
				test.args, r.status, r.stdout, r.stderr, test.want)
		}
	}
}

func TestHelp(t *testing.T) {
	start(t.Context(), nil, nil, "-help").expect(t, 0, "CLIENT_SECRET", "REFRESH_TOKEN", "-token-url URL", "Exit status")
}

func TestThousands(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 20034: "20,034", 1002003: "1,002,003"} {
		if got := thousands(n); got != want {
			t.Errorf("thousands(%d) = %q, want %q", n, got, want)
		}
	}
}
