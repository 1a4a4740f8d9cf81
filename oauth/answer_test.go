package oauth_test

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
)

const (
	asForm = "application/x-www-form-urlencoded; charset=utf-8"
	asText = "text/plain"
	asHTML = "text/html; charset=utf-8"
)

// describe writes down a token, secrets and all.
func describe(t manager.Token) string {
	s := []string{t.AccessToken.Reveal()}
	add := func(name string, value any, zero bool) {
		if !zero {
			s = append(s, fmt.Sprintf("%s=%v", name, value))
		}
	}
	add("type", t.Type, t.Type == "")
	add("refresh", t.RefreshToken.Reveal(), t.RefreshToken.IsZero())
	add("life", t.ExpiresIn, t.ExpiresIn == 0)
	add("expiry", t.Expiry, t.Expiry.IsZero())
	add("due", t.RefreshIn, t.RefreshIn == 0)
	add("refreshlife", t.RefreshExpiresIn, t.RefreshExpiresIn == 0)
	add("refreshexpiry", t.RefreshExpiry, t.RefreshExpiry.IsZero())
	add("scope", t.Scope, t.Scope == "")
	for _, name := range slices.Sorted(maps.Keys(t.Extra)) {
		add("+"+name, t.Extra[name].Reveal(), false)
	}
	return strings.Join(s, " ")
}

