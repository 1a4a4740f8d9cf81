package manager

import (
	"errors"
	"time"
)

// A Class is what the error of a refresh says about the refresh token that was
// sent. It decides whether the journal mark stays, when the next attempt begins
// and what callers without a usable token get:
//
//	class          the Refresher says it by   journal mark   next attempt                          callers get
//	not_sent       NotSent                    cleared        after back-off                        *RefreshError, RetryAt
//	unknown        no mark                    stays          after the quiet time, and not while   ErrQuietTime until then
//	                                                         the access token is usable
//	answered       Answered                   stays          after back-off; while the access      *RefreshError, RetryAt
//	                                                         token is usable not before the
//	                                                         quiet time is over
//	suspected      LoginSuspected             cleared        after a minute, doubled up to an      from the second answer on
//	                                                         hour, after a day up to a day         ErrLoginSuspected
//	final          LoginRequired              cleared        never: Install, Retry                 ErrLoginRequired
//	configuration  Permanent                  cleared        after five minutes, doubled up to     *RefreshError at once
//	                                                         an hour
//
// A mark that belongs to a guarded try stays until the refresh token is replaced, whatever
// the class, since the outcome of the first try is still unknown: the next one, be it another
// asker's, is guarded too. After a suspected answer nothing is sent before as long again as it took
// has passed. An answer of class answered that took longer than 5 s is unknown: it is a gateway's
// time-out, and the server behind it may still be at work. Where no refresh token was sent nothing
// can have been spent, so there is no mark and no quiet time, and nothing is stored.
type Class string

// The classes of errors.
const (
	ClassNotSent       Class = "not_sent"      // the refresh token was certainly not used
	ClassUnknown       Class = "unknown"       // no complete answer came, or one that came late
	ClassAnswered      Class = "answered"      // a complete answer that decides nothing
	ClassSuspected     Class = "suspected"     // a refusal in words that we do not know
	ClassFinal         Class = "final"         // the refresh token is refused for good
	ClassConfiguration Class = "configuration" // the request is wrong, whoever's refresh token it has
)

// ClassOf returns the class that the outermost mark of a Refresher's error says,
// ClassUnknown for an error without one, and "" for nil.
func ClassOf(err error) Class {
	if err == nil {
		return ""
	}
	return judge(err).class
}

// A verdict is what the marks of a Refresher's error say.
type verdict struct {
	class Class
	after time.Duration // Retry-After; 0: none named
}

// judge collects the marks of err. Of several classes the outermost counts: who
// wraps an error knows more than who returned it.
func judge(err error) verdict {
	v := verdict{class: ClassUnknown}
	known := false
	for err != nil {
		m, ok := errors.AsType[*refreshMark](err)
		if !ok {
			break
		}
		switch {
		case m.class == "":
			v.after = max(v.after, m.after)
		case !known:
			v.class, known = m.class, true
		}
		err = m.err
	}
	return v
}
