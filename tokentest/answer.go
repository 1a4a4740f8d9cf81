package tokentest

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// answer is what a call comes to, in memory as on loopback.
type answer struct {
	status int
	header http.Header
	body   []byte
	dead   error // not nil: the connection ends with this in place of an answer

	granted *granted // not nil: the call issued tokens
	lost    bool     // and this answer does not carry them

	noted note // in the log
}

// granted is the work of a token call.
type granted struct {
	family *family
	serial int // of the refresh token issued; 0: none
}

var (
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
)

func plain(status int, contentType, body string) answer {
	a := answer{status: status, header: http.Header{}, body: []byte(body)}
	if contentType != "" {
		a.header.Set("Content-Type", contentType)
	}
	return a
}

func jsonAnswer(status int, v any) answer {
	body, err := json.Marshal(v)
	if err != nil {
		panic("tokentest: Options.ExpiresIn is not JSON: " + err.Error())
	}
	a := plain(status, "application/json", "")
	a.body = body
	return a
}

// write sends a over a real connection.
func (a answer) write(w http.ResponseWriter, now time.Time) {
	if a.dead != nil {
		reset(w)
		return
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	w.Write(a.body) // an error means that the caller has left, which its context tells
}

// reset ends the connection the hard way, so that the caller sees a reset where an orderly
// close would look like the end of an idle connection, after which net/http sends again.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler) // HTTP/2, or somebody's recorder
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// response is a for the in-memory caller of r.
func (a answer) response(r *http.Request, now time.Time) *http.Response {
	header := maps.Clone(a.header)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Date", now.UTC().Format(http.TimeFormat))
	header.Set("Content-Length", strconv.Itoa(len(a.body)))
	resp := &http.Response{
		Status:        strconv.Itoa(a.status) + " " + http.StatusText(a.status),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(bytes.NewReader(a.body)),
		ContentLength: int64(len(a.body)),
		Request:       r,
	}
	if r.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	return resp
}