// Scenarios 13 and 22, the part of the token endpoint.
func TestScenario22Answers(t *testing.T) {
	for _, test := range []struct{ media, body, want string }{
		// As it should be.
		{"", `{"access_token":"A","token_type":"Bearer","expires_in":3600,"refresh_token":"R","scope":"read"}`,
			"A type=Bearer refresh=R life=1h0m0s scope=read"},
		{"", `{"access_token":"A"}`, "A"},

		// expires_in.
		{"", `{"access_token":"A","expires_in":"3600","scope":"s"}`, "A life=1h0m0s scope=s"},
		{"", `{"access_token":"A","expires_in":" 60 ","scope":"s"}`, "A life=1m0s scope=s"},
		{"", `{"access_token":"A","expires_in":30,"scope":"s"}`, "A life=30s scope=s"},
		{"", `{"access_token":"A","expires_in":0.5,"scope":"s"}`, "A life=500ms scope=s"},
		{"", `{"access_token":"A","expires_in":3.6e3,"scope":"s"}`, "A life=1h0m0s scope=s"},
		{"", `{"access_token":"A","expires_in":0,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":"0","scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":-1,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":-1e99,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":1e-30,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":0,"refresh_token":"R","scope":"s"}`, "A refresh=R life=-1s scope=s"},
		{"", `{"access_token":"A","expires_in":"-1","refresh_token":"R","scope":"s"}`, "A refresh=R life=-1s scope=s"},
		{"", `{"access_token":"A","expires_in":3600000,"expires_in_sec":3600,"scope":"s"}`, "A life=1h0m0s scope=s"},
		{"", `{"access_token":"A","expires_in":60,"expires_in_sec":null,"scope":"s"}`, "A life=1m0s scope=s"},
		{"", `{"access_token":"A","expires_in":0,"expires_on":"946688400","scope":"s"}`, "A life=1h0m0s scope=s +expires_on=946688400"},
		{"", `{"access_token":"A","expires_in":315360000,"scope":"s"}`, "A life=87600h0m0s scope=s"},
		{"", `{"access_token":"A","expires_in":9223372036854775807,"scope":"s"}`, "A life=876000h0m0s scope=s"},
		{"", `{"access_token":"A","expires_in":1e999,"scope":"s"}`, "A life=876000h0m0s scope=s"},
		{"", `{"access_token":"A","expires_in":null,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":"","scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":"soon","scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":"NaN","scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":true,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_in":{"seconds":3600},"scope":"s"}`, "A scope=s"},

		// The other lives.
		{"", `{"access_token":"A","refresh_in":"1800","scope":"s"}`, "A due=30m0s scope=s"},
		{"", `{"access_token":"A","refresh_in":-5,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","refresh_expires_in":1800,"scope":"s"}`, "A refreshlife=30m0s scope=s"},
		{"", `{"access_token":"A","refresh_token_expires_in":"86400","scope":"s"}`, "A refreshlife=24h0m0s scope=s"},
		{"", `{"access_token":"A","refresh_expires_in":0,"scope":"s"}`, "A scope=s"},

		// Dates, from 2000-01-01 on, by the server's clock where it has one; what is past
		// is no end.
		{"", `{"access_token":"A","refresh_expires_at":946771200,"scope":"s"}`, "A refreshlife=24h0m0s scope=s"},
		{"", `{"access_token":"A","refresh_token_expires_at":"2000-01-02T00:00:00Z","scope":"s"}`, "A refreshlife=24h0m0s scope=s"},
		{"", `{"access_token":"A","refresh_expires_at":946771200,"refresh_expires_in":60,"scope":"s"}`, "A refreshlife=1m0s scope=s"},
		{"", `{"access_token":"A","refresh_expires_at":86400,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","refresh_expires_at":"tomorrow","scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","expires_at":"2000-01-01T01:00:00+00:00","scope":"s"}`, "A life=1h0m0s scope=s +expires_at=2000-01-01T01:00:00+00:00"},
		{"", `{"access_token":"A","expires_on":"946688400","scope":"s"}`, "A life=1h0m0s scope=s +expires_on=946688400"},
		{"", `{"access_token":"A","expires_in":60,"expires_at":946688400,"scope":"s"}`, "A life=1m0s scope=s +expires_at=946688400"},
		{"", `{"access_token":"A","expires_at":946688400000,"scope":"s"}`, "A life=1h0m0s scope=s +expires_at=946688400000"},
		{"", `{"access_token":"A","expires_on":"946688400500","scope":"s"}`, "A life=1h0m0.5s scope=s +expires_on=946688400500"},
		{"", `{"access_token":"A","refresh_expires_at":946771200000,"scope":"s"}`, "A refreshlife=24h0m0s scope=s"},
		{"", `{"access_token":"A","expires_at":1e999,"scope":"s"}`, "A life=876000h0m0s scope=s +expires_at=1e999"},
		{"", `{"access_token":"A","expires_at":3600,"scope":"s"}`, "A scope=s +expires_at=3600"},

		// The refresh token: without a usable one, the one before stays (scenario 13).
		{"", `{"access_token":"A","refresh_token":"","scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","refresh_token":null,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","refresh_token":false,"scope":"s"}`, "A scope=s"},
		{"", `{"access_token":12345,"refresh_token":67890,"scope":"s"}`, "12345 refresh=67890 scope=s"},

		// Scopes and what is not standard.
		{"", `{"access_token":"A","scope":["read","write"]}`, "A scope=read write"},
		{"", `{"access_token":"A","scope":{"read":true}}`, "A"},
		{"", `{"access_token":"A","scope":"s","id_token":"e.y.J","user":{"id": 7},"n":1.0,"ok":true,"no":null,"empty":""}`,
			`A scope=s +id_token=e.y.J +n=1.0 +ok=true +user={"id": 7}`},
		{"", `{"Access_Token":"B","access_token":"A","scope":"s"}`, "A scope=s +Access_Token=B"},
		{"", `{"access_token":"B","access_token":"A","scope":"s"}`, "A scope=s"},

		{"", `{"access_token":"A","scope":"s\u001b[2J\nt"}`, "A scope=s [2J t"},

		// An error beside a token: it may have cost the refresh token, so it counts.
		{"", `{"access_token":"A","error":"","error_description":"","scope":"s"}`, "A scope=s"},
		{"", `{"access_token":"A","error":"none","scope":"s"}`, "A scope=s"},

		// Other forms.
		{"", "\ufeff \n{\"access_token\":\"A\",\"scope\":\"s\"}\n", "A scope=s"},
		{asHTML, `{"access_token":"A","scope":"s"}`, "A scope=s"},
		{asText, `{"access_token":"A","scope":"s"}`, "A scope=s"},
		{asText, `access_token=A&expires=5183999&scope=read%2Cwrite`, "A scope=read,write +expires=5183999"},
		{asForm, `access_token=A%26&token_type=bearer&expires_in=60&refresh_token=R&scope=s`,
			"A& type=bearer refresh=R life=1m0s scope=s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			w := answering(200, test.body, "Content-Type", cmp.Or(test.media, "application/json"))
			w.delay = 3 * time.Second // lives count from the sending
			got, err := spend(t, w)
			if err != nil {
				t.Errorf("%s: %v", test.body, err)
			} else if got := describe(got); got != test.want {
				t.Errorf("%s\n got %s\nwant %s", test.body, got, test.want)
			}
		})
	}
}

