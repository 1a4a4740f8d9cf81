package manager_test

import (
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
)

// dump prints v as the printers do that ask for no methods, follow pointers and read
// unexported fields: the diffs of testify, go-spew, kr/pretty, pp.
func dump(v any) string {
	var b strings.Builder
	seen := make(map[any]bool)
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Invalid:
		case reflect.Pointer:
			key := [2]any{v.Pointer(), v.Type()}
			if !v.IsNil() && !seen[key] {
				seen[key] = true
				walk(v.Elem())
			}
		case reflect.Interface:
			walk(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				fmt.Fprintf(&b, "%s: ", v.Type().Field(i).Name)
				walk(v.Field(i))
			}
		case reflect.Array, reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(key)
				walk(v.MapIndex(key))
			}
		case reflect.String:
			fmt.Fprintf(&b, "%s\n", v)
		case reflect.Uint8:
			fmt.Fprintf(&b, "%d ", v.Uint()) // as fmt prints a slice of bytes
		default:
			fmt.Fprintf(&b, "%v\n", v)
		}
	}
	walk(reflect.ValueOf(v))
	return b.String()
}

// Invariant 11, for printers that follow pointers. What a user's own Refresher holds
// in plain fields they do show.
func TestScenario28PrintersThatFollowPointers(t *testing.T) {
	type old struct{ p *string }
	plain := accessSecret
	if len(leaks(dump(keeper[old]{"user", old{&plain}}))) == 0 || len(leaks(dump([]byte(accessSecret)))) == 0 {
		t.Fatal("the test does not see a secret that is shown")
	}
	token := login(accessSecret, refreshSecret, time.Hour)
	token.Extra = map[string]manager.Secret{"id_token": manager.NewSecret(extraSecret)}
	synctest.Test(t, func(t *testing.T) {
		store := newShelf()
		c := begin(t, manager.Config{Store: store}).Manage("billing", nil)
		mustInstall(t, c, token)
		live := mustToken(t, c, accessSecret)
		stored := store.get("billing")
		_, err := c.Renew(t.Context(), live)
		for name, v := range map[string]any{
			"secret": token.AccessToken, "token": token, "pointer": &token, "published": live, "copy": *live, "stored": stored,
			"write": manager.Write{Name: "billing", Snapshot: stored}, "error": err, "status": c.Status(), "user's": keeper[*manager.Token]{"user", live},
		} {
			if found := leaks(dump(v)); len(found) > 0 {
				t.Errorf("%s shows %q:\n%s", name, found, dump(v))
			}
		}
	})
}

// Programs compare tokens by reflect.DeepEqual, as testify does: equal strings are
// equal, though printers find none.
func TestSecretsAreDeeplyEqual(t *testing.T) {
	build := func(s string) manager.Token {
		return manager.Token{AccessToken: manager.NewSecret(s), RefreshToken: manager.NewSecret(s + "r"), Extra: map[string]manager.Secret{"x": manager.NewSecret(s)}}
	}
	one, two, other := build(strings.Repeat("a", 100)), build(strings.Repeat("a", 100)), build(strings.Repeat("a", 99)+"b")
	if !reflect.DeepEqual(one, two) || reflect.DeepEqual(one, other) || reflect.DeepEqual(manager.NewSecret("a"), manager.NewSecret("aa")) {
		t.Error("DeepEqual does not tell equal tokens from others")
	}
	if one.AccessToken == two.AccessToken || !one.AccessToken.Equal(two.AccessToken) || one.AccessToken.Equal(other.AccessToken) ||
		one.AccessToken.Equal(manager.Secret{}) || !(manager.Secret{}).Equal(manager.NewSecret("")) {
		t.Error("Equal does not tell equal secrets from others")
	}
	if manager.NewSecret("") != (manager.Secret{}) {
		t.Error("the secret of nothing is not the absent one")
	}
}

// The pointer to the first field of a secret keeps the rest of it.
func TestSecretsOutliveCollections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := begin(t, manager.Config{})
		secrets := make(map[string]manager.Secret)
		tokens := make(map[string]*manager.Token)
		for i := range 1000 {
			text := fmt.Sprint("secret ", i)
			secrets[text] = manager.NewSecret(strings.Clone(text))
			c := m.Manage(text, nil)
			mustInstall(t, c, manager.Token{AccessToken: manager.NewSecret(strings.Clone(text)), Expiry: time.Now().Add(time.Hour)})
			tokens[text] = mustToken(t, c, text)
			c.Release()
		}
		for range 3 {
			runtime.GC()
			garbage := make([][]byte, 10_000)
			for i := range garbage {
				garbage[i] = []byte("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")[:8+i%24]
			}
			runtime.KeepAlive(garbage)
		}
		for text := range maps.Keys(secrets) {
			if got := secrets[text].Reveal(); got != text {
				t.Fatalf("got %q, want %q", got, text)
			}
			copied := *tokens[text]
			if got := copied.AccessToken.Reveal(); got != text || copied.Authorization()[0] != "Bearer "+text {
				t.Fatalf("got %q, want %q", got, text)
			}
		}
	})
}
