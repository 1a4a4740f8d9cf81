package client

import (
	"bytes"
	"context"
	"errors"
	"hash/maphash"
	"io"
	"net/http"
	"reflect"
	"strings"
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
	errNoSecondBody   = errors.New("client: Request.GetBody returned neither body nor error")
	errShorter        = errors.New("client: the request body ended earlier at the replay than at the send before, so the replay was broken off")
	errChanged        = errors.New("client: the request body was another at the replay than at the send before, so the replay was broken off")
)

// A body is a request body made fit for a second send. Base never gets it but a
// sending of it, whose Read fails once another send has begun, so that two sends
// never read at once. net/http goes on with the upload after an early response
// (golang/go#51907), and the second body is often the first one rewound: a
// GetBody that seeks, a file. Both sends would then get a part each.
//
// The second body is what GetBody returns. Without GetBody, a body that can seek goes
// back to where it stood, and of another what was read is kept; there Base's Close
// is held back until the last send is over, for a closed file cannot be read
// again. So no one has to wait for Base's Close, which may come at any time (see
// http.RoundTripper).
//
// A nil *body stands for a request that needs no such help.
type body struct {
	getBody func() (io.ReadCloser, error)
	src     io.ReadCloser // without getBody: what all sends read
	seeker  io.Seeker     // src; nil: what was read is kept
	start   int64         // where the seeker stood
	limit   int64         // bytes to keep

	mu    sync.Mutex
	send  int           // counts the sends; only sendings of this one may read
	open  []*sending    // those of this send: more than one where Base asks for more
	reads int           // Reads and calls of getBody under way
	idlec chan struct{} // made by a send that waits for them, closed when there is none

	kept    []byte // what was read from src, unless spoilt
	spoilt  bool   // src failed, or was longer than limit
	longest reach  // of the sends before this one
	size    int64  // of the seeker, from start, as far as it says
	last    bool   // no further send
	closed  bool   // src was closed
}

// A reach is how far a send came.
type reach struct {
	n   int64
	sum uint64 // of the n bytes, for a seeker
}

// A sending is the body of one send.
type sending struct {
	body   *body
	src    io.ReadCloser
	send   int
	pos    int           // next byte of body.kept
	n      int64         // bytes read from src
	sum    *maphash.Hash // of them; nil but for a seeker
	ended  error         // what src ended with; it is not asked again
	closed bool
}

// resendable takes over req's body where a replay will need help with it.
func (t *Transport) resendable(req *http.Request) *body {
	if req.Body == nil || req.Body == http.NoBody || t.MaxReplays < 0 || inMemory(req) {
		return nil
	}
	b := &body{getBody: req.GetBody}
	if b.getBody != nil {
		b.add(req.Body)
		return b
	}
	b.src, b.limit = req.Body, t.ReplayBuffer
	if b.limit == 0 {
		b.limit = 64 << 10
	}
	if s, ok := req.Body.(io.Seeker); ok {
		// An *os.File that is a pipe has the method and cannot do it.
		if start, err := s.Seek(0, io.SeekCurrent); err == nil {
			b.seeker, b.start = s, start
		}
	}
	s := b.add(b.src)
	if b.seeker != nil {
		s.sum = new(maphash.Hash)
	}
	return b
}

// add makes the sending of src. The caller holds b.mu, or is the only one.
func (b *body) add(src io.ReadCloser) *sending {
	s := &sending{body: b, src: src, send: b.send}
	b.open = append(b.open, s)
	return s
}

// memoryGetBody are the functions that http.NewRequest makes for the three readers
// that it knows, and memoryBody is the type of the body beside them.
var memoryGetBody, memoryBody = func() (funcs [3]uintptr, typ reflect.Type) {
	for i, r := range []io.Reader{bytes.NewReader([]byte("x")), strings.NewReader("x"), bytes.NewBufferString("x")} {
		if req, err := http.NewRequest(http.MethodPost, "http://localhost", r); err == nil {
			funcs[i], typ = reflect.ValueOf(req.GetBody).Pointer(), reflect.TypeOf(req.Body)
		}
	}
	return funcs, typ
}()

