package postgresstore

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strconv"
	"strings"
)

// A message is news on the channel: what, revision, a blank, and the name as in a
// query, since a payload is text. A name that is too long for one is told by its id.
type message struct {
	what     byte
	revision uint64 // of what was saved
	name     string
}

// What messages tell of.
const (
	saved = 's'
	freed = 'f' // a lease
)

// longestName is how many bytes of a name fit beside the rest: a payload has less than
// 8,000.
const longestName = 7900

// byID begins what is no name but the id of one.
const byID = "#"

func (m message) String() string {
	name := url.QueryEscape(m.name)
	if len(name) > longestName {
		name = byID + hex.EncodeToString(id(m.name))
	}
	return string(m.what) + strconv.FormatUint(m.revision, 10) + " " + name
}

// parse returns a message without a name, and an id, where the name was too long.
func parse(text string) (m message, id []byte, ok bool) {
	if text == "" {
		return m, nil, false
	}
	m.what = text[0]
	number, name, ok := strings.Cut(text[1:], " ")
	revision, err := strconv.ParseUint(number, 10, 64)
	if !ok || err != nil {
		return m, nil, false
	}
	m.revision = revision
	if digits, long := strings.CutPrefix(name, byID); long {
		id, err = hex.DecodeString(digits)
	} else {
		m.name, err = url.QueryUnescape(name)
	}
	return m, id, err == nil
}

// id is the key of the row of name.
func id(name string) []byte {
	sum := sha256.Sum256([]byte(name))
	return sum[:]
}
