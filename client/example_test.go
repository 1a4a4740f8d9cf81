package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"example.com/tokenactor/client"
	"example.com/tokenactor/manager"
	"example.com/tokenactor/persist"
	"example.com/tokenactor/persist/record"
	"example.com/tokenactor/tokentest"
)

// A 401 costs one refresh and one replay, and the caller does not see it.
func Example() {
	srv := tokentest.New(tokentest.Options{})
	defer func() { _ = srv.Close() }()
	m, err := manager.New(manager.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = m.Close() }()

	billing := m.Manage("billing", clientCredentials(srv))
	api := &http.Client{Transport: &client.Transport{Source: billing, Base: srv.Transport()}}
	for range 3 {
		resp, err := api.Get(srv.APIURL() + "/invoices")
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
		fmt.Println(resp.Status)
		srv.RevokeAccess()
	}
	fmt.Println(srv.Stats().Unauthorized, "refused,", srv.Stats().TokenCalls, "token requests")
	// Output:
	// 200 OK
	// 200 OK
	// 200 OK
	// 2 refused, 3 token requests
}

// A request that the caller owns needs no copy and no Transport.
func ExampleAuthorize() {
	billing := newSource("T1")
	req, _ := http.NewRequest(http.MethodGet, "https://api.example.com/invoices", nil)
	token, err := client.Authorize(context.Background(), billing, req)
	fmt.Println(req.Header.Get("Authorization"), err)

	// After a 401:
	_, _ = billing.Renew(context.Background(), token)
	_, err = client.Authorize(context.Background(), billing, req)
	fmt.Println(req.Header.Get("Authorization"), err)
	// Output:
	// Bearer T1 <nil>
	// Bearer T2 <nil>
}

// An API that answers 401 to several things and says in JSON which one it is, as
// Fitbit's does.
func ExampleRejectedBody() {
	expired := client.RejectedBody(0, func(status int, body []byte) bool {
		var reply struct {
			Errors []struct {
				ErrorType string `json:"errorType"`
			} `json:"errors"`
		}
		return status == http.StatusUnauthorized && json.Unmarshal(body, &reply) == nil &&
			len(reply.Errors) > 0 && reply.Errors[0].ErrorType == "expired_token"
	})
	fmt.Println(expired(answer(401, "", `{"success":false,"errors":[{"errorType":"expired_token"}]}`)))
	fmt.Println(expired(answer(401, "", `{"success":false,"errors":[{"errorType":"insufficient_scope"}]}`)))
	// Output:
	// true
	// false
}

// An API that answers 200 with the error inside, as Slack's does. What the API
// says by status and challenge counts as well.
func ExampleRejectedBody_errorInside() {
	inside := client.RejectedBody(4<<10, func(status int, body []byte) bool {
		var reply struct {
			OK    bool   `json:"ok"`
			Error string `json:"error"`
		}
		return status == http.StatusOK && json.Unmarshal(body, &reply) == nil && !reply.OK && reply.Error == "token_expired"
	})
	api := &http.Client{Transport: &client.Transport{
		Source:   newSource("T1"),
		Rejected: func(resp *http.Response) bool { return client.InvalidToken(resp) || inside(resp) },
		Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			fmt.Println("sent with", req.Header.Get("Authorization"))
			if req.Header.Get("Authorization") == "Bearer T1" {
				return answer(200, "", `{"ok":false,"error":"token_expired"}`), nil
			}
			return answer(200, "", `{"ok":true,"channel":"general"}`), nil
		}),
	}}
	resp, err := api.Get("https://slack.example.com/api/conversations.info")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(string(body))
	// Output:
	// sent with Bearer T1
	// sent with Bearer T2
	// {"ok":true,"channel":"general"}
}

// A session whose header comes from a store at the start, in a header of its
// own. It needs no login, and says so when the server ends it.
func ExampleHeader() {
	stored := record.Append(nil, manager.Snapshot{Revision: 1, Login: 1, Generation: 1,
		Token: manager.Token{AccessToken: manager.NewSecret("from-the-store")}})
	store := &persist.Func{LoadFunc: func(context.Context, string) ([]byte, error) { return stored, nil }}

	m, err := manager.New(manager.Config{Store: store, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = m.Close() }()
	session := m.Manage("session", manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		return manager.Token{}, manager.LoginRequired(errors.New("the session has ended"))
	}))

	ended := false
	api := &http.Client{Transport: &client.Transport{
		Source: session,
		Place:  client.Header("X-Session-Token"),
		Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			fmt.Println("sent with", req.Header.Get("X-Session-Token"))
			if ended {
				return answer(401, "", ""), nil
			}
			return answer(200, "", ""), nil
		}),
	}}
	for range 3 {
		resp, err := api.Get("https://api.example.com/")
		if err != nil {
			fmt.Println("login required:", errors.Is(err, manager.ErrLoginRequired))
			return
		}
		_ = resp.Body.Close()
		fmt.Println(resp.StatusCode)
		ended = true
	}
	// Output:
	// sent with from-the-store
	// 200
	// sent with from-the-store
	// 401
	// login required: true
}

