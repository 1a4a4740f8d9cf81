package integration

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"example.com/tokenactor/client"
	jose "github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
	"golang.org/x/oauth2"
)

var zitadelOIDC = kind{
	name:  "zitadel/oidc v3.51.17",
	start: startZitadel,
	lacks: map[string]string{
		password:          "no such grant in it",
		mutualTLS:         "no client certificates in it",
		resourceIndicator: "it reads resource in a token exchange only, and does nothing with it",
		dpop:              "no DPoP in it",
	},
}

// startZitadel runs zitadel/oidc in this process, until the test ends.
func startZitadel(t testing.TB, life time.Duration) *server {
	t.Helper()
	var handler http.Handler
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler.ServeHTTP(w, r) }))
	t.Cleanup(srv.Close)
	handler = exampleop.SetupServer(srv.URL, newZitadelStorage(srv.URL, life), nil, false)

	s := &server{
		issuer: srv.URL,
		endpoint: oauth2.Endpoint{
			AuthURL:       srv.URL + "/auth",
			TokenURL:      srv.URL + "/oauth/token",
			DeviceAuthURL: srv.URL + "/device_authorization",
		},
		revokeURL:     srv.URL + "/revoke",
		introspectURL: srv.URL + "/oauth/introspect",
		userURL:       srv.URL + "/userinfo",
		rejected: func(resp *http.Response) bool { // it says 403 of a token that has ended
			return resp.StatusCode == http.StatusForbidden || client.InvalidToken(resp)
		},
		user: browser{name: "test-user@127.0.0.1", password: "verysecure", agree: "confirm?action=allowed"},
	}
	s.machines("openid")
	s.users("openid", "offline_access")
	return s
}

// zitadelStorage is the storage of zitadel's example with these differences: access
// tokens live as long as the test says; a refresh token that comes a second time ends
// its login, as RFC 9700 section 4.14.2 asks; clients are those of these tests, of
// which "api" may ask about every token; and a device is let in for a user that exists,
// where the example names one by the wrong id.
type zitadelStorage struct {
	*storage.Storage
	life    time.Duration
	clients map[string]zitadelClient

	mu        sync.Mutex
	successor map[string]string // refresh token → the one that replaced it
	issued    map[string]issued // access token's id →
}

type issued struct {
	expiry          time.Time
	subject, client string
	scopes          []string
}

// A zitadelClient is one of the example's with another method or other grants.
type zitadelClient struct {
	*storage.Client
	method oidc.AuthMethod
	grants []oidc.GrantType
}

func (c zitadelClient) AuthMethod() oidc.AuthMethod  { return c.method }
func (c zitadelClient) GrantTypes() []oidc.GrantType { return c.grants }

func newZitadelStorage(issuer string, life time.Duration) *zitadelStorage {
	const loopback = "http://127.0.0.1/callback"
	login := []oidc.GrantType{oidc.GrantTypeCode, oidc.GrantTypeRefreshToken}
	z := &zitadelStorage{
		life:      life,
		successor: map[string]string{},
		issued:    map[string]issued{},
		clients: map[string]zitadelClient{
			"app":   {storage.NativeClient("app", loopback), oidc.AuthMethodNone, login},
			"keyed": {storage.NativeClient("keyed", loopback), oidc.AuthMethodPrivateKeyJWT, login},
			"tv":    {storage.NativeClient("tv"), oidc.AuthMethodNone, []oidc.GrantType{oidc.GrantTypeDeviceCode}},
			"api":   {storage.WebClient("api", secretOf("api")), oidc.AuthMethodBasic, nil},
			"service": {storage.WebClient("service", secretOf("service")), oidc.AuthMethodBasic,
				[]oidc.GrantType{oidc.GrantTypeClientCredentials, oidc.GrantTypeTokenExchange}},
			"poster": {storage.WebClient("poster", secretOf("poster")), oidc.AuthMethodPost,
				[]oidc.GrantType{oidc.GrantTypeClientCredentials}},
		},
	}
	clients := map[string]*storage.Client{}
	for id, c := range z.clients {
		clients[id] = c.Client
	}
	z.Storage = storage.NewStorageWithClients(storage.NewUserStore(issuer), clients)
	return z
}

func (z *zitadelStorage) GetClientByClientID(_ context.Context, id string) (op.Client, error) {
	if c, ok := z.clients[id]; ok {
		return c, nil
	}
	return nil, errors.New("client not found")
}

