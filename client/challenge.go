package client

import "strings"

// A challenge is one of those in WWW-Authenticate (RFC 9110 section 11.6.1).
type challenge struct {
	scheme  string
	token68 string            // "" where there are parameters
	params  map[string]string // names in lower case
}

// parseChallenges reads all challenges of all fields. What is not grammar is
// skipped up to the next comma: a server that writes it badly still said 401.
func parseChallenges(fields []string) []challenge {
	var list []challenge
	for _, s := range fields {
		first := len(list) // parameters belong to a challenge of their own field
		for s = strings.TrimLeft(s, " \t,"); s != ""; s = strings.TrimLeft(s, " \t,") {
			name, rest := leading(s, isTokenByte)
			if name == "" {
				s = nextElement(s)
				continue
			}
			if value, isParam := strings.CutPrefix(skipSpace(rest), "="); isParam {
				value, s = paramValue(skipSpace(value))
				if len(list) > first && list[len(list)-1].token68 == "" {
					list[len(list)-1].add(name, value)
				}
				continue
			}
			var c challenge
			c.scheme = name
			c.token68, s = token68(rest)
			list = append(list, c)
		}
	}
	return list
}

// add keeps the first of two parameters with one name, which RFC 9110 section
// 11.2 forbids.
func (c *challenge) add(name, value string) {
	name = strings.ToLower(name)
	if c.params == nil {
		c.params = make(map[string]string)
	}
	if _, twice := c.params[name]; !twice {
		c.params[name] = value
	}
}

// paramValue reads a token or a quoted string. A quoted string without an end
// ends with the field.
func paramValue(s string) (value, rest string) {
	if s == "" || s[0] != '"' {
		return leading(s, isTokenByte)
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), s[i+1:]
		case '\\':
			if i++; i == len(s) {
				return b.String(), ""
			}
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}

// token68 reads what may follow a scheme in place of parameters. "" and s where
// there is none: in `Bearer a=b` the a is a parameter, in `Basic YQ==` it is not.
func token68(s string) (value, rest string) {
	if skipSpace(s) == s {
		return "", s
	}
	body, rest := leading(skipSpace(s), isToken68Byte)
	padding, rest := leading(rest, func(c byte) bool { return c == '=' })
	if end := skipSpace(rest); body == "" || end != "" && end[0] != ',' {
		return "", s
	}
	return body + padding, rest
}

// nextElement skips to the next comma outside a quoted string.
func nextElement(s string) string {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ',':
			return s[i:]
		case '"':
			_, rest := paramValue(s[i:])
			i = len(s) - len(rest) - 1
		}
	}
	return ""
}

func leading(s string, is func(byte) bool) (head, rest string) {
	i := 0
	for i < len(s) && is(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

func skipSpace(s string) string { return strings.TrimLeft(s, " \t") }

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// isTokenByte is tchar of RFC 9110 section 5.6.2.
func isTokenByte(c byte) bool { return isAlnum(c) || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0 }

func isToken68Byte(c byte) bool { return isAlnum(c) || strings.IndexByte("-._~+/", c) >= 0 }
