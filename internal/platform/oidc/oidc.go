// Package oidc lets an identity provider say who somebody is: the authorization
// code flow of OpenID Connect Core 1.0 with PKCE (RFC 7636), state, nonce and the
// issuer in the answer (RFC 9207). It knows nothing of accounts.
package oidc

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"plateau/internal/platform/outbound"
)

// Options describe the provider. The zero value is none.
type Options struct {
	Issuer   string // exactly as the provider tells it
	ClientID string
	Secret   string // "" = the provider knows the client by PKCE alone
	Redirect string // the one address to come back to, as registered at the provider
	// LoginClaim is the claim that names a local account; "" = none.
	LoginClaim string
	Private    bool // the provider may be in a private network, and without TLS
	Now        func() time.Time
}

// Setting is what allows a provider in a private network.
const Setting = "oidc.allow_private"

const (
	timeout = 10 * time.Second
	maxBody = 1 << 20
	// refresh is how often the provider's description is read anew.
	refresh = time.Hour
	// skew is how far its clock may be off.
	skew = 2 * time.Minute
)

// Client signs in at one provider. It is safe for concurrent use.
type Client struct {
	o    Options
	http *http.Client

	mu    sync.Mutex
	known *description
}

type description struct {
	provider *oidc.Provider
	at       time.Time
	tellsIss bool // RFC 9207: its answers always name it
}

// New returns the client. Nothing is asked of the provider before somebody signs in.
func New(o Options) *Client {
	return &Client{o: o, http: outbound.Client(outbound.Options{Timeout: timeout, Private: o.Private, Setting: Setting, MaxBody: maxBody})}
}

// Attempt is a sign-in that is under way. It is a secret between this program and
// one browser.
type Attempt struct{ State, Nonce, Verifier string }

// Identity is whom the provider named.
type Identity struct {
	Issuer, Subject string
	Label           string // as its owner knows it there
	Login           string // of a local account, by the configured claim; "" = none
}

// Errors of Begin and Finish.
var (
	// ErrUnreachable says that the provider did not answer as one.
	ErrUnreachable = errors.New("the provider cannot be reached")
	// ErrNotOurs says that the answer does not belong to the attempt.
	ErrNotOurs = errors.New("the answer belongs to another sign-in")
	// ErrToken says that what the provider signed cannot be taken.
	ErrToken = errors.New("the provider's token cannot be taken")
)

// RefusedError is what the provider answered instead of signing in.
type RefusedError struct{ Code string } // of RFC 6749 section 4.1.2.1, such as access_denied

func (e *RefusedError) Error() string { return "the provider refused: " + e.Code }

func (c *Client) describe(ctx context.Context) (*description, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known != nil && c.o.Now().Sub(c.known.at) < refresh {
		return c.known, nil
	}
	p, err := oidc.NewProvider(c.context(ctx), c.o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	d := &description{provider: p, at: c.o.Now()}
	var more struct {
		Iss  bool   `json:"authorization_response_iss_parameter_supported"`
		Keys string `json:"jwks_uri"`
	}
	if err := p.Claims(&more); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	d.tellsIss = more.Iss
	for _, s := range []string{p.Endpoint().AuthURL, p.Endpoint().TokenURL, more.Keys, cmp.Or(p.UserInfoEndpoint(), more.Keys)} {
		if u, err := url.Parse(s); err != nil || u.Host == "" || u.Scheme != "https" && (!c.o.Private || u.Scheme != "http") {
			return nil, fmt.Errorf("%w: %q among its addresses is not https", ErrUnreachable, s)
		}
	}
	c.known = d
	return d, nil
}

func (c *Client) context(ctx context.Context) context.Context { return oidc.ClientContext(ctx, c.http) }

func (c *Client) flow(d *description) *oauth2.Config {
	scopes := []string{oidc.ScopeOpenID, oidc.ScopeProfile}
	if c.o.LoginClaim == "email" {
		scopes = append(scopes, oidc.ScopeEmail)
	}
	return &oauth2.Config{ClientID: c.o.ClientID, ClientSecret: c.o.Secret, Endpoint: d.provider.Endpoint(), RedirectURL: c.o.Redirect, Scopes: scopes}
}

// Begin returns where the browser goes to sign in, and the attempt that Finish
// takes. An error is ErrUnreachable.
func (c *Client) Begin(ctx context.Context) (to string, a Attempt, err error) {
	d, err := c.describe(ctx)
	if err != nil {
		return "", Attempt{}, err
	}
	a = Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier()}
	return c.flow(d).AuthCodeURL(a.State, oidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)), a, nil
}

