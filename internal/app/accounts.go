package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"plateau/internal/platform/access"
	"plateau/internal/platform/auth"
	"plateau/internal/platform/config"
	"plateau/internal/platform/db"
	"plateau/internal/platform/errs"
	"plateau/internal/platform/i18n"
)

// AccountsOrder is what a command asks about accounts and tokens. Which fields
// count depends on Act:
//
//	list            all accounts
//	add             Login, Post, Role, Enterprise, Area: an account, and a link that sets its password;
//	                none for a service
//	disable, enable Login
//	link            Login: a link that sets the password, good for a day and for once
//	remove-factor   Login
//	tokens          all tokens, of Login where it is named
//	make-token      Login, Label, Days, Only (words of the policy, "" = all that the account may)
//	add-key         Login, Label, Days (0 = as long as its certificate), Only, Key (PEM): a key of a service
//	revoke-token    ID: also of a key
type AccountsOrder struct {
	Act, Login, Post, Role, Enterprise, Area, Label, ID, Only, Key string
	Days                                                           int
}

// AccountsAnswer is what came of it.
type AccountsAnswer struct {
	Users  []auth.User
	Tokens []auth.APIToken
	Link   string // sets a password, once
	Token  string // a new one
	ID     string // of a new key
}

func (o *AccountsOrder) query() url.Values {
	return url.Values{
		"act": {o.Act}, "login": {o.Login}, "post": {o.Post}, "role": {o.Role}, "enterprise": {o.Enterprise}, "area": {o.Area},
		"only": {o.Only}, "label": {o.Label}, "id": {o.ID}, "key": {o.Key}, "days": {strconv.Itoa(o.Days)},
	}
}

func accountsOrder(q url.Values) AccountsOrder {
	days, _ := strconv.Atoi(q.Get("days")) // 0 is refused where it counts
	return AccountsOrder{
		Act: q.Get("act"), Login: q.Get("login"), Post: q.Get("post"), Role: q.Get("role"), Enterprise: q.Get("enterprise"), Area: q.Get("area"),
		Only: q.Get("only"), Label: q.Get("label"), ID: q.Get("id"), Key: q.Get("key"), Days: days,
	}
}

func (a *App) orderAccounts(ctx context.Context, q url.Values, _ func(done, total int64)) (any, error) {
	o := accountsOrder(q)
	return o.do(ctx, a.auth, a.address(), a.now())
}

// Accounts changes or lists accounts and tokens: the running server does it, or,
// when there is none, this process. Of o it takes the configuration.
func Accounts(ctx context.Context, o Options, order AccountsOrder) (out AccountsAnswer, err error) {
	err = ordered(ctx, &o, "accounts", "accounts", order.query(), &out, func(ctx context.Context, c *config.Config, d *db.DB, now func() time.Time) error {
		out, err = order.do(ctx, auth.New(d, now, auth.Options{Most: time.Duration(c.Tokens.MaxLife)}), baseOf(c), now())
		return err
	})
	return out, err
}

// baseOf is where people will reach a server that is not running.
func baseOf(c *config.Config) string {
	if c.HTTP.URL != "" {
		return strings.TrimSuffix(c.HTTP.URL, "/")
	}
	return "http://" + reachable(c.HTTP.Addr)
}

// do carries an order out. Errors are worded in English: a shell reads them.
func (o *AccountsOrder) do(ctx context.Context, s *auth.Service, base string, now time.Time) (out AccountsAnswer, err error) {
	defer func() { err = worded(err) }()
	switch o.Act {
	case "list":
		if out.Users, err = s.Users(ctx); err != nil {
			return out, err
		}
		var ids []string
		for _, u := range out.Users {
			ids = append(ids, u.ID)
		}
		return out, s.Look(ctx, "account.list", "account", "", ids, "")
	case "add":
		u, err := s.AddUser(ctx, auth.User{Login: o.Login, Post: auth.Post{Zh: o.Post}, Role: auth.Role(o.Role), Enterprise: o.Enterprise, Area: o.Area})
		if err != nil {
			return out, err
		}
		if u.ForPerson() {
			out.Link, err = link(ctx, s, u.ID, base)
		}
		return out, err
	case "revoke-token":
		return out, s.RevokeToken(ctx, o.ID)
	case "tokens":
		if o.Login == "" {
			if out.Tokens, err = s.Tokens(ctx, ""); err != nil {
				return out, err
			}
			var ids []string
			for _, t := range out.Tokens {
				ids = append(ids, t.User)
			}
			return out, s.Look(ctx, "account.tokens", "account", "", ids, "")
		}
	}
	u, err := s.UserByLogin(ctx, o.Login)
	if errs.Is(err, errs.NotFound) {
		return out, fmt.Errorf("there is no account %q; \"plateau user list\" shows them", o.Login)
	}
	if err != nil {
		return out, err
	}
	switch o.Act {
	case "disable", "enable":
		err = s.SetDisabled(ctx, u.ID, o.Act == "disable")
	case "link":
		if u.Disabled {
			return out, fmt.Errorf("account %q is disabled; enable it first", u.Login)
		}
		out.Link, err = link(ctx, s, u.ID, base)
	case "remove-factor":
		if err = s.RemoveFactors(ctx, u.ID); errs.Is(err, errs.NotFound) {
			err = fmt.Errorf("account %q has no second factor", u.Login)
		}
	case "tokens":
		if out.Tokens, err = s.Tokens(ctx, u.ID); err == nil {
			err = s.Look(ctx, "account.tokens", "account", u.ID, []string{u.ID}, "")
		}
	case "make-token":
		if o.Label == "" || o.Days < 1 {
			return out, errors.New("a token needs a purpose and a number of days")
		}
		var only access.Only
		if only, err = o.only(); err == nil {
			out.Token, _, err = s.CreateToken(ctx, u.ID, o.Label, only, now.AddDate(0, 0, o.Days))
		}
	case "add-key":
		out.ID, err = o.addKey(ctx, s, u.ID, now)
	default:
		err = fmt.Errorf("unknown order %q", o.Act)
	}
	return out, err
}

// only is what a token or a key is for.
func (o *AccountsOrder) only() (access.Only, error) {
	return access.Default().Narrow(strings.FieldsFunc(o.Only, func(r rune) bool { return r == ',' || r == ' ' }))
}

func (o *AccountsOrder) addKey(ctx context.Context, s *auth.Service, userID string, now time.Time) (id string, err error) {
	if o.Label == "" || o.Days < 0 {
		return "", errors.New("a key needs a purpose, and no negative number of days")
	}
	key, err := auth.ParseKey([]byte(o.Key))
	if err != nil {
		return "", err
	}
	only, err := o.only()
	if err != nil {
		return "", err
	}
	var until time.Time
	if o.Days > 0 {
		until = now.AddDate(0, 0, o.Days)
	}
	return s.AddKey(ctx, userID, o.Label, key, only, until)
}

func link(ctx context.Context, s *auth.Service, userID, base string) (string, error) {
	key, err := s.MakeLink(ctx, userID)
	return base + auth.LinkPath + key, err
}

// worded says an error in the catalogue's English words where it has some.
func worded(err error) error {
	e, ok := errors.AsType[*errs.Error](err)
	if !ok || e.Key == "" {
		return err
	}
	l := i18n.Default().For(i18n.En)
	said := []string{l.T(e.Key, e.Args...)}
	for _, f := range e.Fields {
		said = append(said, f.Name+": "+l.T(f.Key, f.Args...))
	}
	return errors.New(strings.Join(said, "; "))
}
