package manager

import (
	"log/slog"
	"time"
)

// EventKind says what happened.
type EventKind uint8

// The kinds of events.
const (
	EventInstalled       EventKind = iota + 1 // a login put a token in
	EventForgotten                            // a logout
	EventLoaded                               // a token came from the store
	EventAdopted                              // a newer token of another process was taken over
	EventRefreshed                            // a refresh brought a new token
	EventRefreshFailed                        // a refresh failed; the next attempt is at RetryAt
	EventRefused                              // only a login helps now
	EventRejected                             // a resource server rejected the published token
	EventBarren                               // new tokens are rejected as well: refreshes for rejections are put off
	EventExpired                              // the token was withdrawn at its expiry, unrenewed
	EventHung                                 // a Refresher has passed its time limit and not returned
	EventLoadFailed                           // the store could not be read
	EventSaveFailed                           // the store could not be written; it is retried
	EventUnmarked                             // a refresh token was sent although its mark could not be saved
	EventAnswerDropped                        // a refresh's answer came too late: newer state was there
	EventStoreRolledBack                      // the store held older state than we wrote; written back
	EventDying                                // the refresh token itself dies soon: a login will be needed
	EventRevoked                              // a Revoker ended the login at its server, after Forget
	EventRevokeFailed                         // it did not: the server may know the login still
	EventLoginSuspected                       // the server refuses in words that are not known: a login may be needed
	EventHeldBack                             // a renewal waits, since the token endpoint is in trouble: see Policy.Group
)

var eventNames = [...]string{"", "installed", "forgotten", "loaded", "adopted", "refreshed", "refresh failed",
	"refused", "rejected", "barren", "expired", "hung", "load failed", "save failed", "sent unmarked",
	"answer dropped", "store rolled back", "refresh token dying", "revoked", "revocation failed",
	"login suspected", "held back"}

// String gives the kind in words.
func (k EventKind) String() string {
	if int(k) < len(eventNames) {
		return eventNames[k]
	}
	return "unknown"
}

// level is the kind's severity for the log.
func (k EventKind) level() slog.Level {
	switch k {
	case EventRefused, EventLoginSuspected, EventHung, EventUnmarked, EventSaveFailed, EventStoreRolledBack, EventLoadFailed:
		return slog.LevelError
	case EventRefreshFailed, EventBarren, EventExpired, EventDying, EventAnswerDropped, EventRevokeFailed:
		return slog.LevelWarn
	}
	return slog.LevelDebug
}

// An Event says what happened to a credential. It holds no secret.
type Event struct {
	Kind       EventKind
	At         time.Time // wall clock
	Credential string
	Generation uint64    // of the token concerned
	Attempt    uint64    // of the refresh concerned, 0: none
	RetryAt    time.Time // when the next attempt may begin, zero: none
	Class      Class     // of Err, where a refresh failed
	Err        error     // nil where nothing failed
}

// LogValue gives the event's fields to log/slog.
func (e Event) LogValue() slog.Value {
	attrs := []slog.Attr{slog.String("credential", e.Credential), slog.Uint64("generation", e.Generation)}
	if e.Attempt > 0 {
		attrs = append(attrs, slog.Uint64("attempt", e.Attempt))
	}
	if e.Class != "" {
		attrs = append(attrs, slog.String("class", string(e.Class)))
	}
	if !e.RetryAt.IsZero() {
		attrs = append(attrs, slog.Time("retry_at", e.RetryAt))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", e.Err.Error()))
	}
	return slog.GroupValue(attrs...)
}