var errorCode = regexp.MustCompile(`^[a-z_]{1,40}$`)

// Finish takes the answer that the browser brought back. Errors are ErrNotOurs,
// *RefusedError, ErrUnreachable and ErrToken.
func (c *Client) Finish(ctx context.Context, a Attempt, answer url.Values) (Identity, error) {
	if a.State == "" || subtle.ConstantTimeCompare([]byte(a.State), []byte(answer.Get("state"))) != 1 {
		return Identity{}, ErrNotOurs
	}
	d, err := c.describe(ctx)
	if err != nil {
		return Identity{}, err
	}
	// An answer of another provider must not be taken to this one (mix-up).
	if answer.Has("iss") && answer.Get("iss") != c.o.Issuer || d.tellsIss && !answer.Has("iss") {
		return Identity{}, fmt.Errorf("%w: it names the issuer %q", ErrNotOurs, answer.Get("iss"))
	}
	if code := answer.Get("error"); code != "" {
		if !errorCode.MatchString(code) {
			code = "unknown"
		}
		return Identity{}, &RefusedError{code}
	}
	ctx = c.context(ctx)
	got, err := c.flow(d).Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		if e, ok := errors.AsType[*oauth2.RetrieveError](err); ok && errorCode.MatchString(e.ErrorCode) {
			return Identity{}, &RefusedError{e.ErrorCode}
		}
		return Identity{}, fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	raw, _ := got.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, fmt.Errorf("%w: there is none", ErrToken)
	}
	return c.identity(ctx, d, got, raw, a.Nonce)
}

// identity checks a token as OpenID Connect Core section 3.1.3.7 asks.
func (c *Client) identity(ctx context.Context, d *description, got *oauth2.Token, raw, nonce string) (Identity, error) {
	now := c.o.Now()
	token, err := d.provider.VerifierContext(ctx, &oidc.Config{ClientID: c.o.ClientID, Now: func() time.Time { return now.Add(-skew) }}).Verify(ctx, raw)
	if err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	claims := map[string]any{}
	if err := token.Claims(&claims); err != nil {
		return Identity{}, fmt.Errorf("%w: %w", ErrToken, err)
	}
	switch azp, named := claims["azp"]; {
	case subtle.ConstantTimeCompare([]byte(token.Nonce), []byte(nonce)) != 1:
		return Identity{}, fmt.Errorf("%w: its nonce is of another sign-in", ErrToken)
	case token.IssuedAt.After(now.Add(skew)):
		return Identity{}, fmt.Errorf("%w: it is of %s, which is to come", ErrToken, token.IssuedAt.UTC().Format(time.RFC3339))
	case len(token.Audience) > 1 && !named, named && azp != c.o.ClientID:
		return Identity{}, fmt.Errorf("%w: it was made for the client %v", ErrToken, azp)
	case token.Subject == "" || len(token.Subject) > 255:
		return Identity{}, fmt.Errorf("%w: it names nobody", ErrToken)
	}
	if err := c.complete(ctx, d, got, token.Subject, claims); err != nil {
		return Identity{}, err
	}
	text := func(name string) string {
		s, _ := claims[name].(string)
		return s
	}
	id := Identity{Issuer: token.Issuer, Subject: token.Subject, Label: token.Subject}
	for _, name := range []string{"name", "preferred_username"} { // the last one that is there
		if s := strings.TrimSpace(text(name)); s != "" && len(s) <= 255 {
			id.Label = s
		}
	}
	if c.o.LoginClaim != "" && (c.o.LoginClaim != "email" || claims["email_verified"] == true) {
		id.Login = text(c.o.LoginClaim)
	}
	return id, nil
}

// complete asks for what the token does not say of its owner: many providers tell
// names only at another address of theirs (OpenID Connect Core section 5.3).
func (c *Client) complete(ctx context.Context, d *description, got *oauth2.Token, subject string, claims map[string]any) error {
	if d.provider.UserInfoEndpoint() == "" || claims["preferred_username"] != nil && (c.o.LoginClaim == "" || claims[c.o.LoginClaim] != nil) {
		return nil
	}
	info, err := d.provider.UserInfo(ctx, oauth2.StaticTokenSource(got))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, err)
	}
	more := map[string]any{}
	if err := info.Claims(&more); err != nil {
		return fmt.Errorf("%w: %w", ErrToken, err)
	}
	if info.Subject != subject {
		return fmt.Errorf("%w: what the provider tells is of %q, not of %q", ErrToken, info.Subject, subject)
	}
	for name, value := range more {
		if _, there := claims[name]; !there {
			claims[name] = value
		}
	}
	return nil
}
