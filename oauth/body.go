package oauth

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"unicode"
)

// A field is one member of an answer: a string as it is, another value as its
// JSON text.
type field struct {
	text  string
	plain bool // it is a string or a number
}

// An answer is the fields of a JSON object or of a form.
type answer map[string]field

// word is the text of a string or a number, else "".
func (a answer) word(name string) string {
	if f := a[name]; f.plain {
		return f.text
	}
	return ""
}

// object returns the fields of an object inside; nil: it is none.
func (a answer) object(name string) answer {
	if a[name].plain {
		return nil
	}
	inner, _, _ := objectAt([]byte(a[name].text))
	return inner
}

// first returns the fields of the first object of a list; nil: there is none. Where
// the list is one of strings, the first is the field code.
func (a answer) first(name string) answer {
	var list []json.RawMessage
	if a[name].plain || json.Unmarshal([]byte(a[name].text), &list) != nil || len(list) == 0 {
		return nil
	}
	f, ok := parseMember(list[0])
	if ok && f.plain {
		return answer{"code": f}
	}
	inner, _, _ := objectAt(list[0])
	return inner
}

// gunzip unpacks a body that was compressed although the request did not ask for it,
// up to the length of an answer. It returns what it got where that breaks off, and any
// other body as it is.
func gunzip(body []byte) ([]byte, error) {
	if !bytes.HasPrefix(body, []byte{0x1f, 0x8b, 8}) { // RFC 1952 section 2.3.1; no text begins so
		return body, nil
	}
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return body, nil
	}
	return io.ReadAll(io.LimitReader(z, maxAnswer+1))
}

// text takes off a body what no reader of JSON or of forms wants to see.
func text(body []byte) []byte {
	return bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\ufeff")))
}

// read returns the object that a body begins with, or the form that it is. What it is
// labelled as does not count: servers call an object text/html and a form JSON. What
// follows the object does not count either: a proxy may add a comment. form says that
// it is a form that is not called one.
func read(media string, body []byte) (a answer, form, ok bool) {
	body = text(body)
	if bytes.HasPrefix(body, []byte("{")) {
		a, _, err := objectAt(body)
		return a, false, err == nil
	}
	labelled := media == "application/x-www-form-urlencoded"
	a, ok = parseForm(body, labelled)
	return a, ok && !labelled, ok
}

// objectAt reads the object that data begins with, and returns its end.
func objectAt(data []byte) (answer, int, error) {
	value, end, err := valueAt(data)
	if err != nil {
		return nil, end, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(value, &members); err != nil || members == nil {
		return nil, end, errNoObject
	}
	a := make(answer, len(members))
	for name, raw := range members {
		if f, ok := parseMember(raw); ok {
			a[name] = f
		}
	}
	return a, end, nil
}

var errNoObject = errors.New("no object")

// valueAt reads the JSON value that data begins with, and returns its end, or how far
// it was looked at.
func valueAt(data []byte) (json.RawMessage, int, error) {
	var value json.RawMessage
	d := json.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&value); err != nil {
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, int(syntax.Offset), err
		}
		return nil, len(data), err
	}
	return value, int(d.InputOffset()), nil
}

// parseMember returns no field for null, with which some servers say "absent".
func parseMember(raw json.RawMessage) (field, bool) {
	switch raw[0] {
	case 'n':
		return field{}, false
	case '"':
		var s string
		err := json.Unmarshal(raw, &s)
		return field{s, true}, err == nil
	case '{', '[', 't', 'f':
		return field{string(raw), false}, true
	}
	return field{string(raw), true}, true
}

// parseForm reads a form. A text that is not labelled as one has to look like it: one
// line of pairs, each with a name. In a page with an address in it the first "name" is
// the page before the address.
func parseForm(body []byte, labelled bool) (answer, bool) {
	if bytes.HasPrefix(body, []byte("<")) {
		return nil, false
	}
	if !labelled && (!bytes.ContainsRune(body, '=') || bytes.ContainsFunc(body, unicode.IsControl)) {
		return nil, false
	}
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, false
	}
	a := make(answer, len(values))
	for name := range values {
		if !labelled && strings.Trim(name, nameLetters) != "" {
			return nil, false
		}
		a[name] = field{values.Get(name), true}
	}
	return a, true
}

const nameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.[]"

// maxSearch bounds the work of search on a text that is made to cost much: bytes that
// were looked at for nothing.
const maxSearch = 4 * maxAnswer

// search looks through a text for the one object with the field needed: behind a
// notice of PHP, or in a call of a function. It has to be the only one, or the text is
// rather a page about such answers; it must not be part of another value, whose
// meaning is not known; and it needs another field that answers with tokens have.
func search(body []byte, needed string) answer {
	if !bytes.Contains(body, []byte(`"`+needed+`"`)) {
		return nil
	}
	var found answer
	depth, wasted := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '}', ']':
			depth = max(depth-1, 0)
			continue
		case '{', '[':
		default:
			continue
		}
		if depth > 0 {
			depth++ // inside of what is no JSON, such as a script
			continue
		}
		a, end, err := objectAt(body[i:])
		switch {
		case err == nil && a.word(needed) != "":
			if found != nil {
				return nil
			}
			found = a
			i += end - 1
		case err == nil || err == errNoObject:
			i += end - 1
		case errors.Is(err, io.ErrUnexpectedEOF):
			return nil // all that follows is inside of it
		default:
			depth++
			if wasted += end; wasted > maxSearch {
				return nil
			}
		}
	}
	for _, name := range []string{"token_type", "refresh_token", "expires_in", "expires_in_sec", "expires_at", "expires_on"} {
		if found.word(name) != "" {
			return found
		}
	}
	return nil
}
