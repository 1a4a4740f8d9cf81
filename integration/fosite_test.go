package integration

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/compose"
	"github.com/ory/fosite/storage"
	"golang.org/x/crypto/bcrypt"
	"golang.org/x/oauth2"
)

var oryFosite = kind{
	name:  "ory/fosite v0.49.0",
	start: startFosite,
	lacks: map[string]string{
		device:            "no device flow in this version",
		tokenExchange:     "no such grant in it",
		mutualTLS:         "no client certificates in it",
		resourceIndicator: "it has audience, a parameter of its own, instead",
		dpop:              "no DPoP in it",
		discovery:         "a library without a discovery document",
	},
}

// fositeJWTBearer is the grant of RFC 7523 as fosite's clients register it.
const fositeJWTBearer = "urn:ietf:params:oauth:grant-type:jwt-bearer"

// startFosite runs fosite in this process, until the test ends.
func startFosite(t testing.TB, life time.Duration) *server {
	t.Helper()
	mux := http.NewServeMux()
	srv := httptest.NewServer(mux)
	t.Cleanup(srv.Close)

	secret := make([]byte, 32)
	_, _ = rand.Read(secret)
	provider := compose.ComposeAllEnabled(&fosite.Config{
		AccessTokenLifespan:                 life,
		GlobalSecret:                        secret,
		HashCost:                            bcrypt.MinCost,
		TokenURL:                            srv.URL + "/token",
		EnforcePKCE:                         true,
		GrantTypeJWTBearerCanSkipClientAuth: true,
		GrantTypeJWTBearerMaxDuration:       time.Hour,
	}, fositeStore(t), privateKey())

	mux.HandleFunc("/auth", func(w http.ResponseWriter, r *http.Request) {
		asked, err := provider.NewAuthorizeRequest(r.Context(), r)
		if err != nil {
			provider.WriteAuthorizeError(r.Context(), w, asked, err)
			return
		}
		if r.FormValue("refuse") != "" { // the user's answer would come from a page
			provider.WriteAuthorizeError(r.Context(), w, asked, fosite.ErrAccessDenied)
			return
		}
		for _, scope := range asked.GetRequestedScopes() {
			asked.GrantScope(scope)
		}
		answer, err := provider.NewAuthorizeResponse(r.Context(), asked, &fosite.DefaultSession{Subject: "alice"})
		if err != nil {
			provider.WriteAuthorizeError(r.Context(), w, asked, err)
			return
		}
		provider.WriteAuthorizeResponse(r.Context(), w, asked, answer)
	})
	mux.HandleFunc("/token", func(w http.ResponseWriter, r *http.Request) {
		asked, err := provider.NewAccessRequest(r.Context(), r, &fosite.DefaultSession{})
		if err != nil {
			provider.WriteAccessError(r.Context(), w, asked, err)
			return
		}
		for _, scope := range asked.GetRequestedScopes() {
			asked.GrantScope(scope)
		}
		answer, err := provider.NewAccessResponse(r.Context(), asked)
		if err != nil {
			provider.WriteAccessError(r.Context(), w, asked, err)
			return
		}
		provider.WriteAccessResponse(r.Context(), w, asked, answer)
	})
	mux.HandleFunc("/revoke", func(w http.ResponseWriter, r *http.Request) {
		provider.WriteRevocationResponse(r.Context(), w, provider.NewRevocationRequest(r.Context(), r))
	})
	mux.HandleFunc("/introspect", func(w http.ResponseWriter, r *http.Request) {
		answer, err := provider.NewIntrospectionRequest(r.Context(), r, &fosite.DefaultSession{})
		if err != nil {
			provider.WriteIntrospectionError(r.Context(), w, err)
			return
		}
		provider.WriteIntrospectionResponse(r.Context(), w, answer)
	})
	mux.HandleFunc("/user", func(w http.ResponseWriter, r *http.Request) {
		_, token, err := provider.IntrospectToken(r.Context(), fosite.AccessTokenFromRequest(r), fosite.AccessToken, &fosite.DefaultSession{})
		if err != nil {
			w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"sub": token.GetSession().GetSubject()})
	})

	s := &server{
		endpoint:      oauth2.Endpoint{AuthURL: srv.URL + "/auth", TokenURL: srv.URL + "/token"},
		revokeURL:     srv.URL + "/revoke",
		introspectURL: srv.URL + "/introspect",
		userURL:       srv.URL + "/user",
		user:          browser{name: "alice", password: "in wonderland"},
	}
	s.machines("invoices:read")
	s.users("offline")
	return s
}

// fositeStore is fosite's own store in memory, with the clients of these tests.
func fositeStore(t testing.TB) *storage.MemoryStore {
	t.Helper()
	public := jose.JSONWebKey{KeyID: keyID, Use: "sig", Algorithm: "RS256", Key: &privateKey().PublicKey}
	store := storage.NewMemoryStore()
	store.Users["alice"] = storage.MemoryUserRelation{Username: "alice", Password: "in wonderland"}
	store.IssuerPublicKeys["account"] = storage.IssuerPublicKeys{Issuer: "account", KeysBySub: map[string]storage.SubjectPublicKeys{
		"account": {Subject: "account", Keys: map[string]storage.PublicKeyScopes{keyID: {Key: &public, Scopes: []string{"invoices:read"}}}},
	}}
	user := func(id string) *fosite.DefaultClient {
		return &fosite.DefaultClient{
			ID: id, Public: true,
			RedirectURIs:  []string{"http://127.0.0.1/callback"},
			ResponseTypes: []string{"code"},
			GrantTypes:    []string{"authorization_code", "refresh_token"},
			Scopes:        []string{"offline"},
		}
	}
	machine := func(id, method string) *fosite.DefaultOpenIDConnectClient {
		hash, err := bcrypt.GenerateFromPassword([]byte(secretOf(id)), bcrypt.MinCost)
		if err != nil {
			t.Fatal(err)
		}
		return &fosite.DefaultOpenIDConnectClient{
			DefaultClient: &fosite.DefaultClient{
				ID: id, Secret: hash,
				GrantTypes: []string{"client_credentials", "password", "refresh_token", fositeJWTBearer},
				Scopes:     []string{"invoices:read", "offline"},
			},
			TokenEndpointAuthMethod: method,
		}
	}
	keyed := user("keyed")
	keyed.Public = false
	store.Clients["app"] = user("app")
	store.Clients["keyed"] = &fosite.DefaultOpenIDConnectClient{
		DefaultClient:           keyed,
		JSONWebKeys:             &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}},
		TokenEndpointAuthMethod: "private_key_jwt",
	}
	store.Clients["service"] = machine("service", "client_secret_basic")
	store.Clients["poster"] = machine("poster", "client_secret_post")
	store.Clients["api"] = machine("api", "client_secret_basic")
	return store
}
