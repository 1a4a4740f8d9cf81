package redisstore

import "strings"

// The fields of a record's hash.
const (
	fieldRevision = "revision"
	fieldRecord   = "record"
)

// A name may have braces, but the hash tag ends at the first closing one.
var (
	escaper   = strings.NewReplacer("%", "%25", "{", "%7B", "}", "%7D")
	unescaper = strings.NewReplacer("%25", "%", "%7B", "{", "%7D", "}")
)

// key is the record's: prefix, and the name as the hash tag.
func (s *Store) key(name string) string { return s.prefix + "{" + escaper.Replace(name) + "}" }

func (s *Store) leaseKey(name string) string { return s.key(name) + ":lease" }

// name is the one whose record has that key; false: it is the key of something else.
func (s *Store) name(key string) (string, bool) {
	tag, ok := strings.CutPrefix(key, s.prefix+"{")
	if !ok {
		return "", false
	}
	tag, ok = strings.CutSuffix(tag, "}")
	return unescaper.Replace(tag), ok
}

// channel is where news is published.
func (s *Store) channel() string { return s.prefix + "news" }

// pattern matches the keys of all records; what means more in a pattern is escaped.
func (s *Store) pattern() string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`, "]", `\]`).Replace(s.prefix) + "{*}"
}
