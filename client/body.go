package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"
)

// letGo is how long a replay waits for Base to come back from a Read of the body
// that it is to send again. Files and buffers answer in less. A producer that
// takes longer may be one that writes only after it has seen the response, and
// waiting for that one would be a deadlock.
const letGo = time.Second

var (
	errReadAfterClose = errors.New("client: request body read after its Close")
	errTakenBack      = errors.New("client: request body taken back for a replay")
)

// A body is a request body without a GetBody, made fit for a second send: one
// that can seek goes back to where it stood, of another what was read is kept.
// Base never gets it but a sending of it, whose Close is held back until the
// last send is over, for a closed file cannot be read again, and whose Read fails
// once another send has begun. So nobody has to wait for Base's Close, which
// may come at any time (see http.RoundTripper).
//
// A nil *body stands for a request that needs no such help.
type body struct {
	src    io.ReadCloser
	seeker io.Seeker // nil: what was read is kept
	start  int64     // where the seeker stood
	limit  int64     // bytes to keep

	mu      sync.Mutex
	current *sending      // the only one that may read
	kept    []byte        // what was read from src, unless spoilt
	spoilt  bool          // src failed, or gave more than limit
	ended   error         // what src ended with; it is not asked again
	reading bool          // a Read of src is under way
	idlec   chan struct{} // made by who waits for it to return, closed when it does
	last    bool          // no further send
	closed  bool          // src was closed
}

// A sending is the body of one send.
type sending struct {
	body   *body
	pos    int // next byte of body.kept
	closed bool
}

// resendable takes over req's body where a replay will need help with it.
func (t *Transport) resendable(req *http.Request) *body {
	if req.Body == nil || req.Body == http.NoBody || req.GetBody != nil || t.MaxReplays < 0 {
		return nil
	}
	b := &body{src: req.Body, limit: t.ReplayBuffer}
	if b.limit == 0 {
		b.limit = 64 << 10
	}
	if s, ok := req.Body.(io.Seeker); ok {
		// An *os.File that is a pipe has the method and cannot do it.
		if start, err := s.Seek(0, io.SeekCurrent); err == nil {
			b.seeker, b.start = s, start
		}
	}
	b.current = &sending{body: b}
	return b
}

// first gives the body for the first send.
func (b *body) first(req *http.Request) io.ReadCloser {
	if b == nil {
		return req.Body
	}
	return b.current
}

// again gives the body for a further send. It is false where there can be none;
// then the send before goes on undisturbed.
func (b *body) again(ctx context.Context, req *http.Request) (io.ReadCloser, bool) {
	if b == nil {
		if req.Body == nil || req.Body == http.NoBody {
			return req.Body, true
		}
		if req.GetBody == nil {
			return nil, false
		}
		fresh, err := req.GetBody()
		return fresh, err == nil
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.current
	b.current = &sending{body: b}
	if !b.waitIdle(ctx) || b.spoilt || !b.rewind() {
		b.current = before
		return nil, false
	}
	return b.current, true
}

// waitIdle waits, without b.mu, for the Read under way.
func (b *body) waitIdle(ctx context.Context) bool {
	if !b.reading {
		return true
	}
	limit := time.NewTimer(letGo)
	defer limit.Stop()
	idlec := make(chan struct{})
	b.idlec = idlec
	b.mu.Unlock()
	defer b.mu.Lock()
	select {
	case <-idlec:
		return true
	case <-limit.C:
	case <-ctx.Done():
	}
	return false
}

func (b *body) rewind() bool {
	if b.seeker == nil {
		return true
	}
	if _, err := b.seeker.Seek(b.start, io.SeekStart); err != nil {
		b.spoilt, b.ended = true, err
		return false
	}
	b.ended = nil
	return true
}

// release says that there is no further send. Src is closed when Base lets go.
func (b *body) release() {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.last = true
	_ = b.closeAndUnlock()
}

func (b *body) closeAndUnlock() error {
	now := b.last && b.current.closed && !b.closed
	b.closed = b.closed || now
	b.mu.Unlock()
	if !now {
		return nil
	}
	return b.src.Close()
}

// Close is held back until the last send.
func (s *sending) Close() error {
	s.body.mu.Lock()
	s.closed = true
	return s.body.closeAndUnlock()
}

// Read reads what is kept, then src. It holds no lock while it waits for src,
// so that Base can close a body that never answers.
func (s *sending) Read(p []byte) (int, error) {
	b := s.body
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case s.closed:
		return 0, errReadAfterClose
	case s != b.current:
		return 0, errTakenBack
	case s.pos < len(b.kept):
		n := copy(p, b.kept[s.pos:])
		s.pos += n
		return n, nil
	case b.ended != nil:
		return 0, b.ended
	}
	b.reading = true
	b.mu.Unlock()
	n, err := b.src.Read(p)
	b.mu.Lock()
	b.reading = false
	if b.idlec != nil {
		close(b.idlec)
		b.idlec = nil
	}
	b.keep(p[:n], err)
	s.pos = len(b.kept)
	return n, err
}

// keep remembers what src gave.
func (b *body) keep(p []byte, err error) {
	if err != nil {
		b.ended = err
	}
	switch {
	case err != nil && err != io.EOF:
		b.spoilt = true
	case b.seeker != nil || b.spoilt || len(p) == 0:
	case int64(len(b.kept)+len(p)) <= b.limit:
		b.kept = append(b.kept, p...)
	default:
		b.spoilt, b.kept = true, nil
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}
