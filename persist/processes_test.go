package persist_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/tokentest"
)

func init() {
	children["sibling"] = sibling
	children["in session"] = inSession
}

// inSession holds the file open in the middle of a Save, whose lease stops it.
func inSession(args []string) {
	db, err := persist.Open(args[0], persist.Options{Shared: true})
	if err != nil {
		panic(err)
	}
	w := write("a", 0, token("a"))
	w.Lease = askingLease{}
	db.Save(context.Background(), []manager.Write{w})
}

// An askingLease stops whoever asks whether it is lost until the next line of
// standard input.
type askingLease struct{ manager.Lease }

func (askingLease) Lost() <-chan struct{} {
	fmt.Println("in session")
	bufio.NewScanner(os.Stdin).Scan()
	return nil
}

// openedFile makes an empty shared file.
func openedFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens.db")
	t.Cleanup(func() { checkPages(t, path) })
	if err := openShared(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// wantHolder checks that Open says that the file is with the process pid.
func wantHolder(t *testing.T, path string, pid int) {
	t.Helper()
	begun := time.Now()
	db, err := persist.Open(path, persist.Options{Shared: true})
	if err == nil {
		db.Close()
	}
	if waited := time.Since(begun); waited > 5*time.Second { // it is 1 s, on a machine that has time
		t.Errorf("Open behind a stopped process took %v", waited)
	}
	if want := fmt.Sprintf("process %d on ", pid); !errors.Is(err, persist.ErrLocked) || !strings.Contains(fmt.Sprint(err), want) || !strings.Contains(fmt.Sprint(err), path) {
		t.Errorf("Open: %v, want ErrLocked of %s with %q", err, path, want)
	}
}

// shared is the credential that all siblings manage.
const shared = "billing"

// sibling is one of several processes with one file. Each line that it is sent is
// a command:
//
//	open    opens the file and manages the credential
//	token   asks for the token: "token …", or "error …"
//	wait    asks again and again until there is one
//	renew   asks for another than the one that it has
//	adopt   waits, without asking, until it has another by the news of a sibling
//
// Its arguments are the file, the token endpoint, and the time limit of a refresh.
func sibling(args []string) {
	limit, err := time.ParseDuration(args[2])
	if err != nil {
		panic(err)
	}
	var (
		credential *manager.Credential
		last       *manager.Token
	)
	ask := func(rejected *manager.Token) error {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		token, err := credential.Renew(ctx, rejected)
		if err != nil {
			return err
		}
		last = token
		fmt.Println("token", token.AccessToken.Reveal())
		return nil
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		var err error
		switch in.Text() {
		case "open":
			var db *persist.DB
			if db, err = persist.Open(args[0], persist.Options{Shared: true}); err != nil {
				break
			}
			var m *manager.Manager
			m, err = manager.New(manager.Config{
				Store:     db,
				Policy:    manager.Policy{Limit: limit, Backoff: 50 * time.Millisecond, BackoffMax: 100 * time.Millisecond},
				SaveLimit: max(limit/2, 500*time.Millisecond),
			})
			if err == nil {
				credential = m.Manage(shared, oauth.RefreshToken(oauth2.Config{
					ClientID: "client", ClientSecret: "client-secret", Endpoint: oauth2.Endpoint{TokenURL: args[1]},
				}))
				fmt.Println("open")
			}
		case "token":
			err = ask(nil)
		case "wait":
			for err = ask(nil); err != nil && !errors.Is(err, manager.ErrLoginRequired); err = ask(nil) {
				time.Sleep(20 * time.Millisecond)
			}
		case "renew":
			err = ask(last)
		case "adopt":
			for credential.Status().Generation == last.Generation() {
				time.Sleep(10 * time.Millisecond)
			}
			err = ask(nil)
		}
		if err != nil {
			fmt.Println("error", strings.ReplaceAll(err.Error(), "\n", " "))
		}
	}
}

func (c *child) tell(t testing.TB, command string) {
	t.Helper()
	if _, err := fmt.Fprintln(c.in, command); err != nil {
		t.Fatal(err)
	}
}

// expired makes a shared file with one login whose access token has expired, and
// the server that knows it.
func expired(t *testing.T) (*tokentest.Server, string) {
	t.Helper()
	srv := tokentest.New(tokentest.Options{})
	t.Cleanup(func() { srv.Close() })
	if err := srv.Start(); err != nil {
		t.Fatal(err)
	}
	login := srv.Login()
	path := filepath.Join(t.TempDir(), "tokens.db")
	t.Cleanup(func() { checkPages(t, path) })
	db := openShared(t, path)
	save(t, db, write(shared, 0, manager.Snapshot{
		Token: manager.Token{
			AccessToken:  manager.NewSecret(login.AccessToken),
			RefreshToken: manager.NewSecret(login.RefreshToken),
			Expiry:       time.Now().Add(-time.Minute),
		},
		Login: 1, Generation: 1,
	}))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return srv, path
}

// siblings starts n processes on one file.
func siblings(t *testing.T, n int, srv *tokentest.Server, path string, limit time.Duration) []*child {
	t.Helper()
	all := make([]*child, n)
	for i := range all {
		all[i] = startChild(t, "sibling", path, srv.TokenURL(), limit.String())
	}
	return all
}

// lines tells all the same at once, and gives the next line of each.
func lines(t *testing.T, all []*child, command string) []string {
	t.Helper()
	for _, c := range all {
		c.tell(t, command)
	}
	got := make([]string, len(all))
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() {
			if c.out.Scan() {
				got[i] = c.out.Text()
			} else {
				got[i] = fmt.Sprintf("ended: %v", c.out.Err())
			}
		})
	}
	wg.Wait()
	return got
}

