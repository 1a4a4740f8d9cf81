package manager

import "strings"

// foreignTypes are the schemes of IANA's registry "HTTP Authentication Schemes" (RFC 9110
// section 16.4.1), and the types of its registry "OAuth Access Token Types" (RFC 6749
// section 11.1), but for Bearer and DPoP, in small letters. MAC is of a draft that
// RFC 6749 section 7.1 names.
var foreignTypes = map[string]bool{
	"basic": true, "concealed": true, "digest": true, "gnap": true, "hoba": true, "mutual": true, "negotiate": true,
	"oauth": true, "privatetoken": true, "scram-sha-1": true, "scram-sha-256": true, "vapid": true,
	"mac": true, "n_a": true, "pop": true,
}

// UnsendableType reports whether a token of that token_type is not one that a request can
// carry as it is: its scheme wants something else, a signature or a password, or it says N_A
// (RFC 8693 section 2.2.1). It is false for Bearer, DPoP and every name that no registry
// has. Letters may be of either case. A Refresher that reads a token_type leaves Type as it
// is where this is true: the manager then keeps the refresh token, and sends no such token.
func UnsendableType(name string) bool { return foreignTypes[strings.ToLower(name)] }

// validType reports whether a scheme of that name can be (RFC 9110 section 11.1).
func validType(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool { return !tokenChar(r) })
}

// tokenChar is tchar (RFC 9110 section 5.6.2).
func tokenChar(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r < 0x80 && strings.ContainsRune("!#$%&'*+-.^_`|~", r)
}
