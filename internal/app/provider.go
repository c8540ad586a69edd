package app

import (
	"fmt"
	"os"
	"strings"

	"plateau/internal/accountweb"
	"plateau/internal/platform/oidc"
)

// provider is the identity provider of the configuration; nil when there is none.
func (a *App) provider() (*accountweb.Provider, error) {
	c := a.c.OIDC
	if c.Issuer == "" {
		return nil, nil
	}
	secret := ""
	if c.SecretFile != "" {
		text, err := os.ReadFile(c.SecretFile)
		if err != nil {
			return nil, fmt.Errorf("oidc.secret_file: %w", err)
		}
		secret = strings.TrimSpace(string(text))
	}
	return &accountweb.Provider{
		Issuer: c.Issuer, NameZh: c.NameZh, NameBo: c.NameBo, NameEn: c.NameEn,
		Client: oidc.New(oidc.Options{
			Issuer: c.Issuer, ClientID: c.ClientID, Secret: secret, LoginClaim: c.LoginClaim, Private: c.AllowPrivate, Now: a.now,
			Redirect: accountweb.Redirect(a.c.HTTP.URL),
		}),
	}, nil
}
