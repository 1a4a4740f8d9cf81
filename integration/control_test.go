package integration

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

// The same hundred callers without a manager: each has a TokenSource of x/oauth2, as
// programs do that copy a token from a file. They lose the login.
func TestControl(t *testing.T) {
	each(t, control, func(t *testing.T, k kind) {
		s := k.start(t, crowdLife)
		login := s.login(t, s.app, oauth.Options{})
		cfg := s.app
		cfg.Endpoint.AuthStyle = oauth2.AuthStyleInParams // no detection, which would make it worse
		w := s.wire(t)
		ctx := context.WithValue(t.Context(), oauth2.HTTPClient, w.client())

		var (
			mu      sync.Mutex
			answers []*oauth2.Token
			refused = map[string]int{}
			startc  = make(chan struct{})
			group   sync.WaitGroup
		)
		for range callers {
			source := cfg.TokenSource(ctx, &oauth2.Token{
				AccessToken:  login.AccessToken.Reveal(),
				RefreshToken: login.RefreshToken.Reveal(),
				Expiry:       time.Now().Add(-time.Second),
			})
			group.Go(func() {
				<-startc
				token, err := source.Token()
				mu.Lock()
				defer mu.Unlock()
				var answer *oauth2.RetrieveError
				switch {
				case err == nil:
					answers = append(answers, token)
				case errors.As(err, &answer):
					refused[answer.ErrorCode]++
				default:
					t.Errorf("no answer: %v", err)
				}
			})
		}
		close(startc)
		group.Wait()
		alive := 0
		for _, token := range answers {
			if status, _ := s.spend(t, cfg.ClientID, manager.NewSecret(token.RefreshToken)); status == http.StatusOK {
				alive++
			}
		}
		t.Logf("%s: %d uncoordinated callers: %d were answered, the others got %v; of the %d new refresh tokens %d work",
			k.name, callers, len(answers), refused, len(answers), alive)
		if len(answers) == callers || alive > 0 {
			t.Error("the login lives: the crowd beside shows nothing")
		}
	})
}
