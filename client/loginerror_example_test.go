package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
)

// An API with a login of its own: user and password buy a session. A wrong password is
// told at once; when it has been mended, the next attempt finds out.
func ExampleLoginError() {
	api := &http.Client{Transport: baseFunc(func(req *http.Request) (*http.Response, error) {
		if err := req.ParseForm(); err != nil {
			return nil, err
		}
		resp := answer(http.StatusOK, "", `{"session":"S1","seconds":3600}`)
		if req.PostForm.Get("password") != "correct" {
			resp = answer(http.StatusUnauthorized, "", `{"message":"wrong password"}`)
		}
		resp.Request = req
		return resp, nil
	})}
	password := "wrong"
	login := func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		form := url.Values{"user": {"crawler"}, "password": {password}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://api.example.com/session", strings.NewReader(form.Encode()))
		if err != nil {
			return manager.Token{}, manager.Permanent(err)
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := api.Do(req)
		if err != nil {
			return manager.Token{}, err
		}
		defer func() { _ = resp.Body.Close() }()
		if err := client.LoginError(resp); err != nil {
			return manager.Token{}, err
		}
		var session struct {
			Session string
			Seconds int
		}
		if err := json.NewDecoder(resp.Body).Decode(&session); err != nil {
			return manager.Token{}, errors.New("the login answered no JSON") // the decoder's text may show it
		}
		return manager.Token{AccessToken: manager.NewSecret(session.Session), ExpiresIn: time.Duration(session.Seconds) * time.Second}, nil
	}

	token, err := login(context.Background(), "crawler", manager.Token{})
	fmt.Println(token, err)
	fmt.Println(manager.ClassOf(err))
	password = "correct"
	token, err = login(context.Background(), "crawler", manager.Token{})
	fmt.Println(token, err)
	// Output:
	// token(none) client: the login at api.example.com/session answered 401 Unauthorized
	// configuration
	// token(Bearer login=0 generation=0) <nil>
}
