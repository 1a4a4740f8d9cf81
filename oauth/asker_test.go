package oauth_test

import (
	"net/url"
	"reflect"
	"testing"

	"example.com/tokenactor/manager"
	"example.com/tokenactor/oauth"
	"golang.org/x/oauth2"
)

// What the Refreshers say of themselves: as whom they ask, where, and for what.
func TestTokenRequest(t *testing.T) {
	const at = "https://auth.example.com/token"
	user, client := userConfig(), clientConfig()
	scoped := user
	scoped.Scopes = []string{"read", "write"}
	client.Scopes = []string{"read"}
	client.EndpointParams = url.Values{"audience": {"https://api.example.com"}, "account": {"at-not-said"}}
	wrong := user
	wrong.Endpoint.TokenURL = "https://auth.example.com:x/"
	query := user
	query.Endpoint.TokenURL = "https://AUTH.example.com:443/token?key=at-key"
	discovered := user
	discovered.Endpoint.TokenURL = ""
	issuer := oauth.NewIssuer("https://auth.example.com/realm")
	for name, test := range map[string]struct {
		refresher manager.Refresher
		want      manager.TokenRequest
	}{
		"refresh token": {oauth.RefreshToken(scoped), manager.TokenRequest{Client: "crawler", Endpoint: at}},
		"refresh token with parameters": {oauth.RefreshToken(user, oauth.Options{Params: url.Values{"scope": {"read write"}, "audience": {"a"}},
			Resources: []string{"https://api.example.com/"}}),
			manager.TokenRequest{Client: "crawler", Endpoint: at, Scopes: []string{"read", "write"}, Audience: []string{"a"}, Resources: []string{"https://api.example.com/"}}},
		"a query":       {oauth.RefreshToken(query), manager.TokenRequest{Client: "crawler", Endpoint: at}},
		"an issuer":     {oauth.RefreshToken(discovered, oauth.Options{Issuer: issuer}), manager.TokenRequest{Client: "crawler", Endpoint: "https://auth.example.com/realm"}},
		"both":          {oauth.RefreshToken(user, oauth.Options{Issuer: issuer}), manager.TokenRequest{Client: "crawler", Endpoint: at}},
		"no endpoint":   {oauth.RefreshToken(wrong), manager.TokenRequest{Client: "crawler"}},
		"a revocation":  {oauth.RefreshToken(user, oauth.Options{Revoke: true, RevokeURL: "https://auth.example.com/revoke"}), manager.TokenRequest{Client: "crawler", Endpoint: at}},
		"a certificate": {oauth.RefreshToken(user, oauth.Options{Auth: oauth.TLSClientAuth()}), manager.TokenRequest{Client: "crawler", Endpoint: at}},
		"client credentials": {oauth.ClientCredentials(client),
			manager.TokenRequest{Client: "crawler", Endpoint: at, Scopes: []string{"read"}, Audience: []string{"https://api.example.com"}}},
		"password": {oauth.Password(scoped, "alice", manager.NewSecret("at-password")),
			manager.TokenRequest{Client: "crawler", Endpoint: at, Scopes: []string{"read", "write"}, Subject: "alice"}},
		"assertion": {oauth.JWTBearer(oauth2.Config{Endpoint: user.Endpoint, Scopes: []string{"read"}}, oauth.Key{}.Assertion(oauth.Claims{Subject: "alice"})),
			manager.TokenRequest{Endpoint: at, Scopes: []string{"read"}}},
		"exchange": {oauth.TokenExchange(scoped, oauth.Exchange{Subject: oauth.AccessTokenOf(nil), Audience: []string{"orders", "stock"}}),
			manager.TokenRequest{Client: "crawler", Endpoint: at, Scopes: []string{"read", "write"}, Audience: []string{"orders", "stock"}}},
	} {
		asker, ok := test.refresher.(manager.Asker)
		if !ok {
			t.Errorf("%s: %T is no manager.Asker", name, test.refresher)
			continue
		}
		got := asker.TokenRequest()
		for _, list := range []*[]string{&got.Scopes, &got.Audience, &got.Resources} {
			if len(*list) == 0 {
				*list = nil
			}
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s\n got %+v\nwant %+v", name, got, test.want)
		}
		checkSecrets(t, test.refresher, got)
	}
	if r, ok := oauth.FromTokenSource(oauth2.StaticTokenSource(nil)).(manager.Asker); ok {
		t.Errorf("%T is a manager.Asker, and cannot know what its source asks for", r)
	}
}
