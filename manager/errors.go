package manager

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// What callers branch on, with errors.Is. The package comment has the table of
// what to do about each.
var (
	// ErrClosed: the manager was closed.
	ErrClosed = errors.New("manager: closed")

	// ErrReleased: the credential was released; Manage gives a new one.
	ErrReleased = errors.New("manager: credential released")

	// ErrLoginRequired: no refresh can help; Install a token from a new login.
	ErrLoginRequired = errors.New("manager: login required")

	// ErrLoginSuspected: the server refuses in words that are not known, for more
	// than a minute. Offer a login, delete nothing: it may heal by itself. It
	// does not match ErrLoginRequired.
	ErrLoginSuspected = errors.New("manager: a login may be required")

	// ErrNoRefresher: the credential is managed without a Refresher here, so
	// that this process cannot renew it, and the store has no usable token.
	ErrNoRefresher = errors.New("manager: this process has no Refresher for the credential")

	// ErrStillRejected: the server rejected new tokens as it did the old, so
	// another refresh would not help now. It is not the token's fault.
	ErrStillRejected = errors.New("manager: new tokens are rejected as well")

	// ErrNotSaved: the token is in use but the store does not have it yet.
	ErrNotSaved = errors.New("manager: not saved")

	// ErrNoToken: the Refresher returned neither token nor error.
	ErrNoToken = errors.New("manager: the Refresher returned no access token")

	// ErrBornExpired: the token that the Refresher returned had expired.
	ErrBornExpired = errors.New("manager: the new token has expired already")

	// ErrQuietTime: the outcome of an earlier refresh is unknown, and it may
	// still be under way; nothing is sent before its time has passed.
	ErrQuietTime = errors.New("manager: the outcome of an earlier refresh is unknown, it may still be under way")

	// ErrTimeLimit: a refresh took longer than Policy.Limit. If its server is well: does
	// the Refresher make its requests with the ctx it was given? One that goes
	// through a client of this very credential waits for itself without it, which the
	// next error says. Does it need a slot of a limiter whose slots are all held by
	// callers that wait for the token?
	ErrTimeLimit = errors.New("manager: the refresh exceeded its time limit")
)

// What a Store answers.
var (
	// ErrConflict: the stored revision is not the expected one.
	ErrConflict = errors.New("manager: conflict: another revision is stored")

	// ErrLeaseLost: the write needs a lease that is not held any more.
	ErrLeaseLost = errors.New("manager: lease lost")
)

// A RefreshError says that a refresh failed and no usable token is at hand. All
// callers who waited for that refresh get the same *RefreshError.
type RefreshError struct {
	// Credential is the name, Attempt the serial number of the refresh,
	// Generation that of the token it was to replace.
	Credential string
	Attempt    uint64
	Generation uint64

	// Class is what the error says about the refresh token.
	Class Class

	// RetryAt is when the next attempt may begin, by the wall clock. Zero:
	// not before Install, or Credential.Retry.
	RetryAt time.Time

	// Since is when the server first refused in words that are not known,
	// from the second such answer on; zero otherwise.
	Since time.Time

	// Lost says that the answer to an earlier refresh was lost, and that the
	// server then refused the refresh token: the login is gone.
	Lost bool

	// Err is the Refresher's error.
	Err error
}

func (e *RefreshError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "manager: refresh of %q failed", e.Credential)
	if e.Attempt > 0 {
		fmt.Fprintf(&b, " (attempt %d)", e.Attempt)
	}
	fmt.Fprintf(&b, ": %v", e.Err)
	switch {
	case e.Lost:
		b.WriteString("; the answer to our own refresh was lost: log in again")
	case e.Class == ClassFinal:
		b.WriteString("; log in again, or call Retry once the cause is mended")
	case e.RetryAt.IsZero():
	case !e.Since.IsZero():
		b.WriteString("; refused since " + e.Since.UTC().Format(time.RFC3339) + " in words that are not known: log in again, or wait: next attempt at " +
			e.RetryAt.UTC().Format(time.RFC3339))
	default:
		b.WriteString("; next attempt at " + e.RetryAt.UTC().Format(time.RFC3339))
	}
	return b.String()
}

// Unwrap gives the Refresher's error.
func (e *RefreshError) Unwrap() error { return e.Err }

// Is makes a refusal match ErrLoginRequired, and a suspicion of which callers are
// told ErrLoginSuspected.
func (e *RefreshError) Is(target error) bool {
	return target == ErrLoginRequired && e.Class == ClassFinal || target == ErrLoginSuspected && !e.Since.IsZero()
}

// A NameError is the error of one name among several in a Store's answer, or of
// one credential among those that Close could not save.
type NameError struct {
	Name string
	Err  error
}

func (e *NameError) Error() string { return fmt.Sprintf("manager: credential %q: %v", e.Name, e.Err) }

// Unwrap gives the error of that name.
func (e *NameError) Unwrap() error { return e.Err }
