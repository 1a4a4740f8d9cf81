package oauth

import (
	"net/http"
	"sync/atomic"
	"time"
)

// punctual is how much two clocks may differ without being corrected: a Date has
// whole seconds.
const punctual = 2 * time.Second

// A drift is how far a server's clock is ahead of ours, as its answers tell. It is
// for times that the server compares with its own: those in a JWT. Lives are
// durations and need none. It may be used concurrently.
type drift struct{ ahead atomic.Int64 }

// read gives how far the server's clock is ahead, as far as is known.
func (d *drift) read() time.Duration { return time.Duration(d.ahead.Load()) }

// learn takes in the Date of an answer to a request sent at the moment sent, which
// was signed with the drift used, and reports whether that was wrong. It is the
// request's own, for another one may have learned the drift in the meantime. Date
// is cut to seconds, and the answer was made at some moment between sent and now.
func (d *drift) learn(header http.Header, sent, now time.Time, used time.Duration) (wrong bool) {
	date, err := http.ParseTime(header.Get("Date"))
	if err != nil {
		return false
	}
	half := now.Sub(sent) / 2
	vague := punctual + half
	ahead := date.Add(time.Second / 2).Sub(sent.Add(half))
	if ahead.Abs() <= vague {
		ahead = 0
	}
	d.ahead.Store(int64(ahead))
	return (ahead - used).Abs() > vague
}
