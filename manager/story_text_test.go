package manager

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// stamp writes a time of a story: 12m30s, not 12m30.000s or 1h0m0s.
func stamp(at int64) string {
	s := time.Duration(at).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// since writes wall time as a time of the story.
func since(at time.Time) string { return stamp(at.UnixNano() - storyWall) }

// describe writes an effect in the words of a script.
func describe(e effect) string {
	switch e := e.(type) {
	case load:
		return "load"
	case save:
		s := fmt.Sprintf("save rev=%d %s", e.snapshot.Revision, describeSnapshot(e.snapshot))
		if e.fenced {
			s += " fenced"
		}
		return s
	case lock:
		if e.suspected {
			return "lock last limit=" + e.limit.String()
		}
		if e.early {
			return "lock early limit=" + e.limit.String()
		}
		return "lock limit=" + e.limit.String()
	case unlock:
		return "unlock"
	case queue:
		if e.suspected {
			return "queue last"
		}
		if e.early {
			return "queue early"
		}
		return "queue"
	case yield:
		return "yield"
	case refresh:
		s := fmt.Sprintf("refresh attempt=%d", e.attempt)
		if e.prev != nil && !e.prev.RefreshToken.IsZero() {
			s += " spends " + e.prev.RefreshToken.Reveal()
		}
		return s
	case cancel:
		return fmt.Sprintf("cancel attempt=%d", e.attempt)
	case publish:
		return "publish " + describeToken(e.token)
	case withdraw:
		return "withdraw"
	case reply:
		if e.err != nil {
			return fmt.Sprintf("reply %d %s", e.ticket, problem(e.err))
		}
		return fmt.Sprintf("reply %d %s", e.ticket, describeToken(e.token))
	case event:
		s := "event: " + e.Kind.String()
		if !e.RetryAt.IsZero() {
			s += ", next attempt " + since(e.RetryAt)
		}
		if e.Err != nil {
			s += ", " + problem(e.Err)
		}
		return s
	}
	panic(fmt.Sprintf("unknown effect %T", e))
}

func describeToken(t *Token) string {
	switch {
	case t == nil:
		return "none"
	case t.AccessToken.IsZero() && t.RefreshToken.IsZero():
		return fmt.Sprintf("login=%d gen=%d tombstone", t.login, t.generation)
	}
	s := fmt.Sprintf("gen=%d token=%s", t.generation, t.AccessToken.Reveal())
	if t.login > 0 {
		s = fmt.Sprintf("login=%d %s", t.login, s)
	}
	return s
}

func describeSnapshot(s *Snapshot) string {
	text := describeToken(&s.Token)
	if !s.Token.RefreshToken.IsZero() {
		text += " refresh=" + s.Token.RefreshToken.Reveal()
	}
	if m := s.Mark; !m.IsZero() {
		text += fmt.Sprintf(" mark=p%d/%d", m.Owner[0], m.Attempt)
		if m.Guarded {
			text += " guarded"
		}
		if m.Answered {
			text += " answered=" + m.Limit.String()
		}
	}
	for _, r := range s.Refusals {
		text += " refused"
		if r.Asker > 0 {
			text += fmt.Sprintf("=%d", r.Asker)
		}
		if r.Lost {
			text += " lost"
		}
	}
	if n := s.Suspicion.Answers; n > 0 {
		text += fmt.Sprintf(" suspected=%d since=%s last=%s", n, since(s.Suspicion.Since), since(s.Suspicion.Last))
	}
	if !s.RetryAt.IsZero() {
		text += " retry at " + since(s.RetryAt)
	}
	if s.Asked > 0 {
		text += fmt.Sprintf(" asked=%d", s.Asked)
	}
	return text
}

// problem writes an error without the prefixes that only get in the way here.
func problem(err error) string {
	if err == nil {
		return ""
	}
	r, ok := errors.AsType[*RefreshError](err)
	if !ok {
		return "error: " + strings.TrimPrefix(err.Error(), "manager: ")
	}
	s := "error: " + strings.TrimPrefix(r.Err.Error(), "manager: ")
	switch {
	case r.Lost:
		s += "; the login is lost"
	case r.Class == ClassFinal:
		s += "; log in again"
	case r.RetryAt.IsZero():
	case !r.Since.IsZero():
		s += "; log in again or retry at " + since(r.RetryAt)
	default:
		s += "; retry at " + since(r.RetryAt)
	}
	return s
}

// status says how the machine is.
func (t *teller) status() string {
	s := t.machine.status(t.moment())
	text := fmt.Sprintf("%s, gen=%d from %s", s.State, s.Generation, s.Source)
	if s.Refreshing {
		text += ", refreshing"
	}
	if s.Hung {
		text += ", hung"
	}
	if s.Unsaved {
		text += ", unsaved"
	}
	if !s.Mark.IsZero() {
		text += fmt.Sprintf(", mark p%d/%d", s.Mark.Owner[0], s.Mark.Attempt)
	}
	if s.Barren {
		text += ", barren"
	}
	if !s.NextAttempt.IsZero() {
		text += ", next attempt " + since(s.NextAttempt)
	}
	if d := t.machine.deadline(); d != never {
		text += ", wakes " + stamp(d-storyStart)
	}
	return text
}
