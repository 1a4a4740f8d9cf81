package tokentest

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// exchange answers a token call: the work itself, or the work with a fault around it.
type exchange func(ctx context.Context, c *tokenCall) answer

// A Fault is what goes wrong with a call of the token endpoint. The zero Fault is none.
// Faults are given to [Server.Next] and [Server.Always]; one value may be used many times,
// concurrently too. What they call the work is what the request asks for: the refresh token
// is spent, new tokens are issued. A request that deserves a refusal gets one instead.
type Fault struct {
	name   string
	unsent bool                         // the call never reaches the server
	wrap   func(next exchange) exchange // nil: as it is
	choose func(Call) Fault             // not nil: stands for the fault that it returns
}

// String is the fault's name, as in Call.Fault.
func (f Fault) String() string { return f.name }

// Lost does the work, and then the connection dies: the refresh token is spent, and nobody
// has the new one.
func Lost() Fault {
	return Fault{name: "lost", wrap: func(next exchange) exchange {
		return func(ctx context.Context, c *tokenCall) answer {
			a := next(ctx, c)
			return answer{dead: errReset, granted: a.granted, lost: a.granted != nil}
		}
	}}
}

// Late does the work when the call arrives, and answers after d. A caller who has left by
// then has spent its refresh token, as with Lost.
func Late(d time.Duration) Fault {
	return Fault{name: fmt.Sprintf("late %v", d), wrap: func(next exchange) exchange {
		return func(ctx context.Context, c *tokenCall) answer {
			a := next(ctx, c)
			c.server.wait(ctx, d)
			return a
		}
	}}
}

// Slow does the work after d, even for a caller who has left by then: the refresh token
// is good for a while, and spent later. Before that Close ends it, without the work.
func Slow(d time.Duration) Fault {
	return Fault{name: fmt.Sprintf("slow %v", d), wrap: func(next exchange) exchange {
		return func(ctx context.Context, c *tokenCall) answer {
			if !c.server.wait(context.WithoutCancel(ctx), d) {
				c.Outcome = OutcomeGone
				return answer{dead: errReset}
			}
			return next(ctx, c)
		}
	}}
}

// Hang holds the call before the work until releasec is closed; nil: for ever. It ends
// without the work when the caller leaves or the server is closed. In a synctest bubble the
// channel must be made inside.
func Hang(releasec <-chan struct{}) Fault {
	return Fault{name: "hang", wrap: func(next exchange) exchange {
		return func(ctx context.Context, c *tokenCall) answer {
			select {
			case <-releasec:
				return next(ctx, c)
			case <-ctx.Done():
			case <-c.server.closedc:
			}
			c.Outcome = OutcomeGone
			return answer{dead: errReset}
		}
	}}
}

// NotSent keeps the call from the server: Stats do not count it. In memory it is a
// [*net.OpError] with Op "dial". On loopback the connection is there already by the time
// that a server could do anything, and is reset before the work.
func NotSent() Fault { return Fault{name: "not sent", unsent: true} }

// Refuse answers with an error code of RFC 6749, section 5.2, and does no work, so that the
// refresh token is as good as before: status 400, and 401 for invalid_client.
func Refuse(code string) Fault {
	return instead("refuse "+code, func(c *tokenCall) answer { return refuse(c, code) })
}

// Status answers with this status and an empty body, and does no work: Status(503),
// Status(400).
func Status(code int) Fault { return Answer(code, "", "") }

// TooMany answers 429 (RFC 6585) with Retry-After in whole seconds, rounded up, and does no
// work.
func TooMany(after time.Duration) Fault {
	seconds := strconv.FormatInt(int64((after+time.Second-1)/time.Second), 10)
	return instead("too many", func(*tokenCall) answer {
		a := plain(http.StatusTooManyRequests, "", "")
		a.header.Set("Retry-After", seconds)
		return a
	})
}

// HTML answers with the page of some proxy, and does no work.
func HTML(status int) Fault {
	text := http.StatusText(status)
	page := fmt.Sprintf("<!DOCTYPE html>\n<html><head><title>%s</title></head><body><h1>%d %s</h1></body></html>\n", text, status, text)
	return Answer(status, "text/html; charset=utf-8", page)
}

