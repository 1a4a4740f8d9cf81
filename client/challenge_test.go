package client

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// String writes a challenge as RFC 9110 does, in one spelling.
func (c challenge) String() string {
	var params []string
	if c.token68 != "" {
		params = append(params, c.token68)
	}
	for _, name := range slices.Sorted(maps.Keys(c.params)) {
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(c.params[name])
		params = append(params, fmt.Sprintf(`%s="%s"`, name, quoted))
	}
	return strings.TrimRight(c.scheme+" "+strings.Join(params, ", "), " ")
}

func TestParseChallenges(t *testing.T) {
	for _, test := range []struct {
		fields []string
		want   []string
	}{
		{nil, nil},
		{[]string{"", " ,, ,"}, nil},
		{[]string{"Bearer"}, []string{"Bearer"}},
		{[]string{`Bearer realm="a, b", error="invalid_token"`}, []string{`Bearer error="invalid_token", realm="a, b"`}},
		{[]string{`Newauth realm="apps", type=1, title="Login to \"apps\"", Basic realm="simple"`},
			[]string{`Newauth realm="apps", title="Login to \"apps\"", type="1"`, `Basic realm="simple"`}},
		{[]string{"Negotiate, Basic YWJj==, Bearer"}, []string{"Negotiate", "Basic YWJj==", "Bearer"}},
		{[]string{"Basic YQ==, realm=x"}, []string{"Basic YQ=="}},
		{[]string{"Bearer a=b"}, []string{`Bearer a="b"`}},
		{[]string{"Bearer a="}, []string{"Bearer a="}},
		{[]string{"Bearer  , error = x"}, []string{`Bearer error="x"`}},
		{[]string{"DPoP algs=\"ES256\",\terror=\"use_dpop_nonce\""}, []string{`DPoP algs="ES256", error="use_dpop_nonce"`}},
		{[]string{`Bearer ERROR=x, error=y`}, []string{`Bearer error="x"`}},
		{[]string{`Basic realm="x"`, `error="stray"`, `Bearer error=z`}, []string{`Basic realm="x"`, `Bearer error="z"`}},
		{[]string{`Bearer realm="no end, error=x`}, []string{`Bearer realm="no end, error=x"`}},
		{[]string{`Bearer realm="ends in \`}, []string{`Bearer realm="ends in "`}},
		{[]string{`@"a, b=c", Bearer error=x`}, []string{`Bearer error="x"`}},
		{[]string{`Bearer x=@y, error=z`}, []string{`Bearer error="z", x=""`}},
	} {
		var got []string
		for _, c := range parseChallenges(test.fields) {
			got = append(got, c.String())
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%q: got %q, want %q", test.fields, got, test.want)
		}
	}
}

// Whatever a server sends, what is read of it is read again from its own spelling.
func FuzzParseChallenges(f *testing.F) {
	for _, seed := range []string{`Bearer realm="a\"b", error=invalid_token`, "Basic YQ==, Negotiate", `a b=c, d="`, `,"x,y`, "a = b ,c d=="} {
		f.Add(seed, "Bearer")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		list := parseChallenges([]string{one, two})
		var fields []string
		for _, c := range list {
			if c.scheme == "" || c.token68 != "" && c.params != nil {
				t.Errorf("%q, %q: no challenge of the grammar: %#v", one, two, c)
			}
			fields = append(fields, c.String())
		}
		again := parseChallenges([]string{strings.Join(fields, ", ")})
		if fmt.Sprint(again) != fmt.Sprint(list) {
			t.Errorf("%q, %q were read as %v, and that as %v", one, two, list, again)
		}
	})
}
