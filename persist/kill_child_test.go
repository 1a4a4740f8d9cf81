package persist_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"example.com/tokenactor/persist"
)

func init() {
	children["ours"] = killedOurs
	children["x/oauth2"] = killedPlain
}

// killLimit is the time limit of a refresh; its quiet time is a second longer.
const killLimit = 400 * time.Millisecond

// A victim is a process that renews its tokens as fast as it can until it is
// killed. It tells each step, on a line, before the next: "mark", "marked", "send",
// "answer", "saved", each with the name and the refresh token; "lost" and "refused"
// with the name, and then waits for the line "NAME TOKEN" with a new login. Settling, it
// tells "done" of each name that is renewed and at rest.
type victim struct {
	path, endpoint string
	names          []string
	shared         bool

	mu    sync.Mutex // of the lines, and hold
	hold  string     // the kind of step at which to stop and be killed
	count int        // of these still to come

	logins map[string]chan string
}

// victimArgs are the arguments that newVictim reads.
func victimArgs(path, endpoint string, shared bool, hold string, names []string) []string {
	return append([]string{path, endpoint, strconv.FormatBool(shared), hold}, names...)
}

func newVictim(args []string) *victim {
	hold, count, _ := strings.Cut(args[3], ":")
	v := &victim{path: args[0], endpoint: args[1], shared: args[2] == "true", hold: hold, names: args[4:], logins: make(map[string]chan string)}
	v.count, _ = strconv.Atoi(count)
	for _, name := range v.names {
		v.logins[name] = make(chan string, 1)
	}
	return v
}

func (v *victim) say(kind, name, rest string) {
	v.mu.Lock()
	fmt.Println(kind, name, rest)
	held := false
	if kind == v.hold {
		v.count--
		held = v.count == 0
	}
	v.mu.Unlock()
	if held {
		fmt.Println("held")
		select {}
	}
}

// settling: it is enough that each name is renewed once.
func (v *victim) settling() bool { return v.hold == "settle" }

// run keeps all names busy with f until standard input says that it is enough.
func (v *victim) run(f func(ctx context.Context, name string)) {
	ctx, cancel := context.WithCancel(context.Background())
	fmt.Println("open")
	var wg sync.WaitGroup
	for _, name := range v.names {
		wg.Go(func() { f(ctx, name) })
	}
	for in := bufio.NewScanner(os.Stdin); in.Scan() && in.Text() != "end"; {
		name, secret, _ := strings.Cut(in.Text(), " ")
		v.logins[name] <- secret
	}
	cancel()
	wg.Wait()
}

func (v *victim) config() oauth2.Config {
	return oauth2.Config{ClientID: "client", ClientSecret: "client-secret",
		Endpoint: oauth2.Endpoint{TokenURL: v.endpoint, AuthStyle: oauth2.AuthStyleInHeader}}
}

// killedOurs is a victim with a manager and a file.
func killedOurs(args []string) {
	v := newVictim(args)
	db, err := persist.Open(v.path, persist.Options{Shared: v.shared})
	if err != nil {
		panic(err)
	}
	m, err := manager.New(manager.Config{
		Store:  tellingStore{db, v},
		Logger: slog.New(slog.DiscardHandler),
		Policy: manager.Policy{Limit: killLimit, Backoff: 2 * time.Millisecond, BackoffMax: 20 * time.Millisecond, Patience: -1},
	})
	if err != nil {
		panic(err)
	}
	grant := oauth.RefreshToken(v.config())
	told := manager.RefresherFunc(func(ctx context.Context, name string, prev manager.Token) (manager.Token, error) {
		if prev.RefreshToken.IsZero() {
			return grant.Refresh(ctx, name, prev)
		}
		v.say("send", name, prev.RefreshToken.Reveal())
		token, err := grant.Refresh(ctx, name, prev)
		if err == nil {
			v.say("answer", name, token.RefreshToken.Reveal())
		}
		return token, err
	})
	v.run(func(ctx context.Context, name string) { v.renew(ctx, m.Manage(name, told)) })
	if err := errors.Join(m.Close(), db.Close()); err != nil {
		panic(err)
	}
	fmt.Println("closed")
}