// Answer answers with whatever it is given, and does no work. An empty contentType is left
// out.
func Answer(status int, contentType, body string) Fault {
	return instead(fmt.Sprintf("answer %d", status), func(*tokenCall) answer {
		return plain(status, contentType, body)
	})
}

// Garbage does the work, and breaks its answer off in the middle of the JSON.
func Garbage() Fault {
	return Fault{name: "garbage", wrap: func(next exchange) exchange {
		return func(ctx context.Context, c *tokenCall) answer {
			a := next(ctx, c)
			a.body = a.body[:len(a.body)/2]
			a.lost = a.granted != nil
			return a
		}
	}}
}

// WithoutRefreshToken lets a refresh keep its refresh token, and the answer have none (RFC
// 6749, section 6).
func WithoutRefreshToken() Fault {
	return asking("without refresh token", func(c *tokenCall) { c.keepRefresh = true })
}

// SameAccessToken lets a refresh hand out the newest access token of the family again, as
// servers with a cache do. Its expires_in is that of a new one.
func SameAccessToken() Fault {
	return asking("same access token", func(c *tokenCall) { c.keepAccess = true })
}

// ExpiresIn puts v into the answer as expires_in; see Options.ExpiresIn, which it overrides.
func ExpiresIn(v any) Fault {
	return asking(fmt.Sprintf("expires in %v", v), func(c *tokenCall) { c.expiresIn = v })
}

// Spent does the work first, and then what f does in its place: Spent(Status(502)) is a lost
// answer behind a gateway.
func Spent(f Fault) Fault {
	return Fault{name: "spent, " + f.name, choose: func(c Call) Fault {
		f := f.resolve(c)
		return Fault{name: "spent, " + f.name, wrap: func(next exchange) exchange {
			return func(ctx context.Context, c *tokenCall) answer {
				done, used := next(ctx, c), false
				a := f.around(func(context.Context, *tokenCall) answer {
					used = true
					return done
				})(ctx, c)
				if !used {
					a.granted, a.lost = done.granted, done.granted != nil
				}
				return a
			}
		}}
	}}
}

// All puts faults together, the first outermost: All(Late(time.Minute), Lost()) loses the
// connection after a minute.
func All(faults ...Fault) Fault {
	return Fault{name: names(faults), choose: func(c Call) Fault {
		var all Fault
		resolved := make([]Fault, len(faults))
		for i, f := range faults {
			resolved[i] = f.resolve(c)
			all.unsent = all.unsent || resolved[i].unsent
		}
		all.name = names(resolved)
		all.wrap = func(next exchange) exchange {
			for i := range resolved {
				next = resolved[len(resolved)-1-i].around(next)
			}
			return next
		}
		return all
	}}
}

// Choose asks for the fault of each call when it arrives; the Call has no Fault, Status and
// Outcome yet. choose may be called concurrently, and may call the Server.
func Choose(choose func(Call) Fault) Fault { return Fault{name: "choose", choose: choose} }

func instead(name string, reply func(*tokenCall) answer) Fault {
	return Fault{name: name, wrap: func(exchange) exchange {
		return func(_ context.Context, c *tokenCall) answer { return reply(c) }
	}}
}

func asking(name string, ask func(*tokenCall)) Fault {
	return Fault{name: name, wrap: func(next exchange) exchange {
		return func(ctx context.Context, c *tokenCall) answer {
			ask(c)
			return next(ctx, c)
		}
	}}
}

func (f Fault) resolve(c Call) Fault {
	for f.choose != nil {
		f = f.choose(c)
	}
	return f
}

func (f Fault) around(next exchange) exchange {
	if f.wrap == nil {
		return next
	}
	return f.wrap(next)
}

func names(faults []Fault) string {
	var list []string
	for _, f := range faults {
		if f.name != "" {
			list = append(list, f.name)
		}
	}
	return strings.Join(list, ", ")
}
