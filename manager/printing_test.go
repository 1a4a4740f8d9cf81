package manager_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// The secrets of the test, and a client's that its Refresher keeps.
const (
	accessSecret  = "access-Zq8vT"
	refreshSecret = "refresh-Lm3xP"
	extraSecret   = "id-token-Wd6rK"
	clientSecret  = "client-Bn4yH"
)

// leaks gives the secrets that text shows, in any of the ways fmt and JSON may.
func leaks(text string) (found []string) {
	for _, secret := range []string{accessSecret, refreshSecret, extraSecret, clientSecret} {
		for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), fmt.Sprintf("% x", secret),
			strings.Trim(fmt.Sprint([]byte(secret)), "[]"), strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "=")} {
			if strings.Contains(text, form) {
				found = append(found, form)
			}
		}
	}
	return found
}

// renderings prints v in every way that people print things.
func renderings(v any) map[string]string {
	shown := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d"} {
		shown[verb] = fmt.Sprintf(verb, v)
	}
	text, err := json.Marshal(v)
	shown["json"] = fmt.Sprint(string(text), err)
	var log bytes.Buffer
	options := &slog.HandlerOptions{Level: slog.LevelDebug}
	for name, h := range map[string]slog.Handler{"slog text": slog.NewTextHandler(&log, options), "slog json": slog.NewJSONHandler(&log, options)} {
		log.Reset()
		slog.New(h).Info("shown", "value", v, slog.Group("group", "value", v))
		shown[name] = log.String()
	}
	return shown
}

// A keeper is a user's struct that has something in an unexported field.
type keeper[T any] struct {
	Name string
	kept T
}

// expectHidden prints v alone, by pointer, and inside other values.
func expectHidden[T any](t *testing.T, name string, v T) {
	t.Helper()
	forms := map[string]any{
		"alone":               v,
		"by pointer":          &v,
		"in a slice":          []T{v},
		"in a map":            map[string]T{"key": v},
		"in a field":          struct{ Exported T }{v},
		"in unexported field": keeper[T]{"user", v},
		"pointer in one":      keeper[*T]{"user", &v},
		"interface in one":    keeper[any]{"user", v},
		"slice in one":        keeper[[]T]{"user", []T{v}},
		"map in one":          keeper[map[string]T]{"user", map[string]T{"key": v}},
		"pointer to a user's": &keeper[T]{"user", v},
		"nested user's":       keeper[keeper[T]]{"user", keeper[T]{"inner", v}},
	}
	for form, value := range forms {
		for way, text := range renderings(value) {
			if found := leaks(text); len(found) > 0 {
				t.Errorf("%s %s by %s shows %q: %s", name, form, way, found, text)
			}
		}
	}
}

// vault is a Refresher that keeps a client secret in a plain field, as users' do.
type vault struct {
	secret string
	answer func(prev manager.Token) (manager.Token, error)
}

func (v vault) Refresh(_ context.Context, _ string, prev manager.Token) (manager.Token, error) {
	return v.answer(prev)
}

