package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"example.com/tokenactor/manager"
	"golang.org/x/oauth2"
)

const (
	pollInterval = 5 * time.Second // where the server names none (RFC 8628 section 3.2)
	slowDown     = 5 * time.Second // what slow_down adds (section 3.5)
	pollLeast    = time.Second     // RFC 8628 counts in seconds
	pollMost     = time.Minute     // as far as doubling goes, while the server is in trouble
	defaultLogin = 15 * time.Minute

	maxUserCode = 64   // bytes
	maxUserURL  = 2048 // bytes; what a QR code holds with room to spare
)

// A DeviceCode is what the user needs to log in on another device (RFC 8628 section
// 3.2): an address, and a code to be typed in there. It is fit for a terminal, a
// browser and a QR code: the code is of at most 64 bytes, the addresses are https URLs
// of at most 2,048, without a user name, or http URLs of this machine (of any with
// Options.AllowHTTP), and all are of printable characters. An answer with another code
// or address is an error.
type DeviceCode struct {
	UserCode string // such as WDJB-MJHT
	URL      string // verification_uri

	// CompleteURL has the code in it, for a QR code; "" where the server has
	// none. Show UserCode too: the user should compare it (section 5.4).
	CompleteURL string

	// ExpiresIn is how long the user has, counted from the answer.
	ExpiresIn time.Duration
}

// A DevicePrompt shows the code to the user, and returns; the login goes on while
// the user is busy. Its error ends the login.
type DevicePrompt func(ctx context.Context, code DeviceCode) error

// DeviceLogin lets a user log in on another device (RFC 8628), for programs without
// a browser, and returns the token, which is for Credential.Install. It takes at most
// one Options. [RefreshToken] with the same configuration keeps the login going.
//
//	login, err := oauth.DeviceLogin(ctx, cfg, func(_ context.Context, code oauth.DeviceCode) error {
//		_, err := fmt.Printf("Go to %s and enter %s\n", code.URL, code.UserCode)
//		return err
//	})
//	...
//	err = user.Install(ctx, login)
//
// Of cfg the client, Scopes, Endpoint.DeviceAuthURL and TokenURL are used. The server
// is asked in the interval that it names, more seldom when it says slow_down, and
// ever more seldom, up to a minute, while it does not answer well. ctx bounds the
// whole; without a time limit of its own the login ends when the code does.
//
// Errors: ErrDenied, ErrExpired; another *Error; that of prompt; context.Cause(ctx).
func DeviceLogin(ctx context.Context, cfg oauth2.Config, prompt DevicePrompt, options ...Options) (manager.Token, error) {
	e := newEndpoint(cfg, true, options)
	form := e.form("", cfg.Scopes)
	form.Del("grant_type")
	if e.err != nil {
		return manager.Token{}, e.err
	}
	target, err := e.locate(ctx, deviceEndpoint)
	if err != nil {
		return manager.Token{}, err
	}
	key, _, err := e.bind()
	if err != nil {
		return manager.Token{}, err
	}
	r, err := e.post(ctx, target, make(http.Header), form, e.drift.read())
	if err != nil {
		return manager.Token{}, bare(err)
	}
	a, refusal := r.fields(deviceEndpoint, "device_code")
	if err := r.lost(); refusal != nil && err != nil {
		return manager.Token{}, err
	}
	if refusal != nil {
		return manager.Token{}, refusal
	}
	code := deviceCode(a)
	if flaw := code.flaw(e.options.AllowHTTP); flaw != "" {
		return manager.Token{}, &Error{Status: r.status, where: deviceEndpoint, detail: flaw}
	}
	ctx, cancel := context.WithTimeoutCause(ctx, code.ExpiresIn, errCodeExpired)
	defer cancel()
	if err := prompt(ctx, code); err != nil {
		return manager.Token{}, fmt.Errorf("oauth: the device code could not be shown: %w", err)
	}
	poll := e.form("urn:ietf:params:oauth:grant-type:device_code", nil)
	poll.Set("device_code", a.word("device_code"))
	interval := pollInterval
	if d, ok := seconds(a.word("interval")); ok && d > 0 {
		interval = max(d, pollLeast)
	}
	return e.poll(ctx, poll, key, interval, strings.Join(cfg.Scopes, " "))
}

var errCodeExpired = fmt.Errorf("%w: the device code has expired", ErrExpired)

func deviceCode(a answer) DeviceCode {
	code := DeviceCode{UserCode: a.word("user_code"), URL: a.word("verification_uri"), CompleteURL: a.word("verification_uri_complete")}
	if code.URL == "" {
		code.URL = a.word("verification_url") // as drafts of the RFC called it, and Google does
	}
	var ok bool
	if code.ExpiresIn, ok = seconds(a.word("expires_in")); !ok || code.ExpiresIn <= 0 {
		code.ExpiresIn = defaultLogin
	}
	return code
}

// flaw says why the code cannot be shown to a user; "": it can. Terminals obey control
// characters, and browsers run what some URLs say. Nothing of it is repeated.
func (c DeviceCode) flaw(allowHTTP bool) string {
	switch {
	case c.URL == "" || c.UserCode == "":
		return "no user_code or no verification_uri"
	case len(c.UserCode) > maxUserCode || !printable(c.UserCode):
		return "a user_code that cannot be shown: it is long, or has a character that is not printable"
	case !opens(c.URL, allowHTTP):
		return "a verification_uri that cannot be shown: it is long, or no plain https URL"
	case c.CompleteURL != "" && !opens(c.CompleteURL, allowHTTP):
		return "a verification_uri_complete that cannot be shown: it is long, or no plain https URL"
	}
	return ""
}

// opens reports whether a browser may be sent to the address.
func opens(address string, allowHTTP bool) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= maxUserURL && printable(address) && !strings.Contains(address, " ") &&
		u.Hostname() != "" && u.User == nil &&
		(u.Scheme == "https" || u.Scheme == "http" && (allowHTTP || loopback(u.Hostname())))
}

func printable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
}

// poll asks until the user has decided (RFC 8628 section 3.4).
func (e *endpoint) poll(ctx context.Context, form url.Values, key manager.Token, interval time.Duration, scope string) (manager.Token, error) {
	trouble := interval
	for {
		timer := time.NewTimer(max(interval, trouble))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return manager.Token{}, context.Cause(ctx)
		}
		t, err := e.login(ctx, form, key, scope)
		if err == nil {
			return t, nil
		}
		if ctx.Err() != nil {
			return manager.Token{}, context.Cause(ctx)
		}
		refusal, answered := errors.AsType[*Error](err)
		_, unanswered := errors.AsType[*callError](err)
		switch {
		case answered && refusal.Code == "authorization_pending":
			trouble = interval
		case answered && refusal.Code == "slow_down":
			interval += slowDown
			trouble = interval
		case unanswered || answered && (refusal.Status >= 500 || refusal.Status == http.StatusTooManyRequests):
			trouble = min(2*trouble, max(pollMost, interval)) // RFC 8628 section 3.5
		default:
			return manager.Token{}, err
		}
	}
}
