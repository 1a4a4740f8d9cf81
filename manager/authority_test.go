package manager_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/tokentest"
)

// A spender is a Refresher that spends refresh tokens at a cruel authorization
// server, and judges the answers as RFC 6749 section 5.2 does.
type spender struct {
	srv    *tokentest.Server
	secret string // "": the right one
}

// enroll logs a user in at srv.
func enroll(srv *tokentest.Server) manager.Token {
	grant := srv.Login()
	return login(grant.AccessToken, grant.RefreshToken, grant.ExpiresIn)
}

func (s *spender) Refresh(ctx context.Context, _ string, prev manager.Token) (manager.Token, error) {
	if prev.RefreshToken.IsZero() {
		return manager.Token{}, manager.LoginRequired(errors.New("nobody has logged in yet"))
	}
	secret := s.secret
	if secret == "" {
		secret = s.srv.ClientSecret()
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {prev.RefreshToken.Reveal()},
		"client_id": {s.srv.ClientID()}, "client_secret": {secret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.srv.TokenURL(), strings.NewReader(form.Encode()))
	if err != nil {
		return manager.Token{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := s.srv.Client().Do(req)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
			err = manager.NotSent(err)
		}
		return manager.Token{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int    `json:"expires_in"`
		Error   string `json:"error"`
	}
	malformed := json.NewDecoder(resp.Body).Decode(&answer)
	if resp.StatusCode != http.StatusOK || malformed != nil {
		return manager.Token{}, judged(resp, answer.Error)
	}
	return login(answer.Access, answer.Refresh, time.Duration(answer.Expires)*time.Second), nil
}

// judged gives the answer's error the mark that it deserves.
func judged(resp *http.Response, code string) error {
	err := fmt.Errorf("the token endpoint answered %d %q", resp.StatusCode, code)
	switch {
	case code == "invalid_grant":
		return manager.LoginRequired(err)
	case code == "invalid_client":
		return manager.Permanent(err)
	case resp.StatusCode == http.StatusTooManyRequests:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return manager.RetryAfter(manager.NotSent(err), time.Duration(seconds)*time.Second)
	case resp.StatusCode == http.StatusBadRequest:
		return manager.LoginSuspected(err)
	}
	return err
}