// renew has c renewed again and again.
func (v *victim) renew(ctx context.Context, c *manager.Credential) {
	token, err := c.Token(ctx)
	for n := 0; ctx.Err() == nil; {
		switch {
		case err == nil:
			if n++; v.settling() && n == 2 {
				v.say("done", c.Name(), "")
				return
			}
			c.Replayed(token, true) // or so many rejections would count as barren
			token, err = c.Renew(ctx, token)
			continue
		case errors.Is(err, manager.ErrLoginRequired):
			kind := "refused"
			if e, ok := errors.AsType[*manager.RefreshError](err); ok && e.Lost {
				kind = "lost"
			}
			v.say(kind, c.Name(), "")
			select {
			case secret := <-v.logins[c.Name()]:
				_ = c.Install(ctx, manager.Token{RefreshToken: manager.NewSecret(secret)})
			case <-ctx.Done():
			}
		}
		token, err = c.Token(ctx)
	}
}

// A tellingStore tells what is saved.
type tellingStore struct {
	*persist.DB
	v *victim
}

func (s tellingStore) Save(ctx context.Context, writes []manager.Write) []error {
	for _, w := range writes {
		if !w.Snapshot.Mark.IsZero() {
			s.v.say("mark", w.Name, w.Snapshot.Token.RefreshToken.Reveal())
		}
	}
	errs := s.DB.Save(ctx, writes)
	for i, w := range writes {
		refresh := w.Snapshot.Token.RefreshToken.Reveal()
		switch {
		case errs[i] != nil:
			s.v.say("failed", w.Name, strings.ReplaceAll(errs[i].Error(), "\n", " "))
		case w.Snapshot.Mark.Guarded:
			s.v.say("guarded", w.Name, refresh)
		case !w.Snapshot.Mark.IsZero():
			s.v.say("marked", w.Name, refresh)
		case len(w.Snapshot.Refusals) == 0 && refresh != "":
			s.v.say("saved", w.Name, refresh)
		}
	}
	return errs
}

// killedPlain is a victim as one writes it without us: a TokenSource of x/oauth2,
// and after each refresh the token goes into a file that replaces the one before.
func killedPlain(args []string) {
	v := newVictim(args)
	config := v.config()
	v.run(func(ctx context.Context, name string) {
		for path := filepath.Join(v.path, name); ctx.Err() == nil; {
			token := &oauth2.Token{}
			stored, err := os.ReadFile(path)
			if err == nil {
				err = json.Unmarshal(stored, token)
			}
			if err == nil {
				v.say("send", name, token.RefreshToken)
				token.Expiry = time.Unix(1, 0)
				token, err = config.TokenSource(context.Background(), token).Token()
			}
			var refused *oauth2.RetrieveError
			switch {
			case err == nil:
				v.say("answer", name, token.RefreshToken)
			case errors.Is(err, os.ErrNotExist), errors.As(err, &refused) && refused.ErrorCode == "invalid_grant":
				v.say("lost", name, "")
				select {
				case secret := <-v.logins[name]:
					token = &oauth2.Token{RefreshToken: secret}
				case <-ctx.Done():
					return
				}
			default:
				continue
			}
			answered := err == nil
			if err := replaceFile(path, token); err != nil {
				panic(err)
			}
			v.say("saved", name, token.RefreshToken)
			if answered && v.settling() {
				v.say("done", name, "")
				return
			}
		}
	})
	fmt.Println("closed")
}

// replaceFile puts token into the file at path, durably and all at once.
func replaceFile(path string, token *oauth2.Token) error {
	text, err := json.Marshal(token)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = temp.Write(text)
	return errors.Join(err, temp.Sync(), temp.Close(), os.Rename(temp.Name(), path))
}