func (z *zitadelStorage) ClientCredentials(ctx context.Context, id, secret string) (op.Client, error) {
	if err := z.AuthorizeClientIDSecret(ctx, id, secret); err != nil {
		return nil, err
	}
	return z.GetClientByClientID(ctx, id)
}

func (z *zitadelStorage) ClientCredentialsTokenRequest(_ context.Context, id string, scopes []string) (op.TokenRequest, error) {
	return &oidc.JWTTokenRequest{Subject: id, Audience: []string{id}, Scopes: scopes}, nil
}

// GetKeyByIDAndClientID gives the public key of a client, or of a service account.
func (z *zitadelStorage) GetKeyByIDAndClientID(_ context.Context, kid, id string) (*jose.JSONWebKey, error) {
	if kid != keyID || id != "keyed" && id != "account" {
		return nil, errors.New("key not found")
	}
	return &jose.JSONWebKey{KeyID: kid, Use: "sig", Key: &privateKey().PublicKey}, nil
}

func (z *zitadelStorage) CompleteDeviceAuthorization(ctx context.Context, userCode, _ string) error {
	return z.Storage.CompleteDeviceAuthorization(ctx, userCode, "id1")
}

func (z *zitadelStorage) CreateAccessToken(ctx context.Context, r op.TokenRequest) (string, time.Time, error) {
	id, _, err := z.Storage.CreateAccessToken(ctx, r)
	return id, z.record(id, r), err
}

func (z *zitadelStorage) CreateAccessAndRefreshTokens(ctx context.Context, r op.TokenRequest, spent string) (string, string, time.Time, error) {
	id, fresh, _, err := z.Storage.CreateAccessAndRefreshTokens(ctx, r, spent)
	if err != nil {
		z.endLogin(ctx, spent) // another request with the same refresh token was faster
		return "", "", time.Time{}, oidc.ErrInvalidGrant().WithParent(err)
	}
	z.mu.Lock()
	z.successor[spent] = fresh
	z.mu.Unlock()
	return id, fresh, z.record(id, r), nil
}

func (z *zitadelStorage) record(id string, r op.TokenRequest) time.Time {
	i := issued{expiry: time.Now().Add(z.life), subject: r.GetSubject(), scopes: r.GetScopes()}
	if c, ok := r.(interface{ GetClientID() string }); ok {
		i.client = c.GetClientID()
	} else if names := r.GetAudience(); len(names) > 0 {
		i.client = names[0]
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.issued[id] = i
	return i.expiry
}

func (z *zitadelStorage) TokenRequestByRefreshToken(ctx context.Context, token string) (op.RefreshTokenRequest, error) {
	r, err := z.Storage.TokenRequestByRefreshToken(ctx, token)
	if err != nil {
		z.endLogin(ctx, token)
	}
	return r, err
}

// endLogin revokes what came of a refresh token that was spent twice.
func (z *zitadelStorage) endLogin(ctx context.Context, token string) {
	z.mu.Lock()
	defer z.mu.Unlock()
	for next, ok := z.successor[token]; ok; next, ok = z.successor[next] {
		_ = z.Storage.RevokeToken(ctx, next, "", "app") // all but the last are gone already
	}
}

func (z *zitadelStorage) RevokeToken(ctx context.Context, token, user, client string) *oidc.Error {
	z.mu.Lock()
	delete(z.issued, token)
	z.mu.Unlock()
	return z.Storage.RevokeToken(ctx, token, user, client)
}

func (z *zitadelStorage) living(id string) (issued, error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if i, ok := z.issued[id]; ok && time.Now().Before(i.expiry) {
		return i, nil
	}
	return issued{}, errors.New("the token has ended")
}

func (z *zitadelStorage) SetUserinfoFromToken(ctx context.Context, u *oidc.UserInfo, id, subject, origin string) error {
	if _, err := z.living(id); err != nil {
		return err
	}
	return z.Storage.SetUserinfoFromToken(ctx, u, id, subject, origin)
}

func (z *zitadelStorage) SetIntrospectionFromToken(_ context.Context, r *oidc.IntrospectionResponse, id, _, _ string) error {
	i, err := z.living(id)
	r.ClientID, r.Subject, r.Scope = i.client, i.subject, i.scopes
	return err
}