// A closure that persists each new token, here in a row of a table; any database
// does. After a restart the token is there and nobody logs in.
func Example_database() {
	table := map[string][]byte{} // name, record
	store := &persist.Func{
		LoadFunc: func(_ context.Context, name string) ([]byte, error) {
			return table[name], nil // SELECT record FROM tokens WHERE name = $1
		},
		SaveFunc: func(_ context.Context, name string, record []byte) error {
			table[name] = record // INSERT … ON CONFLICT (name) DO UPDATE SET record = $2
			return nil
		},
	}
	logins := 0
	login := manager.RefresherFunc(func(context.Context, string, manager.Token) (manager.Token, error) {
		logins++
		return manager.Token{AccessToken: manager.NewSecret(fmt.Sprint("login-", logins))}, nil
	})

	for range 2 { // two lives of the program
		m, err := manager.New(manager.Config{Store: store})
		if err != nil {
			fmt.Println(err)
			return
		}
		api := &http.Client{Transport: &client.Transport{Source: m.Manage("billing", login), Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			fmt.Println("sent with", req.Header.Get("Authorization"))
			return answer(200, "", ""), nil
		})}}
		resp, err := api.Get("https://api.example.com/")
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
		if err := m.Close(); err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// sent with Bearer login-1
	// sent with Bearer login-1
}

// A login that is not OAuth: a form with a password, through the very client that
// it authorizes. That request is recognized by its context and sent bare.
func Example_signIn() {
	m, err := manager.New(manager.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = m.Close() }()

	transport := &client.Transport{Base: baseFunc(func(req *http.Request) (*http.Response, error) {
		fmt.Printf("%s %s %q\n", req.Method, req.URL.Path, req.Header.Get("Authorization"))
		return answer(200, "", "ticket-7"), nil
	})}
	api := &http.Client{Transport: transport}
	transport.Source = m.Manage("portal", manager.RefresherFunc(func(ctx context.Context, _ string, _ manager.Token) (manager.Token, error) {
		form := strings.NewReader("user=crawler&password=open+sesame")
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://portal.example.com/signin", form)
		if err != nil {
			return manager.Token{}, err
		}
		resp, err := api.Do(req)
		if err != nil {
			return manager.Token{}, err
		}
		defer func() { _ = resp.Body.Close() }()
		ticket, err := io.ReadAll(resp.Body)
		return manager.Token{AccessToken: manager.NewSecret(string(ticket)), Type: "Ticket"}, err
	}))

	resp, err := api.Get("https://portal.example.com/reports")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	// Output:
	// POST /signin ""
	// GET /reports "Ticket ticket-7"
}

// An API that answers 403 to a token that it has revoked, without a challenge, as
// frameworks do that check permissions and not tokens. A 403 with a challenge says
// itself what is wrong.
func ExampleTransport_rejected403() {
	api := &http.Client{Transport: &client.Transport{
		Source: newSource("T1"),
		Rejected: func(resp *http.Response) bool {
			return client.InvalidToken(resp) ||
				resp.StatusCode == http.StatusForbidden && resp.Header.Get("WWW-Authenticate") == ""
		},
		Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			fmt.Println("sent with", req.Header.Get("Authorization"))
			if req.Header.Get("Authorization") == "Bearer T1" {
				return answer(403, "", "Forbidden"), nil
			}
			return answer(200, "", ""), nil
		}),
	}}
	resp, err := api.Get("https://api.example.com/protected")
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output:
	// sent with Bearer T1
	// sent with Bearer T2
	// 200
}

// A password posted to the API's own origin is sent once, and without the token: a
// header without a value asks for that. Its 401 is the caller's, and renews nothing.
func ExampleTransport_bare() {
	api := &http.Client{Transport: &client.Transport{
		Source: newSource("T1"),
		Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			fmt.Printf("%s with %q\n", req.URL.Path, req.Header.Get("Authorization"))
			_ = req.Body.Close()
			return answer(401, "", "wrong password"), nil
		}),
	}}
	req, err := http.NewRequest(http.MethodPost, "https://api.example.com/password", strings.NewReader("old=a&new=b"))
	if err != nil {
		fmt.Println(err)
		return
	}
	req.Header["Authorization"] = nil
	resp, err := api.Do(req)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = resp.Body.Close()
	fmt.Println(resp.StatusCode)
	// Output:
	// /password with ""
	// 401
}

// A crawl of addresses from outside says, once for each origin, where it went
// without the token.
func ExampleTransport_onBare() {
	api := &http.Client{Transport: &client.Transport{
		Source: newSource("T1"),
		Hosts:  []string{"api.example.com"},
		OnBare: func(origin string, reason client.BareReason) { fmt.Printf("%s: %s\n", origin, reason) },
		Base:   baseFunc(func(*http.Request) (*http.Response, error) { return answer(200, "", ""), nil }),
	}}
	for _, url := range []string{"https://api.example.com/1", "https://example.org/2", "http://api.example.com/3", "https://example.org/4"} {
		resp, err := api.Get(url)
		if err != nil {
			fmt.Println(err)
			return
		}
		_ = resp.Body.Close()
	}
	// Output:
	// https://example.org: its host is not in Transport.Hosts
	// http://api.example.com: it would show the token unencrypted
}

// A retry count that gives up: the server says 401 whatever it gets, and after two
// replays that is the answer.
func ExampleTransport_maxReplays() {
	api := &http.Client{Transport: &client.Transport{
		Source:     newSource("T1"),
		MaxReplays: 2,
		Base: baseFunc(func(req *http.Request) (*http.Response, error) {
			fmt.Println("sent with", req.Header.Get("Authorization"))
			return answer(401, `Bearer error="invalid_token"`, "go away"), nil
		}),
	}}
	resp, err := api.Get("https://api.example.com/")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = resp.Body.Close() }()
	body, _ := io.ReadAll(resp.Body)
	fmt.Println(resp.StatusCode, string(body))
	// Output:
	// sent with Bearer T1
	// sent with Bearer T2
	// sent with Bearer T3
	// 401 go away
}
