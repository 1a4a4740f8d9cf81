package client

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// aheadLimit is how much of a response's body is read ahead: 64 KiB.
	aheadLimit = 64 << 10

	// aheadTime is how long a body that is read ahead may take.
	aheadTime = time.Second
)

// ErrBodyCut is what the body of a rejecting response ends with when it was longer
// than 64 KiB or not there after a second, and the request went on waiting for the
// renewal: its connection had to be closed by then, for the renewal may need it.
// What was read until then comes first.
var ErrBodyCut = errors.New("client: the rest of this response was cut off: it was longer than 64 KiB or took more than a second, and the renewal of the token took longer")

// An ahead is a response's body that is read ahead, up to limit, while something
// else goes on. Its goroutine is in no more than one Read of src when the caller
// has got the body or has closed it.
type ahead struct {
	src   io.ReadCloser
	limit int
	begun time.Time
	timer *time.Timer // cuts the body off, if it is to be

	mu      sync.Mutex
	head    []byte        // what was read ahead
	pos     int           // the next byte of it for the caller
	err     error         // what the body ends with after head
	enough  bool          // the caller's own Reads go on from here
	closed  bool          // by the caller
	closing atomic.Bool   // the Close of src has begun
	donec   chan struct{} // closed when nothing more is read ahead
	once    sync.Once     // of donec
}

// readAhead begins to read resp's body ahead. A nil *ahead stands for no body. resp
// is changed here and not when its body is given back: the Read of a cache beneath
// looks at resp when it has come to the end.
func readAhead(resp *http.Response, limit int64) *ahead {
	if resp.Body == nil || resp.Body == http.NoBody {
		return nil
	}
	// One byte more than the limit tells the end.
	a := &ahead{src: resp.Body, limit: int(min(limit, math.MaxInt-1)), begun: time.Now(), donec: make(chan struct{})}
	resp.Body = a
	go a.run()
	return a
}

// hold reads ahead the body of a response that a replay may take the place of, and
// cuts it off after aheadTime.
func hold(resp *http.Response) *ahead {
	a := readAhead(resp, aheadLimit)
	if a != nil {
		a.mu.Lock()
		a.timer = time.AfterFunc(aheadTime, a.cut)
		a.mu.Unlock()
	}
	return a
}

func (a *ahead) run() {
	defer a.done()
	a.mu.Lock()
	for a.err == nil && !a.enough && !a.closed && len(a.head) <= a.limit {
		if len(a.head) == cap(a.head) {
			a.head = append(a.head, make([]byte, max(512, len(a.head)))...)[:len(a.head)]
		}
		n, err := a.read(a.head[len(a.head):min(cap(a.head), a.limit+1)])
		if a.err == nil {
			a.head, a.err = a.head[:len(a.head)+n], err
		}
	}
	ended := a.err != nil
	a.mu.Unlock()
	if ended {
		_ = a.closeSrc() // which frees its connection
	}
}

// read reads src, without a.mu.
func (a *ahead) read(p []byte) (int, error) {
	a.mu.Unlock()
	defer a.mu.Lock()
	return a.src.Read(p)
}

func (a *ahead) done() { a.once.Do(func() { close(a.donec) }) }

// closeSrc closes src, if that has not begun yet.
func (a *ahead) closeSrc() error {
	if a.closing.Swap(true) {
		return nil
	}
	return a.src.Close()
}

// cut ends a body that has not ended by itself. No one waits for its Close, which
// may not return before a Read that hangs.
func (a *ahead) cut() {
	a.mu.Lock()
	now := a.err == nil && !a.enough && !a.closed
	if now {
		a.err = ErrBodyCut
	}
	if a.err != nil {
		a.done()
	}
	a.mu.Unlock()
	if now {
		_ = a.closeSrc()
	}
}

// wait waits until nothing more is read ahead, and reports whether ctx let it.
func (a *ahead) wait(ctx context.Context) bool {
	if a == nil {
		return true
	}
	select {
	case <-a.donec:
		return true
	case <-ctx.Done():
		return false
	}
}

// giveBack leaves the rest of the body to its caller's own Reads. It waits for the
// one under way, as long as a body may take: most are over by then, and the caller
// gets a response that nothing else is at work with.
func (a *ahead) giveBack() {
	if a == nil {
		return
	}
	a.mu.Lock()
	a.enough = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	patience := time.NewTimer(aheadTime - time.Since(a.begun))
	defer patience.Stop()
	select {
	case <-a.donec:
	case <-patience.C:
	}
}

func (a *ahead) Read(p []byte) (int, error) {
	a.mu.Lock()
	if a.pos == len(a.head) && a.err == nil && !a.closed {
		a.mu.Unlock()
		<-a.donec
		a.mu.Lock()
	}
	switch {
	case a.closed:
		a.mu.Unlock()
		return 0, http.ErrBodyReadAfterClose
	case a.pos < len(a.head):
		n := copy(p, a.head[a.pos:])
		a.pos += n
		a.mu.Unlock()
		return n, nil
	case a.err != nil:
		a.mu.Unlock()
		return 0, a.err
	}
	a.mu.Unlock()
	return a.src.Read(p)
}

// Close closes the body, in the middle of a Read as well.
func (a *ahead) Close() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	a.closed = true
	if a.timer != nil {
		a.timer.Stop()
	}
	a.mu.Unlock()
	return a.closeSrc()
}