// inMemory reports whether req's body is as http.NewRequest left it for a
// bytes.Reader, a strings.Reader or a bytes.Buffer. Those are sent as they are:
// net/http recognizes them and writes headers and body in one go.
//
// That is sound because it asks for the code of GetBody, not for what the body
// looks like, which says nothing about a GetBody of the user's own: the code of
// those three closures returns a reader of its own over the same bytes at each
// call, so no two sends share one. Functions with the same code pointer run the
// same code; should a compiler make two copies of it, the copy is not recognized
// and pays for a sending. A declared length is held to by net/http itself, so such a
// replay cannot be shorter either.
func inMemory(req *http.Request) bool {
	if req.GetBody == nil || req.ContentLength <= 0 || reflect.TypeOf(req.Body) != memoryBody {
		return false
	}
	code := reflect.ValueOf(req.GetBody).Pointer()
	return code == memoryGetBody[0] || code == memoryGetBody[1] || code == memoryGetBody[2]
}

// first returns the body for the first send.
func (b *body) first(req *http.Request) io.ReadCloser {
	if b == nil {
		return req.Body
	}
	return b.open[0]
}

// lasts reports whether there can be a further send, as far as is known before it is made.
func (b *body) lasts(req *http.Request) bool {
	if b == nil {
		return req.Body == nil || req.Body == http.NoBody || req.GetBody != nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.getBody != nil || !b.spoilt
}

// again returns the body for a further send. It is false where there can be none;
// then the send before goes on undisturbed, unless it is GetBody that failed.
func (b *body) again(ctx context.Context, req *http.Request) (io.ReadCloser, bool) {
	if b == nil {
		if req.Body == nil || req.Body == http.NoBody {
			return req.Body, true
		}
		if req.GetBody == nil {
			return nil, false
		}
		fresh, err := req.GetBody()
		return fresh, err == nil && fresh != nil
	}

	b.mu.Lock()
	defer b.mu.Unlock()
	b.send++
	if !b.waitIdle(ctx) || b.getBody == nil && (b.spoilt || !b.rewind()) {
		b.send--
		return nil, false
	}
	before := b.open
	b.open = nil
	for _, s := range before {
		if s.n > b.longest.n {
			b.longest.n = s.n
			if s.sum != nil {
				b.longest.sum = s.sum.Sum64()
			}
		}
	}
	if b.getBody != nil {
		fresh, err := b.ask(before)
		if err != nil {
			return nil, false
		}
		return b.add(fresh), true
	}
	s := b.add(b.src)
	if sum := before[0].sum; sum != nil {
		s.sum = new(maphash.Hash)
		s.sum.SetSeed(sum.Seed())
	} else {
		s.ended = before[0].ended
	}
	return s, true
}

// ask calls GetBody, without b.mu. The bodies before, which nothing reads any more, are
// closed first, as net/http does it: a late Close by Base would close the new
// body as well where GetBody returns the old one rewound.
func (b *body) ask(before []*sending) (io.ReadCloser, error) {
	b.mu.Unlock()
	defer b.mu.Lock()
	for _, s := range before {
		_ = s.Close()
	}
	fresh, err := b.getBody()
	if err == nil && fresh == nil {
		err = errNoSecondBody
	}
	return fresh, err
}

// waitIdle waits, without b.mu, for the Reads under way.
func (b *body) waitIdle(ctx context.Context) bool {
	if b.reads == 0 {
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

// leave ends a Read, or a call of getBody.
func (b *body) leave() {
	b.reads--
	if b.reads == 0 && b.idlec != nil {
		close(b.idlec)
		b.idlec = nil
	}
}

// rewind goes back to where the seeker stood, if its Seek is about what its Read
// reads. A struct with an embedded file and a Read of its own has the file's Seek, which knows
// nothing of a limit, a buffer or a decoder. The signs are that it does not stand
// where the send before came to, or that more lies before its end than that send
// found.
func (b *body) rewind() bool {
	if b.seeker == nil {
		return true
	}
	s := b.open[0]
	at, err := b.seeker.Seek(0, io.SeekCurrent)
	if err != nil || at != b.start+s.n {
		return false
	}
	if end, err := b.seeker.Seek(0, io.SeekEnd); err == nil {
		b.size = end - b.start
	}
	if s.ended == nil || s.n >= b.size {
		if _, err = b.seeker.Seek(b.start, io.SeekStart); err == nil {
			return true
		}
	}
	if _, err := b.seeker.Seek(at, io.SeekStart); err != nil {
		b.spoilt, s.ended = true, err
	}
	return false
}

// release says that there is no further send. Src is closed when Base lets go.
func (b *body) release() {
	if b == nil || b.getBody != nil {
		return
	}
	b.mu.Lock()
	b.last = true
	_ = b.closeAndUnlock()
}

func (b *body) closeAndUnlock() error {
	now := b.last && b.open[0].closed && !b.closed
	b.closed = b.closed || now
	b.mu.Unlock()
	if !now {
		return nil
	}
	return b.src.Close()
}

// Close is held back until the last send, but for a body that GetBody replaces.
func (s *sending) Close() error {
	s.body.mu.Lock()
	was := s.closed
	s.closed = true
	if s.body.getBody == nil {
		return s.body.closeAndUnlock()
	}
	s.body.mu.Unlock()
	if was {
		return nil
	}
	return s.src.Close()
}

// another is the GetBody that Base gets: net/http asks for a second body itself
// when a connection was gone. What Base does with several of one send is its
// own affair, as ever; but the next send waits until it has let go of each.
func (s *sending) another() (io.ReadCloser, error) {
	b := s.body
	b.mu.Lock()
	defer b.mu.Unlock()
	if s.send != b.send {
		return nil, errTakenBack
	}
	b.reads++
	fresh, err := b.ask(nil)
	b.leave()
	switch {
	case err != nil:
		return nil, err
	case s.send != b.send:
		_ = fresh.Close()
		return nil, errTakenBack
	}
	return b.add(fresh), nil
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
	case s.send != b.send:
		return 0, errTakenBack
	case s.pos < len(b.kept):
		n := copy(p, b.kept[s.pos:])
		s.pos += n
		return n, nil
	case s.ended != nil:
		return 0, s.ended
	}
	b.reads++
	n, err := s.read(p)
	b.leave()
	if b.src != nil && b.seeker == nil {
		b.keep(p[:n])
		s.pos = len(b.kept)
	} else if other := s.compare(p[:n], err); other != nil {
		n, err = 0, other
	}
	s.n += int64(n)
	s.ended = err
	if err != nil && err != io.EOF {
		b.spoilt = true
	}
	return n, err
}

// read reads src, without b.mu.
func (s *sending) read(p []byte) (int, error) {
	s.body.mu.Unlock()
	defer s.body.mu.Lock()
	return s.src.Read(p)
}

// compare finds what tells that this send reads another body than a send before
// it: it ends earlier, or, where no GetBody promises a copy, it begins otherwise. The
// error must come before Base has all of it, or half a body counts as a whole one.
func (s *sending) compare(p []byte, err error) error {
	b := s.body
	n, known := s.n+int64(len(p)), b.longest.n
	if s.sum != nil {
		if s.n < known && n >= known {
			head := known - s.n
			_, _ = s.sum.Write(p[:head])
			if s.sum.Sum64() != b.longest.sum {
				return errChanged
			}
			p = p[head:]
		}
		_, _ = s.sum.Write(p)
	}
	if err == io.EOF && (n < known || n < b.size) {
		return errShorter
	}
	return nil
}

// keep remembers what src returned.
func (b *body) keep(p []byte) {
	switch {
	case b.spoilt || len(p) == 0:
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
