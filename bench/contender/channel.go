package contender

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

// The textbook actor: its goroutine alone sees the token, so every read is a
// message and an answer. At its best with a mailbox of 1,024 and with answer
// channels that are used again. An actor that offers its token on a channel, asked
// or not, takes about half as long; but its reads pass the mailbox by.
var channelActor = Contender{
	Name:   "channel",
	About:  "by hand: an actor that answers every read through its mailbox (1,024); Request.Clone, Header.Set",
	Cannot: map[string]string{"keys": "a goroutine and a mailbox of 8 KB for each credential"},
	Open: func(job Job) (any, error) {
		a := &mailbox{
			askc:    make(chan question, 1024),
			closec:  make(chan struct{}),
			donec:   make(chan struct{}),
			answers: sync.Pool{New: func() any { return make(chan answer, 1) }},
		}
		go a.loop(job)
		return a, nil
	},
}

// A question is a caller's: for any token, or one that is not the rejected one.
type question struct {
	rejected *heldToken
	answerc  chan answer
}

type answer struct {
	token *heldToken
	err   error
}

type mailbox struct {
	askc    chan question
	closec  chan struct{} // closed by Close
	donec   chan struct{} // closed when the loop has ended
	answers sync.Pool     // of chan answer, empty ones
}

// loop logs in while others wait: that is what an actor without helpers does.
func (a *mailbox) loop(job Job) {
	defer close(a.donec)
	var token *heldToken
	for {
		select {
		case q := <-a.askc:
			if token == q.rejected || time.Until(token.Expiry) <= job.Skew {
				t, err := job.Login(context.Background())
				if err != nil {
					q.answerc <- answer{err: err}
					continue
				}
				token = hold(t)
			}
			q.answerc <- answer{token: token}
		case <-a.closec:
			return
		}
	}
}

var errClosed = errors.New("contender: closed")

func (a *mailbox) Token(ctx context.Context) (*heldToken, error) { return a.Renew(ctx, nil) }

// Renew gives a token that is not the rejected one.
func (a *mailbox) Renew(ctx context.Context, rejected *heldToken) (*heldToken, error) {
	answerc := a.answers.Get().(chan answer)
	select {
	case a.askc <- question{rejected, answerc}:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-a.donec:
		return nil, errClosed
	}
	select {
	case ans := <-answerc:
		a.answers.Put(answerc)
		return ans.token, ans.err
	case <-ctx.Done(): // an answer may still come: this channel is not used again
		return nil, ctx.Err()
	case <-a.donec:
		return nil, errClosed
	}
}

func (a *mailbox) Close() error {
	close(a.closec)
	<-a.donec
	return nil
}

func (a *mailbox) Reads(ctx context.Context, n int) (string, error) {
	var token *heldToken
	for range n {
		var err error
		if token, err = a.Token(ctx); err != nil {
			return "", err
		}
	}
	return token.Access, nil
}

func (a *mailbox) Request(ctx context.Context, send Send) error {
	return heldRequest(ctx, a.Renew, send)
}

func (a *mailbox) Transport(base http.RoundTripper) (http.RoundTripper, error) {
	return &handTransport{a.Token, base}, nil
}
