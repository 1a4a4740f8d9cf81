package manager

import (
	"errors"
	"time"
)

func (t *trial) answerRefresh(choice byte) {
	if t.flight == nil {
		return
	}
	flight := *t.flight
	t.flight, t.slot = nil, false
	answer := refreshed{attempt: flight.attempt, token: t.fresh(false)}
	t.returned++
	if t.machine.work.forces > 0 {
		t.forcedEnd = t.now
	}
	var sent *sentToken
	if flight.prev != nil && !flight.prev.RefreshToken.IsZero() {
		sent = t.sent[flight.prev.RefreshToken.Reveal()]
	}
	switch choice >> 5 {
	case 1:
		answer.err = errors.New("no answer")
		if choice&8 != 0 {
			answer.err = Answered(errors.New("503"))
		}
	case 2:
		answer.err = LoginRequired(errors.New("invalid_grant"))
	case 3:
		answer.err = []error{Permanent(errOutage), NotSent(errOutage), LoginSuspected(errOutage), RetryAfter(Answered(errOutage), time.Minute)}[choice>>3&3]
	case 4:
		answer.token = t.fresh(true)
		answer.token.ExpiresIn = -1 // born expired
	case 5:
		answer.token = flight.prev // nothing new
	default:
		answer.token = t.fresh(sent != nil || choice&8 != 0)
	}
	if answer.token == nil {
		answer.token = &Token{}
	}
	token := *answer.token
	answer.token = &token
	if t.wide && !t.calm {
		t.oddAnswer(&answer, &flight)
	}
	if answer.err == nil {
		parent := flight.prev
		if parent != nil && parent.AccessToken.IsZero() && parent.RefreshToken.IsZero() {
			parent = nil // a logout: it counts as a login
		}
		if key := lineageKey(&token); t.lineages[key] == 0 {
			t.descends(&token, parent)
		}
	}
	t.learn(&answer, &flight, sent)
	t.step(answer)
}

// learn notes what the answer says about the refresh token that was sent, and for how
// long the server wants to be left alone.
func (t *trial) learn(answer *refreshed, flight *refresh, sent *sentToken) {
	v := judge(answer.err)
	took := t.now - t.machine.work.sentAt
	if v.after > 0 && v.class != ClassFinal && v.class != ClassConfiguration && t.machine.token == flight.prev {
		t.wait = told429{flight.prev, after(t.now, min(v.after, maxRetryAfter))}
	}
	t.healed = t.healed && answer.err == nil
	if sent == nil {
		return
	}
	secret := flight.prev.RefreshToken.Reveal()
	next := answer.token.RefreshToken
	rotated := answer.err == nil && !next.IsZero() && !next.Equal(flight.prev.RefreshToken)
	sent.spent = rotated
	switch {
	case v.class == ClassFinal && answer.err != nil:
		sent.refused = true
	case v.class == ClassAnswered && took <= int64(slowAnswer):
		sent.over = t.now + took + int64(quietMargin)
	case answer.err == nil && !rotated:
		delete(t.sent, secret) // it may be sent again
	case v.class == ClassNotSent || v.class == ClassConfiguration || v.class == ClassSuspected:
		if sent.over = t.now; !sent.guarded { // of a guarded try the first one stays in doubt
			delete(t.sent, secret)
		}
	}
}

// oddAnswer changes what the authorization server answers.
func (t *trial) oddAnswer(answer *refreshed, flight *refresh) {
	kind := t.draw()
	if answer.err != nil {
		if kind >= 128 {
			return
		}
		gone := errors.New("trouble")
		answer.err = []error{
			gone, Answered(gone), NotSent(gone), LoginSuspected(gone), LoginSuspected(gone), Permanent(gone), LoginRequired(gone), Answered(gone),
		}[kind&7]
		if kind&8 != 0 {
			answer.err = RetryAfter(answer.err, time.Duration(kind>>4)*17*time.Minute)
		}
		return
	}
	if !t.odd {
		return
	}
	t.vary(answer.token)
	switch kind % 8 {
	case 0: // no header can carry it
		answer.token.AccessToken = NewSecret(answer.token.AccessToken.Reveal() + "\n")
	case 1: // all who ask get the same one until its end
		if prev := flight.prev; prev != nil && !prev.AccessToken.IsZero() {
			*answer.token = Token{AccessToken: prev.AccessToken, RefreshToken: prev.RefreshToken}
		}
	case 2:
		if prev := flight.prev; prev != nil && !prev.AccessToken.IsZero() {
			*answer.token = Token{AccessToken: prev.AccessToken, RefreshToken: prev.RefreshToken, ExpiresIn: time.Duration(kind) * 10 * time.Millisecond}
		}
	case 3:
		answer.token.RefreshIn = time.Duration(kind) * time.Second
	}
}

// vary makes the token of a login an odd one.
func (t *trial) vary(token *Token) {
	if !t.odd || t.calm {
		return
	}
	switch kind := t.draw(); kind % 8 {
	case 0:
		token.ExpiresIn = 0
	case 1:
		token.RefreshExpiresIn = 10 * time.Minute // dies first
	case 2:
		token.RefreshExpiresIn = 30 * 24 * time.Hour
	case 3:
		token.ExpiresIn = time.Duration(kind) * 100 * time.Millisecond
	case 4:
		if !token.RefreshToken.IsZero() {
			token.AccessToken = Secret{}
		}
	}
}