// Invariant 11.
func TestScenario28NoSecretIsPrinted(t *testing.T) {
	if len(leaks(fmt.Sprintf("%x", clientSecret))) == 0 || len(leaks(fmt.Sprintf("%v", keeper[string]{"", accessSecret}))) == 0 {
		t.Fatal("the test does not see a secret that is shown")
	}
	token := login(accessSecret, refreshSecret, time.Hour)
	token.Scope, token.Type = "invoices", "bearer"
	token.RefreshExpiry = time.Now().Add(24 * time.Hour)
	token.Extra = map[string]manager.Secret{"id_token": manager.NewSecret(extraSecret)}
	synctest.Test(t, func(t *testing.T) {
		events := make(chan manager.Event, 100)
		store := newShelf()
		m := begin(t, manager.Config{Store: store, OnEvent: func(e manager.Event) { events <- e }})
		failing := vault{clientSecret, func(prev manager.Token) (manager.Token, error) {
			return manager.Token{}, manager.LoginRequired(fmt.Errorf("refused %v, %+v, %#v", prev, prev.RefreshToken, &prev))
		}}
		panicking := vault{clientSecret, func(prev manager.Token) (manager.Token, error) { panic(prev) }}
		c, p := m.Manage("billing", failing), m.Manage("search", panicking)
		mustInstall(t, c, token)
		mustInstall(t, p, token)
		live := mustToken(t, c, accessSecret)
		expectHidden(t, "published token", live)
		expectHidden(t, "token", *live)
		expectHidden(t, "status", c.Status())
		_, refused := c.Renew(context.Background(), live)
		_, panicked := p.Renew(context.Background(), live)
		for name, err := range map[string]error{"refused": refused, "panicked": panicked} {
			e, ok := errors.AsType[*manager.RefreshError](err)
			if !ok {
				t.Fatalf("%s: got %v, want a *RefreshError", name, err)
			}
			expectHidden(t, name+" pointer", e)
			expectHidden(t, name+" value", *e)
			expectHidden(t, name+" cause", e.Err)
		}
		expectHidden(t, "status after failure", c.Status())
		expectHidden(t, "credential", c)
		expectHidden(t, "manager", m)
		expectHidden(t, "stats", m.Stats())
		expectHidden(t, "stored snapshot", store.get("billing"))
		expectHidden(t, "stored refusal", store.get("billing").Refusals)
		synctest.Wait()
		if len(events) < 6 {
			t.Errorf("events: got %d, want six or more", len(events))
		}
		for len(events) > 0 {
			e := <-events
			expectHidden(t, "event "+e.Kind.String(), e)
			expectHidden(t, "error of event "+e.Kind.String(), e.Err)
		}
	})
	secret := manager.NewSecret(accessSecret)
	snapshot := manager.Snapshot{Token: token, Login: 1, Generation: 2, Revision: 3, Mark: manager.Mark{Attempt: 1}}
	cause := fmt.Errorf("the store has %v of %+v", snapshot, token)
	expectHidden(t, "secret", secret)
	expectHidden(t, "token of a Refresher", token)
	expectHidden(t, "snapshot", snapshot)
	expectHidden(t, "mark", snapshot.Mark)
	expectHidden(t, "refusal", manager.Refusal{At: time.Now(), Reason: cause.Error()})
	expectHidden(t, "write", manager.Write{Name: "billing", Snapshot: snapshot})
	expectHidden(t, "config", manager.Config{Store: newShelf()})
	expectHidden(t, "policy", manager.Policy{Group: "auth.example.com"})
	expectHidden(t, "name error", &manager.NameError{Name: "billing", Err: cause})
	expectHidden(t, "permanent", manager.Permanent(cause))
	expectHidden(t, "login required", manager.LoginRequired(cause))
	expectHidden(t, "retry after", manager.RetryAfter(cause, time.Second))
	expectHidden(t, "unspent", manager.NotSent(cause))
	expectHidden(t, "doubtful", manager.LoginSuspected(cause))
	expectHidden(t, "refresher", manager.Refresher(manager.RefresherFunc(vault{secret: clientSecret}.Refresh)))
}

// Invariant 11 for the log that the manager itself writes.
func TestScenario28NoSecretIsLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		m, err := manager.New(manager.Config{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
		if err != nil {
			t.Fatal(err)
		}
		c := m.Manage("billing", vault{clientSecret, func(prev manager.Token) (manager.Token, error) { panic(prev) }})
		mustInstall(t, c, login(accessSecret, refreshSecret, time.Hour))
		if _, err := c.Renew(context.Background(), mustToken(t, c, accessSecret)); err == nil {
			t.Error("Renew with a Refresher that panics: no error")
		}
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		for _, want := range []string{"installed", "rejected", "refresh failed", "vault"} { // the last is of the stack
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not say %q:\n%s", want, &log)
			}
		}
		if found := leaks(log.String()); len(found) > 0 {
			t.Errorf("the log shows %q:\n%s", found, &log)
		}
	})
}