// What a token_type makes of a token: what the Authorization header is, or that the
// token is not sent while its refresh token is kept.
func TestTokenTypes(t *testing.T) {
	for answered, want := range map[string]string{
		`"Bearer"`: "Bearer A", `"bearer"`: "Bearer A", `"bEARER"`: "Bearer A", `""`: "Bearer A", `null`: "Bearer A", `7`: "Bearer A",
		`" bearer\n"`: "Bearer A", `["Bearer"]`: "Bearer A",
		`"DPoP"`: "DPoP A", `"dpop"`: "DPoP A",
		`"bot"`: "Bearer A", `"user"`: "Bearer A", `"BearerToken"`: "Bearer A", `"User Access Token"`: "Bearer A",
		`"Application Access Token"`: "Bearer A", `"Bearer\u001b[2J\nlevel=ERROR msg=forged"`: "Bearer A", `"Bearer\r\nX-Injected: b"`: "Bearer A",
		`"mac"`: "", `"MAC"`: "", `"PoP"`: "", `"Basic"`: "", `"basic"`: "", `"N_A"`: "", `"Digest"`: "", `"HOBA"`: "", `"Mutual"`: "",
		`"Negotiate"`: "", `"OAuth"`: "", `"SCRAM-SHA-256"`: "", `"vapid"`: "", `"GNAP"`: "", `"PrivateToken"`: "", `" mac "`: "",
	} {
		inBubble(t, answered, func(t *testing.T) {
			w := &wire{}
			w.answer = func(r *http.Request) (*http.Response, error) {
				if len(w.sent) > 1 {
					return response(200, `{"access_token":"B","refresh_token":"at-r3"}`), nil
				}
				return response(200, `{"access_token":"A","refresh_token":"at-r2","token_type":`+answered+`}`), nil
			}
			c := begin(t, manager.Config{}).Manage("user", oauth.RefreshToken(userConfig(), w.options()))
			install(t, c, manager.Token{RefreshToken: manager.NewSecret("at-r1")})
			got, err := c.Token(t.Context())
			if want != "" {
				if err != nil || got.Authorization()[0] != want || strings.ContainsAny(fmt.Sprint(got), "\x1b\r\n") {
					t.Errorf("got %v, %v, want %s", got, err, want)
				}
				return
			}
			name := strings.Trim(answered, "\" ")
			if err == nil || !strings.Contains(err.Error(), "the token_type "+name+": it is not sent") {
				t.Errorf("got %v, %v, want an error that names the type", got, err)
			}
			time.Sleep(time.Minute)
			if got, err = c.Token(t.Context()); err != nil || got.Authorization()[0] != "Bearer B" || w.sent[1].form.Get("refresh_token") != "at-r2" {
				t.Errorf("later: got %v, %v, sent %v, want the next token for the refresh token of the answer", got, err, w.sent[1:])
			}
		})
	}
}

// A login that was answered with such a token says so at Install.
func TestTokenTypeOfALogin(t *testing.T) {
	w := answering(200, `{"access_token":"A","refresh_token":"at-r","token_type":"mac"}`)
	token, err := spend(t, w)
	if err != nil || token.Type != "mac" || token.RefreshToken.Reveal() != "at-r" {
		t.Fatalf("got %v of type %q, %v", token, token.Type, err)
	}
	c := begin(t, manager.Config{}).Manage("user", nil)
	if err := c.Install(t.Context(), token); err == nil || !strings.Contains(err.Error(), "the token_type mac: it is not sent") {
		t.Errorf("Install: got %v, want an error that names the type", err)
	}
}
