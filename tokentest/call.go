package tokentest

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Kind tells the endpoints apart.
type Kind string

const (
	KindToken  Kind = "token"
	KindRevoke Kind = "revoke"
	KindAPI    Kind = "api"
)

// Outcomes of a Call. Others are the error code sent ("invalid_grant") or, where there was
// none, the status in words ("service unavailable").
const (
	OutcomeOK      = "ok"
	OutcomeReuse   = "reuse"    // a spent refresh token was presented, and refused
	OutcomeLost    = "lost"     // the answer was spoilt by a fault: Lost, Garbage, Spent
	OutcomeGone    = "gone"     // the caller or the server left before the answer
	OutcomeNotSent = "not sent" // by the fault
)

// A Call is one call of the server, as Calls remembers it. It has no secret in it.
type Call struct {
	Seq    int64 // from 1, in the order of arrival at this server
	Time   time.Time
	Kind   Kind
	Method string
	Path   string
	Grant  string // grant_type, of token calls

	// The token presented: of token and revocation calls the refresh token (family from
	// 1), of the API's the access token (family 0: by client_credentials). Serial 0:
	// none, or unknown to this server.
	Family, Serial int

	Fault   string // what went wrong with it on purpose; "": nothing
	Status  int    // 0: the connection ended without one
	Outcome string
}

// String is the call in one line, for logs.
func (c Call) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", c.Time.Format("15:04:05.000"), c.Kind)
	if c.Kind == KindAPI {
		fmt.Fprintf(&b, " %s %s", c.Method, c.Path)
	} else if c.Grant != "" {
		fmt.Fprintf(&b, " %s", c.Grant)
	}
	if c.Serial > 0 {
		prefix := refreshPrefix
		if c.Kind == KindAPI {
			prefix = accessPrefix
		}
		fmt.Fprintf(&b, " %s", fingerprint(prefix, c.Family, c.Serial))
	}
	if c.Fault != "" {
		fmt.Fprintf(&b, " (%s)", c.Fault)
	}
	if c.Status != 0 {
		fmt.Fprintf(&b, " %d", c.Status)
	}
	fmt.Fprintf(&b, " %s", c.Outcome)
	return b.String()
}

// Calls lists the newest calls, Options.Log of the API's and as many others, in the order of
// their arrival. A call is in the list before its caller has the answer, but not while it
// waits.
func (s *Server) Calls() []Call {
	list := slices.Concat(s.calls.list(), s.apiCalls.list())
	slices.SortFunc(list, func(a, b Call) int { return cmp.Compare(a.Seq, b.Seq) })
	return list
}

func (s *Server) newCall(kind Kind, r *http.Request) Call {
	path := r.URL.Path
	if path == "" {
		path = "/"
	}
	return Call{Seq: s.stats.seq.Add(1), Time: s.now(), Kind: kind, Method: r.Method, Path: path}
}

func outcome(status int) string {
	if status == http.StatusOK {
		return OutcomeOK
	}
	return strings.ToLower(http.StatusText(status))
}

// journal is a ring of the newest calls, written without a lock since every request to the
// API goes through it.
type journal struct {
	ring []atomic.Pointer[Call]
	next *atomic.Uint64 // place of the next call, before it is wrapped
}

func newJournal(n int) journal {
	return journal{ring: make([]atomic.Pointer[Call], n), next: new(atomic.Uint64)}
}

// note is a place in the journal; the zero note is none.
type note struct {
	slot *atomic.Pointer[Call]
	call *Call
}

func (j journal) add(c Call) note {
	if len(j.ring) == 0 {
		return note{}
	}
	n := note{&j.ring[(j.next.Add(1)-1)%uint64(len(j.ring))], &c}
	n.slot.Store(n.call)
	return n
}

// gone corrects the note of a call whose caller has left, unless it was overwritten.
func (n note) gone() {
	if n.slot == nil {
		return
	}
	c := *n.call
	c.Status, c.Outcome = 0, OutcomeGone
	n.slot.CompareAndSwap(n.call, &c)
}

func (j journal) list() []Call {
	var list []Call
	for i := range j.ring {
		if c := j.ring[i].Load(); c != nil {
			list = append(list, *c)
		}
	}
	return list
}