// wantTokens checks that all lines are one token, and gives it.
func wantTokens(t *testing.T, lines []string) string {
	t.Helper()
	for i, line := range lines {
		if line != lines[0] || !strings.HasPrefix(line, "token ") {
			t.Fatalf("process %d of %d: %q, the first: %q, want one token for all", i, len(lines), line, lines[0])
		}
	}
	return lines[0]
}

// wantServer checks that the server accepted so many refresh tokens, and that no
// family was revoked.
func wantServer(t *testing.T, srv *tokentest.Server, refreshes int64) {
	t.Helper()
	if got := srv.Stats(); got.Refreshes != refreshes || got.Reuses != 0 || got.FamiliesRevoked != 0 {
		t.Errorf("%d refreshes, %d reuses, %d families revoked, want %d, 0, 0", got.Refreshes, got.Reuses, got.FamiliesRevoked, refreshes)
	}
}

// Invariants 1 and 9: 50 processes begin at the same moment with one expired
// token.
func TestScenario14FiftyProcesses(t *testing.T) {
	srv, path := expired(t)
	all := siblings(t, 50, srv, path, 30*time.Second)
	for i, line := range lines(t, all, "open") {
		if line != "open" {
			t.Fatalf("process %d: %s", i, line)
		}
	}
	wantTokens(t, lines(t, all, "token"))
	wantServer(t, srv, 1)
}

// A login or a refresh of one process is news to the others: they have the token
// without a refresh, and without being asked.
func TestScenario14News(t *testing.T) {
	srv, path := expired(t)
	all := siblings(t, 4, srv, path, 30*time.Second)
	for i, line := range lines(t, all, "open") {
		if line != "open" {
			t.Fatalf("process %d: %s", i, line)
		}
	}
	first := wantTokens(t, lines(t, all, "token"))
	all[0].tell(t, "renew")
	second := all[0].line(t)
	if second == first || !strings.HasPrefix(second, "token ") {
		t.Fatalf("Renew: %q, want another token than %q", second, first)
	}
	if third := wantTokens(t, lines(t, all[1:], "adopt")); third != second {
		t.Errorf("adopted %q, want %q", third, second)
	}
	wantServer(t, srv, 2)
}
