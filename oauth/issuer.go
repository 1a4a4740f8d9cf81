package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	metadataLife    = time.Hour // where the answer does not say
	metadataLeast   = time.Minute
	metadataMost    = 24 * time.Hour
	metadataRetry   = 5 * time.Second // so long a failure is not tried again
	metadataTimeout = 10 * time.Second
	metadataRenewal = 2 * time.Second // while there is an old answer
)

// An Issuer is an authorization server known by its name, which is asked once for
// where its endpoints are (RFC 8414, OpenID Connect Discovery). Give the same one to
// all grants of that server: what it says is kept as long as its Cache-Control
// allows, at least a minute, at most a day, an hour where it says nothing; and past
// that, while it cannot be asked. All who wait for an answer share one request.
type Issuer struct {
	url    string
	parsed *url.URL
	client *http.Client
	err    error

	turn chan struct{} // holds one while somebody asks; guards the rest
	got  Metadata
	till time.Time // then got, or failed, is out of date
	fail error     // of the last try
}

// NewIssuer makes an Issuer of its identifier, such as "https://auth.example.com". It
// asks nothing yet. Of Options, at most one, it uses Client and AllowHTTP.
func NewIssuer(identifier string, options ...Options) *Issuer {
	i := &Issuer{url: identifier, turn: make(chan struct{}, 1)}
	var o Options
	if len(options) > 0 {
		o = options[0]
	}
	i.client = o.client()
	i.parsed, i.err = parseEndpoint("the issuer", identifier, o.AllowHTTP)
	if identifier == "" {
		i.err = errors.New("oauth: the issuer has no name: it is a URL such as https://auth.example.com")
	}
	if i.err == nil && i.parsed.RawQuery != "" {
		i.err = errors.New("oauth: the issuer has a query, which RFC 8414 section 2 forbids")
	}
	return i
}

func (i *Issuer) group() string {
	if i.err != nil {
		return ""
	}
	return origin(i.parsed)
}

// Metadata gives what the issuer says of itself. ctx bounds the wait, and the
// request if this caller is the one who makes it; one request takes at most 10 s,
// and 2 s while there is an old answer.
//
// An answer counts only if it names the very issuer (RFC 8414 section 3.3). It is
// looked for at /.well-known/oauth-authorization-server, and then where OpenID
// Connect has it. Redirects are followed, five at most, within the origin of the
// issuer. Where neither gives one, all callers of the next 5 s get the same error.
//
// The endpoints are what the issuer says, unjudged. Grants and logins with
// Options.Issuer send nothing to one that is not https where the issuer is, also not
// on this machine, unless Options.AllowHTTP is set.
func (i *Issuer) Metadata(ctx context.Context) (Metadata, error) {
	if i.err != nil {
		return Metadata{}, i.err
	}
	select {
	case i.turn <- struct{}{}:
	case <-ctx.Done():
		return Metadata{}, ctx.Err()
	}
	defer func() { <-i.turn }()
	if !time.Now().Before(i.till) {
		i.ask(ctx)
	}
	if i.got.Issuer != "" {
		return i.got, nil // older than it should be, maybe; better than none
	}
	return Metadata{}, i.fail
}

// ask is called in turn.
func (i *Issuer) ask(ctx context.Context) {
	limit := metadataTimeout
	if i.got.Issuer != "" {
		limit = metadataRenewal
	}
	limited, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var errs []error
	for _, at := range i.wellKnown() {
		m, life, err := i.fetch(limited, at)
		if err == nil {
			i.got, i.till, i.fail = m, time.Now().Add(life), nil
			return
		}
		errs = append(errs, err)
	}
	i.fail = fmt.Errorf("oauth: the issuer %s could not be discovered: %w", i.url, errors.Join(errs...))
	// The end of a caller is no news about the server. But who has an old answer
	// goes on with that, or a refresh of a short limit would spend it all here.
	if ctx.Err() == nil || i.got.Issuer != "" {
		i.till = time.Now().Add(metadataRetry)
	}
}

// wellKnown are the places to look at: RFC 8414 section 3 puts the well-known part
// before the path of the issuer, OpenID Connect Discovery section 4 after it.
func (i *Issuer) wellKnown() []*url.URL {
	path := strings.TrimSuffix(i.parsed.EscapedPath(), "/")
	at := func(path string) *url.URL {
		u := *i.parsed
		u.Path, u.RawPath = path, ""
		if plain, err := url.PathUnescape(path); err == nil {
			u.Path, u.RawPath = plain, path
		}
		return &u
	}
	return []*url.URL{
		at("/.well-known/oauth-authorization-server" + path),
		at(path + "/.well-known/openid-configuration"),
	}
}

func (i *Issuer) fetch(ctx context.Context, at *url.URL) (Metadata, time.Duration, error) {
	resp, answered, err := send(ctx, i.client, http.MethodGet, at, http.Header{"Accept": {"application/json"}}, "", nil)
	if err != nil {
		return Metadata{}, 0, bare(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	to := hush(nil).location(answered, resp.Header)
	switch {
	case redirects(resp.StatusCode) && to != "":
		return Metadata{}, 0, fmt.Errorf("%s answered %d, a redirect to %s that is not followed", at.Path, resp.StatusCode, to)
	case resp.StatusCode != http.StatusOK:
		return Metadata{}, 0, fmt.Errorf("%s answered %d", at.Path, resp.StatusCode)
	case err != nil:
		return Metadata{}, 0, newCallError(origin(at), err, nil)
	case len(body) > maxAnswer:
		return Metadata{}, 0, fmt.Errorf("%s answered more than 1 MiB", at.Path)
	}
	m, err := parseMetadata(body, i.url)
	if err != nil {
		return Metadata{}, 0, fmt.Errorf("%s: %w", at.Path, err)
	}
	return m, cacheLife(resp.Header), nil
}

// cacheLife is how long an answer may be kept (RFC 9111 section 5.2.2), within our
// bounds: who says no-store means a minute.
func cacheLife(header http.Header) time.Duration {
	life := metadataLife
	for _, line := range header["Cache-Control"] {
		for directive := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
			switch name {
			case "no-store", "no-cache":
				return metadataLeast
			case "max-age":
				if d, ok := seconds(strings.Trim(value, `"`)); ok {
					life = d
				}
			}
		}
	}
	return min(max(life, metadataLeast), metadataMost)
}

// parseMetadata reads the document of the issuer (RFC 8414 section 2).
func parseMetadata(body []byte, issuer string) (Metadata, error) {
	var doc struct {
		Issuer     string            `json:"issuer"`
		Auth       string            `json:"authorization_endpoint"`
		Token      string            `json:"token_endpoint"`
		Device     string            `json:"device_authorization_endpoint"`
		Revocation string            `json:"revocation_endpoint"`
		Challenges []string          `json:"code_challenge_methods_supported"`
		ISS        bool              `json:"authorization_response_iss_parameter_supported"`
		TLS        map[string]string `json:"mtls_endpoint_aliases"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return Metadata{}, errors.New("no document of metadata")
	}
	if doc.Issuer != issuer {
		return Metadata{}, fmt.Errorf("the document is that of another issuer, %q", hush(nil).clean(doc.Issuer))
	}
	m := Metadata{Issuer: issuer, RevokeURL: doc.Revocation, challenges: doc.Challenges, names: doc.ISS, tls: doc.TLS}
	m.Endpoint.AuthURL, m.Endpoint.TokenURL, m.Endpoint.DeviceAuthURL = doc.Auth, doc.Token, doc.Device
	return m, nil
}
